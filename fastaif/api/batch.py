"""`fit_batch` and `aif_batch`: thousands of small independent problems at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._compute import get
from .._compute import types as c
from ..bases.builtin import Linear
from ..data import parallel
from ..data.blas import single_threaded_blas
from ..losses import Loss
from ..models import classifiers, linear, log_link
from ..threat.attack_set import AttackSet
from ..threat.threat import Threat
from ..utils import validation
from ..utils.arrays import ReadOnlyArrays, read_only
from ..utils.inputs import AttackableLike, MatrixLike, ScaleLike, TargetsLike, WeightsLike
from .batch_rows import BatchRows, batch_rows

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

_KINDS = (
    linear.LinearRegression,
    linear.HuberRegression,
    linear.ExpectileRegression,
    classifiers.LogisticRegression,
    classifiers.ProbitRegression,
    classifiers.CloglogRegression,
    classifiers.SquaredHingeClassification,
    log_link.PoissonRegression,
    log_link.GammaRegression,
    log_link.TweedieRegression,
    log_link.NegativeBinomialRegression,
)
_ENTRIES = 1 << 20  # of the rows of a chunk: enough for Python's part to be small


@dataclass(frozen=True, eq=False)
class BatchFit(ReadOnlyArrays):
    """Fits of many problems; what failed has NaN for its parameters.

    Attributes
    ----------
    params : array (k, d)
        Coefficients, then the intercept.
    n_iter : array (k,)
        Newton steps.
    reasons : tuple of str
        Why a problem failed; empty where it did not.
    """

    params: Array
    n_iter: Array
    reasons: tuple[str, ...]

    @property
    def failed(self) -> Array:
        """Which problems failed, (k,)."""
        return np.array([bool(reason) for reason in self.reasons])


@dataclass(frozen=True, eq=False)
class BatchInfluence(BatchFit):
    """Influences of many problems; what failed has NaN for its numbers.

    Attributes
    ----------
    params : array (k, d)
        θ̂ of each problem: coefficients, then the intercept.
    influence : array (k, d)
        dθ/dε of each problem (Theorem 4.1).
    sensitivity_coefficient : array (k,)
        S/ε² = ½ IᵀH_eI on each problem's own rows (eq. 4).
    value_derivative : array (k,)
        s E‖∇_x ℓ‖_q, d/dε of the robust optimum.
    radius : array (k,)
        s.
    p : float
    n_iter, reasons
        As of `BatchFit`.
    """

    influence: Array
    sensitivity_coefficient: Array
    value_derivative: Array
    radius: Array
    p: float

    def sensitivity(self, eps: ArrayLike) -> Array:
        """S_ε = ½ ε² IᵀH_eI of each problem.

        Parameters
        ----------
        eps : float or array

        Returns
        -------
        array (k,), or (k, n_eps) for an array
        """
        radii = validation.radii(eps)
        return np.multiply.outer(self.sensitivity_coefficient, radii**2)

    def predict_params(self, eps: float) -> Array:
        """θ̂ + εI, (k, d)."""
        return self.params + validation.number(eps, "eps", low=0.0) * self.influence

    def to_frame(self) -> pd.DataFrame:
        """A row a problem: sensitivity_coefficient, value_derivative, radius, n_iter, reason."""
        import pandas as pd

        names = ("sensitivity_coefficient", "value_derivative", "radius", "n_iter")
        columns = {name: getattr(self, name) for name in names}
        return pd.DataFrame({**columns, "reason": list(self.reasons)})


def fit_batch(
    estimator: Any,
    X: MatrixLike,
    y: TargetsLike,
    sample_weight: WeightsLike = None,
    *,
    n_threads: int | None = None,
) -> BatchFit:
    """Fit one kind of model to many small independent data sets.

    Parameters
    ----------
    estimator
        One of fastaif's linear predictors, LinearRegression for example, which need not
        be fitted: its alpha, fit_intercept and delta are those of every problem.
    X : array (k, n, m), or list of k arrays (n_i, m)
        float64 or float32.
    y : array (k, n), or list of k arrays (n_i,)
        Labels of a classifier are two in all, and both occur in each problem.
    sample_weight : array (k, n), or list of k arrays (n_i,), optional
    n_threads : int, optional
        All cores by default. The results do not depend on it.

    Returns
    -------
    BatchFit
        A problem that cannot be fitted (a singular Hessian, separable classes, NaN) has NaN for
        parameters and says why in `reasons`; the others do not notice.

    Raises
    ------
    TypeError, ValueError
        For arguments that are wrong for all problems.

    Examples
    --------
    >>> import numpy as np
    >>> import fastaif as fa
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(1000, 50, 3))
    >>> y = X @ [1.0, -2.0, 0.5] + rng.normal(size=(1000, 50))
    >>> fa.fit_batch(fa.LinearRegression(), X, y).params.shape
    (1000, 4)
    """
    data, loss, model = _prepared(estimator, X, y, sample_weight)
    m = data.rows.x.shape[1]
    attacks = Threat(radius=1.0, attack_space="raw").attack_set(Linear(), _names(m))
    params, _, _, status = _run(data, model, _attack(attacks), n_threads)
    return BatchFit(params, status[:, 1], _reasons(data, loss, status))


def aif_batch(
    estimator: Any,
    X: MatrixLike,
    y: TargetsLike,
    *,
    p: float = 2,
    radius: str | float = "mean_norm",
    feature_scale: ScaleLike = None,
    attackable: AttackableLike = None,
    sample_weight: WeightsLike = None,
    damping: float = 0.0,
    n_threads: int | None = None,
) -> BatchInfluence:
    """Fits and adversarial influences of many small independent data sets.

    Each problem is what ``aif(estimator.fit(X[b], y[b]), X[b], y[b])`` computes, at order inf: the
    influence I = −H⁻¹Φ (Theorem 4.1, eq. 5 of Deng, Dwork, Wang & Zhang, 2020) at its own optimum.
    Compiled code takes one problem after the other, on each core.

    Parameters
    ----------
    estimator, X, y, sample_weight
        As of `fit_batch`.
    p : float in [1, inf], default 2
        The attack's norm.
    radius : "mean_norm" or float, default "mean_norm"
        s: each problem's own E‖x/c‖_p, or a number for all.
    feature_scale, attackable
        As in `aif`, the same for all problems; names are x0, x1, ….
    damping : float, default 0.0
        Added to the diagonal of each H.
    n_threads : int, optional
        All cores by default. The results do not depend on it.

    Returns
    -------
    BatchInfluence
        A problem that `aif` would refuse has NaN, and says why in `reasons`.

    Raises
    ------
    TypeError, ValueError
        For arguments that are wrong for all problems.

    Examples
    --------
    >>> import numpy as np
    >>> import fastaif as fa
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(1000, 50, 3))
    >>> y = X @ [1.0, -2.0, 0.5] + rng.normal(size=(1000, 50))
    >>> result = fa.aif_batch(fa.LinearRegression(), X, y, p=2)
    >>> result.sensitivity([0.01, 0.05]).shape
    (1000, 2)
    """
    data, loss, model = _prepared(estimator, X, y, sample_weight)
    damping = validation.number(damping, "damping", low=0.0)
    m = data.rows.x.shape[1]
    threat = Threat(p, math.inf, radius, feature_scale, attackable, "raw")
    attacks = threat.attack_set(Linear(), _names(m))
    model = model._replace(damping=damping, wants_influence=True)
    params, influence, numbers, status = _run(data, model, _attack(attacks), n_threads)
    coefficient, derivative, radii = numbers.T
    return BatchInfluence(
        params, status[:, 1], _reasons(data, loss, status), influence, coefficient, derivative,
        radii, threat.p,
    )  # fmt: skip


# --- arguments and chunks ---------------------------------------------------------------------


def _prepared(
    estimator: Any, X: Any, y: Any, sample_weight: Any
) -> tuple[BatchRows, Loss, c.BatchModel]:
    """Checked rows, and what all problems share."""
    if type(estimator) not in _KINDS:
        known = ", ".join(kind.__name__ for kind in _KINDS)
        raise TypeError(
            f"a batch takes one of fastaif's {known}, but was given "
            f"{type(estimator).__module__}.{type(estimator).__name__}"
        )
    alpha, l1 = estimator.penalties()
    if l1 > 0.0:
        raise ValueError(
            "a batch takes no l1 penalty: use l1_ratio=0, or fit(X[b], y[b]) one by one"
        )
    loss: Loss = estimator.loss_description()
    data = batch_rows(X, y, sample_weight, loss.encode)
    intercept = bool(estimator.fit_intercept)
    return data, loss, c.BatchModel(loss.code, loss.parameter, alpha, 0.0, intercept, False)


def _names(m: int) -> tuple[str, ...]:
    return tuple(f"x{j}" for j in range(m))


def _attack(attacks: AttackSet) -> c.BatchAttack:
    attack, norm = attacks.compiled(), attacks.compiled_norm()
    inverse = norm.inverse_scale if norm.inverse_scale.size else np.ones(attack.weights.size)
    radius = 0.0 if attacks.radius is None else float(attacks.radius)
    return c.BatchAttack(attack.p, radius, attack.weights, read_only(inverse))


def _run(
    data: BatchRows, model: c.BatchModel, attack: c.BatchAttack, n_threads: int | None
) -> c.BatchFound:
    """The compiled loop over chunks of problems."""
    k, m = len(data.spans), data.rows.x.shape[1]
    d, ends = m + int(model.fit_intercept), data.spans[:, 1]
    found = c.BatchFound(
        np.empty((k, d)), np.empty((k, d)), np.empty((k, 3)), np.empty((k, 2), dtype=np.int64)
    )
    entries, operation = int(ends[-1]) * m, get("linear_batch")
    marks = np.arange(_ENTRIES // m, ends[-1], max(_ENTRIES // m, 1))
    edges = np.unique([0, *np.searchsorted(ends, marks), k])

    def task(i: int) -> None:
        part = slice(int(edges[i]), int(edges[i + 1]))
        written = c.BatchFound(*(array[part] for array in found))
        operation(data.rows, data.spans[part], model, attack, written)

    threads = parallel.resolve_threads(validation.threads(n_threads), entries)
    with single_threaded_blas():
        parallel.for_each(len(edges) - 1, task, threads)
    return found


# --- what failed ------------------------------------------------------------------------------

_REASONS = {
    c.SINGULAR: "the Hessian is singular; alpha > 0 makes it definite",
    c.FLAT: "the Hessian is singular; alpha > 0 or damping > 0 makes it definite",
    c.NO_RADIUS: "every row of X is zero: give a radius",
    c.NO_GRADIENT: "every sample's input gradient is zero: no first-order attack exists",
}


def _reasons(data: BatchRows, loss: Loss, status: Array) -> tuple[str, ...]:
    """Why each problem failed; empty where it did not."""
    reasons = [""] * len(status)
    for b in np.flatnonzero(status[:, 0] != c.FOUND):
        reasons[b] = _at_fault(data, loss, int(b)) or _REASONS.get(
            int(status[b, 0]), f"not converged after {status[b, 1]} Newton steps; try alpha > 0"
        )
    return tuple(reasons)


def _at_fault(data: BatchRows, loss: Loss, b: int) -> str:
    """What is wrong with the data of a problem that failed, if anything is."""
    rows = slice(*data.spans[b])
    x, y, w = data.rows.x[rows], data.rows.y[rows], data.rows.weight[rows]
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return "X or y contains NaN or infinity"
    if w.size and not w.any():
        return "sample_weight is zero for every sample"
    if loss.has_labels and len(np.unique(y[w > 0] if w.size else y)) < 2:
        return "y has one class only"
    return ""
