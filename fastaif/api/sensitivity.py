"""`sensitivity`: what adversarial training costs in clean loss, predicted or exact."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.checked_rows import evaluation_rows, locating
from ..data.rows import RowSource
from ..families.problem import InfluenceProblem
from ..families.registry import adversary_of
from ..influence.verification import warn_if_unsolved
from ..threat.threat import Threat
from ..utils import validation
from ..utils.inputs import (
    AttackableLike,
    BoundsLike,
    GroupsLike,
    MatrixLike,
    ScaleLike,
    TargetsLike,
    WeightsLike,
)
from .aif import influence_of
from .prepare import prepare

Array = NDArray[Any]


def sensitivity(
    estimator: Any,
    X: MatrixLike,
    y: TargetsLike,
    eps: ArrayLike,
    *,
    X_eval: Any = None,
    y_eval: Any = None,
    method: str = "aif",
    p: float = 2,
    order: float = math.inf,
    radius: str | float = "mean_norm",
    feature_scale: ScaleLike = None,
    attackable: AttackableLike = None,
    attack_space: str = "scaled",
    sample_weight: WeightsLike = None,
    expansion: str = "auto",
    progress: bool = True,
    bounds: BoundsLike = None,
    budgets: ArrayLike | None = None,
    metric: ArrayLike | None = None,
    groups: GroupsLike = None,
) -> Any:
    """The ε-sensitivity (Definition 3.1): ``S_ε = E_e ℓ(θ_ε) − E_e ℓ(θ̂)``.

    Parameters
    ----------
    estimator
        A fitted model (see `aif`).
    X, y : arrays (n, m), (n,)
        The data of the fit.
    eps : float or array
    X_eval, y_eval : arrays, optional
        Where the clean loss is measured, unweighted; the training data by default.
    method : {"aif", "quadratic", "exact"}, default "aif"
        "aif": from the influence, without a robust fit (eq. 4, or better: see `expansion`).
        "quadratic": eq. 3,
        ``½ ΔᵀH_eΔ`` with the robust optimum's Δ = θ_ε − θ̂. "exact": the mean of the
        per-sample differences of the loss.
    p, order, radius, feature_scale, attackable, attack_space, sample_weight
        As in `aif`.
    expansion : {"auto", "norm", "quadratic", "taylor"}, default "auto"
        For "aif" as in `InfluenceResult.sensitivity`: "auto" keeps the bend of the norm where
        that can be had, "quadratic" is eq. 4. For "quadratic", whose "auto" is "quadratic",
        "taylor" adds the gradient's term ``g_eᵀΔ``, without which it does not approximate S on
        held-out data or with alpha > 0.
    progress : bool, default True
        A progress bar over eps where that takes more than a second on a terminal.
    bounds, budgets, metric, groups
        As in `aif`. There is then no expansion that keeps the norm: "auto" is "taylor".

    Returns
    -------
    float or array
        Shaped like `eps`, in units of the loss.
    """
    validation.option(method, "method", ["aif", "quadratic", "exact"])
    if method == "aif":
        validation.option(expansion, "expansion", ["auto", "norm", "quadratic", "taylor"])
    else:
        validation.option(expansion, "expansion", ["auto", "quadratic", "taylor"])
    radii = validation.radii(eps)
    threat = Threat(
        p, order, radius, feature_scale, attackable, attack_space,
        bounds=bounds, budgets=budgets, metric=metric, groups=groups,
    )  # fmt: skip
    if method == "aif":
        result = influence_of(estimator, X, y, threat, sample_weight)
        return result.sensitivity(eps, X_eval, y_eval, expansion=expansion)
    problem = prepare(estimator, X, y, threat, sample_weight=sample_weight)
    source = None
    if X_eval is not None or y_eval is not None:
        source = evaluation_rows(problem.model, X_eval, y_eval, "X_eval")
    values = np.empty(radii.size)
    for k, e in enumerate(_with_progress(radii.ravel(), progress)):
        values[k] = _change(problem, float(e), source, method, expansion)
    return float(values[0]) if np.ndim(eps) == 0 else values.reshape(radii.shape)


def _with_progress(radii: Array, progress: bool) -> Any:
    from tqdm import tqdm

    # disable=None: only on a terminal.
    return tqdm(radii, "robust fits", delay=1.0, leave=False, disable=None if progress else True)


def _change(
    problem: InfluenceProblem, eps: float, source: RowSource | None, method: str, expansion: str
) -> float:
    solution = adversary_of(problem).robust_fit(eps)
    warn_if_unsolved(solution)
    source = problem.evaluation if source is None else source
    with locating(source):
        if method == "exact":
            return problem.loss_change(solution.theta, source)
        slope, curvature = problem.along(solution.theta - problem.params, source)
    return 0.5 * curvature + (slope if expansion == "taylor" else 0.0)
