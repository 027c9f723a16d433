"""`complexity_curve`: clean loss and sensitivity of models of growing capacity."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing

from ..utils import validation
from ..utils.arrays import ReadOnlyArrays
from ..utils.inputs import AttackableLike, MatrixLike, RandomState, ScaleLike, TargetsLike
from ..utils.warnings import FlipWarning, warn
from .model_selection import WithInfluence, fitted_influence, last_step, priced

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class ComplexityCurve(ReadOnlyArrays):
    """Clean loss and sensitivity of k models at e attack sizes: means over the folds.

    Attributes
    ----------
    labels : tuple of str, length k
    complexity : array (k,)
        The x axis: what was given, or `n_params`.
    n_params : array (k,)
        d, the number of parameters θ.
    eps : array (e,)
        ε, in units of the radius s.
    loss, loss_sd : arrays (k,)
        E_e ℓ(θ̂), in units of the loss, and its standard deviation between folds (NaN where
        there is one fold, here and below).
    sensitivity, sensitivity_sd : arrays (k, e)
        S_ε on the same data, in units of the loss.
    flip_fraction : array (k, e)
        The share of the training samples that have passed a kink of the robust path by ε;
        the larger, the rougher is S_ε (see `InfluenceResult.flip_fraction`).
    n_folds : int
        0 where the training data were evaluated.
    expansion : str
    """

    labels: tuple[str, ...]
    complexity: Array
    n_params: Array
    eps: Array
    loss: Array
    loss_sd: Array
    sensitivity: Array
    sensitivity_sd: Array
    flip_fraction: Array
    n_folds: int
    expansion: str

    def to_frame(self) -> pd.DataFrame:
        """A pandas frame with a row per model and ε, the models in the order given."""
        import pandas as pd

        k, e = self.sensitivity.shape
        columns = {"label": np.repeat(np.array(self.labels, dtype=object), e)}
        for name in ("complexity", "n_params"):
            columns[name] = np.repeat(getattr(self, name), e)
        columns["eps"] = np.tile(self.eps, k)
        for name in ("loss", "loss_sd"):
            columns[name] = np.repeat(getattr(self, name), e)
        for name in ("sensitivity", "sensitivity_sd", "flip_fraction"):
            columns[name] = getattr(self, name).ravel()
        return pd.DataFrame(columns)

    def summary(self) -> str:
        """A table with a row per model; * marks the least loss, and the least loss + S_ε."""
        width = max(len(label) for label in self.labels)
        where = f"held out, {self.n_folds} folds" if self.n_folds else "training data"
        lines = [f"Clean loss and predicted sensitivity ({where}, {self.expansion} expansion)"]
        heads = "".join(f"{f'S({e:g})':>14} " for e in self.eps)
        lines.append(f"{'':{width}}{'complexity':>12}{'loss':>14} {heads}".rstrip())
        total = np.column_stack([self.loss, self.loss[:, None] + self.sensitivity])
        best = np.argmin(total, axis=0)
        for k, label in enumerate(self.labels):
            cells = [self.loss[k], *self.sensitivity[k]]
            text = "".join(
                f"{cell:>14.6g}{'*' if best[j] == k else ' '}" for j, cell in enumerate(cells)
            )
            lines.append(f"{label:{width}}{self.complexity[k]:>12g}{text}".rstrip())
        return "\n".join(lines)

    def plot(self, figure: Any = None) -> Any:
        """Draw loss and sensitivity against complexity; returns the matplotlib figure."""
        from ..plotting.complexity import plot_complexity

        return plot_complexity(self, figure)

    def __str__(self) -> str:
        return self.summary()


def complexity_curve(
    estimators: Any,
    X: MatrixLike,
    y: TargetsLike,
    eps: ArrayLike,
    *,
    complexity: Any = None,
    labels: Sequence[str] | None = None,
    cv: Any = 5,
    p: float = 2,
    radius: str | float = "mean_norm",
    feature_scale: ScaleLike = None,
    attackable: AttackableLike = None,
    attack_space: str = "scaled",
    expansion: str = "quadratic",
    random_state: RandomState = None,
    progress: bool = True,
) -> ComplexityCurve:
    """How clean loss and sensitivity change with the capacity of a model.

    For each estimator the mean over folds of E_e ℓ(θ̂) and of ``S_ε = ½ ε² IᵀH_eI`` (eq. 4 of
    Deng, Dwork, Wang & Zhang, 2020), I from the fit and both measured on the fold left out.
    More capacity can make a model more sensitive or less (section 5 there).

    Parameters
    ----------
    estimators : list of estimators, or dict from label to estimator
        Not fitted, and such as `aif` accepts: each is wrapped in a `WithInfluence` with the
        attack below. One that is a WithInfluence, or a Pipeline that ends in one, is taken
        as it is, with its own attack. Only models of one loss compare.
    X, y : arrays (n, m), (n,)
    eps : float or array (e,)
        ε, in units of the radius s; the result has an axis for it in either case.
    complexity : array (k,), optional
        The x axis; the number of parameters d by default.
    labels : list of str, optional
        By default a dict's keys, or what the estimators print as.
    cv : int, splitter or None, default 5
        Folds as in GridSearchCV; the same for each estimator. None: fit and evaluate on all
        of the data.
    p, radius, feature_scale, attackable, attack_space
        The attack, as in `aif`.
    expansion : {"quadratic", "taylor"}, default "quadratic"
        "taylor" adds ``ε g_eᵀI``, which eq. 4 leaves out (see `InfluenceResult.sensitivity`).
    random_state : int or RandomState, optional
        Shuffles the rows before an integer number of folds is cut; None leaves their order.
    progress : bool, default True
        A progress bar over the fits where they take more than a second on a terminal.

    Returns
    -------
    ComplexityCurve

    Raises
    ------
    TypeError, ValueError, numpy.linalg.LinAlgError
        For what is wrong with the arguments, and what the estimators and `aif` raise, with a
        note that names the estimator.

    Warns
    -----
    FlipWarning
        Once, if at the largest eps more than 5 % of some model's samples have flipped.
    """
    radii = _attack_sizes(eps)
    validation.option(expansion, "expansion", ["quadratic", "taylor"])
    labels, models = _labelled(estimators, labels)
    axis = None if complexity is None else _numbers(complexity, len(models))
    models = [
        model if isinstance(last_step(model), WithInfluence) else WithInfluence(
            model, p, radius, feature_scale, attackable, attack_space
        )
        for model in models
    ]  # fmt: skip
    folds = _folds(cv, X, y, is_classifier(models[0]), random_state)
    found = np.empty((len(models), len(folds), 2 + 2 * radii.size))
    for k, f in _with_progress(len(models), len(folds), progress):
        try:
            found[k, f] = _fold(clone(models[k]), X, y, folds[f], radii, expansion)
        except Exception as error:
            error.add_note(f"This was raised for the estimator {labels[k]!r}.")
            raise
    curve = _summed(found, labels, axis, radii, 0 if cv is None else len(folds), expansion)
    _warn_about_flips(curve)
    return curve


def _attack_sizes(eps: Any) -> Array:
    radii = np.atleast_1d(validation.radii(eps))
    if radii.ndim != 1 or radii.size == 0:
        raise ValueError(f"eps must be a number or a list of numbers, but is {eps!r}")
    return radii


def _labelled(
    estimators: Any, labels: Sequence[str] | None
) -> tuple[tuple[str, ...], list[Any]]:
    if isinstance(estimators, dict):
        models = list(estimators.values())
        labels = [str(key) for key in estimators] if labels is None else labels
    elif hasattr(estimators, "fit"):
        raise TypeError("estimators must be a list or a dict; put a single one in a list")
    else:
        models = list(estimators) if isinstance(estimators, Iterable) else [estimators]
    if not models:
        raise ValueError("estimators is empty")
    strangers = [model for model in models if not hasattr(model, "fit")]
    if strangers:
        raise TypeError(f"estimators must hold estimators, but one is {strangers[0]!r}")
    if labels is None:
        return tuple(_text(model) for model in models), models
    if isinstance(labels, str) or not isinstance(labels, Sequence) or len(labels) != len(models):
        raise ValueError(f"labels must be a list of {len(models)} strings, one an estimator")
    return tuple(str(label) for label in labels), models


def _text(model: Any) -> str:
    """What the model itself prints as, in one line, without the steps before it."""
    model = last_step(model)
    while isinstance(model, WithInfluence):
        model = last_step(model.estimator)
    return " ".join(repr(model).split())


def _numbers(complexity: Any, k: int) -> Array:
    axis = np.asarray(complexity)
    if axis.dtype.kind not in "uif" or axis.shape != (k,) or not np.isfinite(axis).all():
        raise ValueError(
            f"complexity must be {k} finite numbers, one an estimator, but is {complexity!r}"
        )
    return axis.astype(float)


def _folds(
    cv: Any, X: Any, y: Any, classifier: bool, random_state: Any
) -> list[tuple[Any, Any]]:
    """Rows to fit to and rows to evaluate on; None for all rows."""
    if cv is None:
        return [(None, None)]
    splitter = check_cv(cv, y, classifier=classifier)
    if isinstance(cv, numbers.Integral) and random_state is not None:
        splitter = type(splitter)(int(cv), shuffle=True, random_state=random_state)
    return list(splitter.split(X, y))


def _with_progress(k: int, n_folds: int, progress: bool) -> Iterator[tuple[int, int]]:
    from tqdm import tqdm

    pairs = [(i, j) for i in range(k) for j in range(n_folds)]
    # disable=None: only on a terminal.
    yield from tqdm(pairs, "fits", delay=1.0, leave=False, disable=None if progress else True)


def _fold(
    model: Any, X: Any, y: Any, fold: tuple[Any, Any], eps: Array, expansion: str
) -> Array:
    """d, the loss, S_ε and the flip fractions, in this order: (2 + 2e,)."""
    train, test = fold
    if train is None:
        fitted, X_eval, y_eval = model.fit(X, y), X, y
    else:
        fitted = model.fit(_safe_indexing(X, train), _safe_indexing(y, train))
        X_eval, y_eval = _safe_indexing(X, test), _safe_indexing(y, test)
    result, X_eval = fitted_influence(fitted, X_eval)
    loss, cost = priced(result, eps, X_eval, y_eval, expansion)
    return np.concatenate([[result.influence.size, loss], cost, result.flip_fraction(eps)])


def _summed(
    found: Array, labels: tuple[str, ...], axis: Array | None, eps: Array, n_folds: int,
    expansion: str,
) -> ComplexityCurve:  # fmt: skip
    """Means and standard deviations over the folds, which are axis 1 of `found`."""
    mean, sd = found.mean(axis=1), np.full((len(found), found.shape[2]), np.nan)
    if found.shape[1] > 1:
        sd = found.std(axis=1, ddof=1)
    e = eps.size
    return ComplexityCurve(
        labels=labels, complexity=mean[:, 0] if axis is None else axis, n_params=mean[:, 0],
        eps=eps, loss=mean[:, 1], loss_sd=sd[:, 1],
        sensitivity=mean[:, 2 : 2 + e], sensitivity_sd=sd[:, 2 : 2 + e],
        flip_fraction=mean[:, 2 + e :], n_folds=n_folds, expansion=expansion,
    )  # fmt: skip


def _warn_about_flips(curve: ComplexityCurve) -> None:
    k, j = np.unravel_index(np.argmax(curve.flip_fraction), curve.flip_fraction.shape)
    if curve.flip_fraction[k, j] > 0.05:
        warn(
            f"at eps={curve.eps[j]:g} about {curve.flip_fraction[k, j]:.0%} of the samples of "
            f"{curve.labels[k]!r} have passed a kink of the robust path: its sensitivity is "
            "rough there (flip_fraction has the share for every model and eps)",
            FlipWarning,
        )
