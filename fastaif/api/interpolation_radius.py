"""`interpolation_radius`: up to where robust training changes nothing of a wide model."""

from __future__ import annotations

from typing import Any

from ..data.checked_rows import locating
from ..families.registry import adversary_of
from ..threat.threat import Threat
from ..utils.inputs import AttackableLike, MatrixLike, ScaleLike, TargetsLike, WeightsLike
from .prepare import prepare


def interpolation_radius(
    estimator: Any,
    X: MatrixLike,
    y: TargetsLike,
    *,
    p: float = 2,
    radius: str | float = "mean_norm",
    feature_scale: ScaleLike = None,
    attackable: AttackableLike = None,
    attack_space: str = "scaled",
    sample_weight: WeightsLike = None,
    n_threads: int | None = None,
) -> float:
    """The ε up to which the robust optimum still fits every target exactly.

    With fewer rows than parameters and no penalty it is the interpolating θ of least ‖D β‖_q there,
    the same at every such ε: neither cost nor influence.

    Parameters
    ----------
    estimator
        A fitted linear predictor with a squared-error or Huber loss (see `aif`).
    X : array (n, m)
    y : array (n,)
    p : {1, 2, inf}, default 2
    radius, feature_scale, attackable, attack_space, sample_weight
        As in `aif`; order inf.
    n_threads : int, optional

    Returns
    -------
    float
        In units of the radius s; 0 where no θ fits every target, and with a penalty.

    Raises
    ------
    ValueError
        The model is no linear predictor, its loss is not of the residual, or p is another.

    References
    ----------
    Ribeiro, Zachariah, Bach & Schön, *Regularization properties of adversarially-trained linear
    regression*, NeurIPS 2023.

    Examples
    --------
    >>> import numpy as np
    >>> import fastaif as fa
    >>> X, y = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]]), np.array([1.0, -1.0])
    >>> from sklearn.linear_model import LinearRegression
    >>> model = LinearRegression(fit_intercept=False).fit(X, y)
    >>> eps = fa.interpolation_radius(model, X, y, radius=1.0)
    >>> bool(fa.robust_path(model, X, y, [0.99 * eps], radius=1.0).cost(0.99 * eps) < 1e-12)
    True
    """
    threat = Threat(p, float("inf"), radius, feature_scale, attackable, attack_space)
    problem = prepare(
        estimator, X, y, threat, sample_weight=sample_weight, n_threads=n_threads, only_radius=True
    )  # fmt: skip
    with problem.executor.watching("interpolation radius"), locating(problem.source):
        return adversary_of(problem).interpolation_radius()
