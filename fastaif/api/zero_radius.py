"""`zero_radius`: from where on robust training leaves nothing to attack."""

from __future__ import annotations

import math
from typing import Any

from ..families.registry import adversary_of
from ..threat.threat import Threat
from ..utils.inputs import AttackableLike, MatrixLike, ScaleLike, TargetsLike, WeightsLike
from .prepare import prepare


def zero_radius(
    estimator: Any,
    X: MatrixLike,
    y: TargetsLike,
    *,
    p: float = 2,
    order: float = math.inf,
    radius: str | float = "mean_norm",
    feature_scale: ScaleLike = None,
    attackable: AttackableLike = None,
    attack_space: str = "scaled",
    sample_weight: WeightsLike = None,
    n_threads: int | None = None,
) -> float:
    """The ε from which the robust optimum has no attackable coefficient left.

    It is ``‖D⁻¹ E[ℓ'_i x_i]‖_p / (s E|ℓ'_i|)``, ℓ' at the best model without the attackable
    features: there the gradient in β is in the subdifferential at zero of the attack's dual norm.
    A quadratic penalty plays no part in it; an l1 penalty takes up to λ of each entry of
    ``E[ℓ'_i x_i]``. No robust training at any ε costs more than that model does.

    Parameters
    ----------
    estimator
        A fitted linear predictor (see `aif`).
    X : array (n, m)
    y : array (n,)
    p, order, radius, feature_scale, attackable, attack_space, sample_weight
        As in `aif`; order inf.
    n_threads : int, optional

    Returns
    -------
    float
        In units of the radius s, as every ε.

    Raises
    ------
    ValueError
        The model is no linear predictor, or samples share the budget.

    Examples
    --------
    >>> import numpy as np
    >>> import fastaif as fa
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> y = np.array([0.0, 1.0, 1.0, 2.0])
    >>> model = fa.LinearRegression().fit(X, y)
    >>> eps = fa.zero_radius(model, X, y, radius=1.0)
    >>> round(eps, 6)
    1.5
    >>> bool(abs(fa.robust_fit(model, X, y, 1.01 * eps, radius=1.0).params[0]) < 1e-9)
    True
    """
    threat = Threat(p, order, radius, feature_scale, attackable, attack_space)
    problem = prepare(
        estimator, X, y, threat, sample_weight=sample_weight, n_threads=n_threads, only_radius=True
    )  # fmt: skip
    with problem.executor.watching("zero radius"):
        return adversary_of(problem).zero_radius()
