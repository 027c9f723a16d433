"""`AdversarialTrainingCV`: the size of the attack that is trained against, by cross-validation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn import config_context
from sklearn.base import ClassifierMixin, RegressorMixin, clone, is_classifier
from sklearn.metrics import accuracy_score, get_scorer, r2_score
from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

from ..influence.path import RobustPath
from ..models.meta import Delegating, weights_for
from ..utils import validation
from ..utils.inputs import AttackableLike, MatrixLike, ScaleLike, TargetsLike, WeightsLike
from ..utils.warnings import RangeWarning, warn
from .robust_path import robust_path
from .training import AdversarialTraining

Array = NDArray[Any]

_GRID = np.append(0.0, np.geomspace(1e-3, 0.3, 24))
_LOSSES = ("adversarial", "clean")


class AdversarialTrainingCV(Delegating):
    """`AdversarialTraining` with the ε that does best on rows that were held out.

    A robust path a fold (`robust_path`) gives the models at every ε of the grid, where a grid
    search would fit each; the best ε is then trained against on all of the data.

    Parameters
    ----------
    estimator
        Not fitted, as for `AdversarialTraining`.
    eps : array (k,), optional
        The grid, in units of the radius s of a fold's training data. By default 0 and 24 radii
        from 0.001 to 0.3, evenly spaced in their logarithm.
    cv : int, splitter or iterable, default 5
        As in scikit-learn.
    scoring : {"adversarial", "clean"}, name, callable or None, default "adversarial"
        "adversarial": the negative mean loss of the held-out rows under attacks of `attack_eps`
        times s; "clean": that without attack. Else what scikit-learn takes: a scorer's name, a
        callable (estimator, X, y), or None for the estimator's own `score`.
    attack_eps : float, optional
        Of "adversarial": the size of attack to be ready for. By default the largest of `eps`,
        which is what decides then: give it wherever the grid is only a place to search in.
    p, order, radius, feature_scale, attackable, attack_space
        The attack, as in `aif`.
    tol : float, default 1e-8
    n_threads : int, optional

    Attributes
    ----------
    eps_ : float
        The ε chosen: of those that score best the first of the grid, as a grid search has it.
    cv_results_ : dict
        "eps" (k,), "split0_test_score" and so on, "mean_test_score", "std_test_score" and
        "rank_test_score".
    best_score_ : float
    estimator_, natural_estimator_, robust_
        As of `AdversarialTraining` at `eps_`, on all of the data.

    Examples
    --------
    >>> import fastaif as fa
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), Ridge())
    >>> fa.AdversarialTrainingCV(model, [0.0, 0.01, 0.05]).fit(X, y).eps_
    0.05
    >>> fa.AdversarialTrainingCV(model, [0.0, 0.01, 0.05], scoring="clean").fit(X, y).eps_
    0.0
    """

    instead: ClassVar[str] = AdversarialTraining.instead

    def __init__(
        self,
        estimator: Any,
        eps: ArrayLike | None = None,
        *,
        cv: Any = 5,
        scoring: Any = "adversarial",
        attack_eps: float | None = None,
        p: float = 2,
        order: float = math.inf,
        radius: str | float = "mean_norm",
        feature_scale: ScaleLike = None,
        attackable: AttackableLike = None,
        attack_space: str = "scaled",
        tol: float = 1e-8,
        n_threads: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.eps = eps
        self.cv = cv
        self.scoring = scoring
        self.attack_eps = attack_eps
        self.p = p
        self.order = order
        self.radius = radius
        self.feature_scale = feature_scale
        self.attackable = attackable
        self.attack_space = attack_space
        self.tol = tol
        self.n_threads = n_threads

    def fit(
        self, X: MatrixLike, y: TargetsLike, sample_weight: WeightsLike = None
    ) -> AdversarialTrainingCV:
        """Choose ε on the folds, and train against it on all of the data.

        Parameters
        ----------
        X, y : arrays (n, m), (n,)
        sample_weight : array (n,), optional
            Of the fits; scores of held-out rows are unweighted.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            What the estimator and `robust_path` raise.

        Warns
        -----
        SolverWarning
            The tolerance was not reached.
        RangeWarning
            At the ε chosen no coefficient is left.
        """
        X = _by_number(X, y)
        radii = np.array(validation.sizes(_GRID if self.eps is None else self.eps, some=True))
        score = self._score(radii)
        folds = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        scores = np.array([
            self._scores(X, y, sample_weight, split, radii, score) for split in folds.split(X, y)
        ])  # fmt: skip
        mean = scores.mean(axis=0)
        best = int(np.argmax(mean))
        self.cv_results_ = {
            "eps": radii,
            **{f"split{k}_test_score": row for k, row in enumerate(scores)},
            "mean_test_score": mean, "std_test_score": scores.std(axis=0),
            "rank_test_score": rankdata(-mean, method="min").astype(int),
        }  # fmt: skip
        self.eps_, self.best_score_ = float(radii[best]), float(mean[best])
        attack = {**self._attack, "tol": self.tol, "n_threads": self.n_threads}
        final = AdversarialTraining(self.estimator, self.eps_, **attack)
        final.fit(X, y, sample_weight)
        self.estimator_, self.natural_estimator_ = final.estimator_, final.natural_estimator_
        self.robust_, self.n_iter_ = final.robust_, final.n_iter_
        self._warn_if_nothing_is_left(radii)
        return self

    def _warn_if_nothing_is_left(self, radii: Array) -> None:
        """Attacked hard enough, a model that looks at nothing does best: hardly what was meant."""
        robust = self.robust_
        coefs = robust.params[:-1] if robust.names[-1] == "intercept" else robust.params
        if self.scoring != "adversarial" or not self.eps_ > 0.0 or np.any(coefs):
            return
        size = float(radii.max()) if self.attack_eps is None else self.attack_eps
        told = " (the largest of eps)" if self.attack_eps is None else ""
        warn(
            f"at the ε chosen, {self.eps_:.3g}, the robust model has no coefficient left: attacks "
            f"of attack_eps = {size:.3g}{told} undo every feature. Give attack_eps, the size of "
            "attack to be ready for",
            RangeWarning,
        )

    @property
    def _attack(self) -> dict[str, Any]:
        names = ("p", "order", "radius", "feature_scale", "attackable", "attack_space")
        return {name: getattr(self, name) for name in names}

    def _scores(
        self, X: Any, y: Any, w: Any, split: tuple[Array, Array], radii: Array,
        score: Callable[[RobustPath, Any, Any], Array],
    ) -> Array:  # fmt: skip
        """Of one fold, (k,)."""
        train, test = split
        rows, targets = _safe_indexing(X, train), _safe_indexing(y, train)
        weights = None if w is None else np.asarray(w)[train]
        fitted = clone(self.estimator)
        fitted.fit(rows, targets, **weights_for(fitted, weights))
        path = robust_path(
            fitted, rows, targets, radii, **self._attack, sample_weight=weights, tol=self.tol,
            n_threads=self.n_threads,
        )  # fmt: skip
        return score(path, _safe_indexing(X, test), _safe_indexing(y, test))

    def _score(self, radii: Array) -> Callable[[RobustPath, Any, Any], Array]:
        """From a path and held-out rows to a score a radius."""
        how = self.scoring
        if how == "adversarial":
            size = float(radii.max()) if self.attack_eps is None else self.attack_eps
            size = validation.number(size, "attack_eps", low=0.0)
            return lambda path, X, y: -path.adversarial_loss(radii, size, X, y)
        if how == "clean":
            return lambda path, X, y: -path.clean_loss(radii, X, y)
        named = _named(how) if isinstance(how, str) else how

        def each(path: RobustPath, X: MatrixLike, y: TargetsLike) -> Array:
            models = [path.estimator(float(e)) for e in radii]
            if how is None or isinstance(how, str):
                return _scored(models, X, y, named)
            return np.array([how(model, X, y) for model in models])

        return each


def _scored(models: list[Any], X: MatrixLike, y: TargetsLike, scorer: Any) -> Array:
    """Scores of estimators that differ in the coefficients of their last step alone, (k,).

    What is before that is done once, and what scikit-learn looks for in its arguments is looked
    for with the first.
    """
    if isinstance(models[0], Pipeline) and len(models[0]) > 1:
        X, models = models[0][:-1].transform(X), [model[-1] for model in models]
    together = _TOGETHER.get(type(models[0]).score) if scorer is None else None
    targets = np.asarray(y)
    if together is not None and targets.ndim == 1:
        return together(models, X, targets)

    def score(model: Any) -> float:
        return float(model.score(X, y) if scorer is None else scorer(model, X, y))

    first = score(models[0])
    with config_context(assume_finite=True, skip_parameter_validation=True):
        return np.array([first, *(score(model) for model in models[1:])])


def _determinations(models: list[Any], X: MatrixLike, y: Array) -> Array:
    """R² of each."""
    found = np.column_stack([model.predict(X) for model in models])
    wanted = np.broadcast_to(y[:, None], found.shape)
    return np.asarray(r2_score(wanted, found, multioutput="raw_values"))


def _accuracies(models: list[Any], X: MatrixLike, y: Array) -> Array:
    """The share of labels that each tells; whether they are labels is looked at once."""
    first = accuracy_score(y, models[0].predict(X))
    return np.array([first, *(np.mean(model.predict(X) == y) for model in models[1:])])


# Estimators' own scores where that is scikit-learn's, which looks at its arguments every time.
_TOGETHER = {RegressorMixin.score: _determinations, ClassifierMixin.score: _accuracies}


def _by_number(X: Any, y: Any) -> Any:
    """X in a form of which rows can be taken by their numbers, as folds are.

    Raises
    ------
    TypeError
        It is an iterable of blocks, or there are no targets.
    """
    if y is None:
        raise TypeError(
            "y is None: folds are taken of rows by their numbers, so that X and y have to be "
            "arrays or frames, not blocks"
        )
    return X.tocsr() if hasattr(X, "tocsr") else X


def _named(scoring: str) -> Any:
    """One of scikit-learn's scorers.

    Raises
    ------
    ValueError
        There is none of that name.
    """
    try:
        return get_scorer(scoring)
    except ValueError as error:
        raise ValueError(
            f"scoring={scoring!r} is unknown: give one of {', '.join(map(repr, _LOSSES))}, or what "
            "scikit-learn takes"
        ) from error
