"""`robust_path`: the robust optimum at every ε."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..families.registry import adversary_of
from ..influence.path import RobustPath
from ..threat.threat import Threat
from ..utils import validation
from ..utils.arrays import unwritable
from ..utils.inputs import (
    AttackableLike,
    BoundsLike,
    GroupsLike,
    MatrixLike,
    ScaleLike,
    TargetsLike,
    WeightsLike,
)
from ..utils.warnings import SolverWarning, warn
from .prepare import prepare

Array = NDArray[Any]


def robust_path(
    estimator: Any,
    X: MatrixLike,
    y: TargetsLike,
    eps: ArrayLike = 0.3,
    *,
    p: float = 2,
    order: float = math.inf,
    radius: str | float = "mean_norm",
    feature_scale: ScaleLike = None,
    attackable: AttackableLike = None,
    attack_space: str = "scaled",
    sample_weight: WeightsLike = None,
    tol: float = 1e-8,
    n_threads: int | None = None,
    checkpoint: Any = None,
    formula: str = "exact",
    bounds: BoundsLike = None,
    budgets: ArrayLike | None = None,
    metric: ArrayLike | None = None,
    groups: GroupsLike = None,
) -> RobustPath:
    """Adversarial training at every ε: ``θ_ε = argmin E max ℓ(f_θ(x + δ), y) + α ‖β‖²``.

    Of linear predictors a path follows the derivative dθ_ε/dε, with every kink (a sample whose
    attack turns round, a coefficient that becomes zero or the largest) solved for; a hundred radii
    take about as many passes over the data as a few robust fits, and for the squared error two that
    build a Hessian. Of other models it is fits from the least ε up, each from the one before.

    Parameters
    ----------
    estimator
        A fitted model (see `aif`).
    X : array (n, m)
    y : array (n,)
    eps : float or array (k,), default 0.3
        A number: the end of the range, in units of the radius s; nodes are chosen. Radii: they are
        the nodes, 0 before them.
    p, order, radius, feature_scale, attackable, attack_space, sample_weight
        As in `aif`.
    tol : float, default 1e-8
        Of the objective: how far above its minimum, relative to it, an optimum may be.
    n_threads : int, optional
    checkpoint : path, optional
        As in `robust_fit`: a file that keeps the Hessians of an interrupted path.
    formula : {"exact", "ball"}, default "exact"
        As in `robust_fit`.
    bounds, budgets, metric, groups
        As in `aif`.

    Returns
    -------
    RobustPath

    Warns
    -----
    SolverWarning
        Some optimum is not within the tolerance.

    See Also
    --------
    robust_fit : at single radii.
    aif : the path's tangent at ε = 0.

    Notes
    -----
    What is minimised is convex for linear predictors, bases and fixed kernels; for networks,
    kernels with moving centres and models of your own the path is one of local optima near θ̂, and
    `RobustPath.is_local` says so.

    Examples
    --------
    >>> import fastaif as fa
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> path = fa.robust_path(fa.LinearRegression().fit(X, y), X, y, eps=0.1)
    >>> path.params_at(0.05).shape
    (11,)
    >>> bool(path.cost(0.05) < path.cost(0.1))
    True
    """
    radii = validation.sizes(eps, some=True)
    tol = validation.number(tol, "tol", low=0.0, strict=True)
    validation.option(formula, "formula", ["exact", "ball"])
    threat = Threat(
        p, order, radius, feature_scale, attackable, attack_space, formula, bounds, budgets, metric,
        groups,
    )  # fmt: skip
    problem = prepare(
        estimator, X, y, threat, sample_weight=sample_weight, n_threads=n_threads
    )  # fmt: skip
    adversary = adversary_of(problem)
    if checkpoint is not None and not adversary.supports_checkpoint:
        raise ValueError(
            "checkpoint is for models with linear predictors, whose robust fits see the rows "
            f"through sums alone: not for a {problem.model.kind} model of this order"
        )
    identity = repr((tuple(radii), tol, problem.radius, problem.params.tobytes()))
    with (
        problem.executor.watching("robust path"),
        problem.executor.keeping(checkpoint, problem.source, identity),
    ):
        asked = radii if np.ndim(eps) else []
        solver = adversary.path(max(radii, default=0.0), tol, asked)
        nodes = solver.nodes(radii[0]) if np.ndim(eps) == 0 else np.union1d(0.0, radii)
        path = RobustPath(unwritable(nodes), problem, solver, tol, not adversary.is_convex, {})
        _ = path.params
    if not path.converged:
        warn(
            "some robust optima of the path are not within the tolerance: path.gap(path.eps) says "
            "how far each is from the minimum",
            SolverWarning,
        )
    return path
