"""`robust_fit`: the robust optimum itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, overload

from numpy.typing import ArrayLike, NDArray

from ..families.problem import InfluenceProblem
from ..families.registry import adversary_of
from ..influence.verification import RobustFit, make_robust_fit, warn_if_unsolved
from ..threat.threat import Threat
from ..utils import validation
from ..utils.inputs import (
    AttackableLike,
    BoundsLike,
    GroupsLike,
    MatrixLike,
    RandomState,
    ScaleLike,
    TargetsLike,
    WeightsLike,
)
from .prepare import prepare

Array = NDArray[Any]


@overload
def robust_fit(
    estimator: Any, X: MatrixLike, y: TargetsLike, eps: float, *,
    p: float = ..., order: float = ..., radius: str | float = ..., feature_scale: ScaleLike = ...,
    attackable: AttackableLike = ..., attack_space: str = ..., sample_weight: WeightsLike = ...,
    method: str = ..., tol: float = ..., max_iter: int | None = ...,
    random_state: RandomState = ..., n_threads: int | None = ..., checkpoint: Any = ...,
    formula: str = ...,
    bounds: BoundsLike = ..., budgets: ArrayLike | None = ..., metric: ArrayLike | None = ...,
    groups: GroupsLike = ...,
) -> RobustFit: ...  # fmt: skip


@overload
def robust_fit(
    estimator: Any, X: MatrixLike, y: TargetsLike, eps: Sequence[float] | Array, *,
    p: float = ..., order: float = ..., radius: str | float = ..., feature_scale: ScaleLike = ...,
    attackable: AttackableLike = ..., attack_space: str = ..., sample_weight: WeightsLike = ...,
    method: str = ..., tol: float = ..., max_iter: int | None = ...,
    random_state: RandomState = ..., n_threads: int | None = ..., checkpoint: Any = ...,
    formula: str = ...,
    bounds: BoundsLike = ..., budgets: ArrayLike | None = ..., metric: ArrayLike | None = ...,
    groups: GroupsLike = ...,
) -> list[RobustFit]: ...  # fmt: skip


def robust_fit(
    estimator: Any,
    X: MatrixLike,
    y: TargetsLike,
    eps: float | Sequence[float] | Array,
    *,
    p: float = 2,
    order: float = math.inf,
    radius: str | float = "mean_norm",
    feature_scale: ScaleLike = None,
    attackable: AttackableLike = None,
    attack_space: str = "scaled",
    sample_weight: WeightsLike = None,
    method: str = "auto",
    tol: float = 1e-12,
    max_iter: int | None = None,
    random_state: RandomState = None,
    n_threads: int | None = None,
    checkpoint: Any = None,
    formula: str = "exact",
    bounds: BoundsLike = None,
    budgets: ArrayLike | None = None,
    metric: ArrayLike | None = None,
    groups: GroupsLike = None,
) -> RobustFit | list[RobustFit]:
    """Train adversarially: ``argmin E max ℓ(f_θ(x + δ), y) + α ‖β‖²`` over ‖δ/c‖_p ≤ ε s.

    Parameters
    ----------
    estimator
        A fitted model (see `aif`); its parameters are the start.
    X : array (n, m)
    y : array (n,)
    eps : float or array (k,)
        ε ≥ 0, in units of the radius s. Several are solved from the least up; exact fits of linear
        predictors start at the optimum of the one before, which saves passes where features are
        nearly collinear or the radii close.
    p, order, radius, feature_scale, attackable, attack_space, sample_weight
        As in `aif`. Finite orders are for linear predictors; "auto" then solves the dual of the
        attack, in which the budget has a price and the problem is convex in θ and the price
        together, to the same tolerance as at order inf. Where at the optimum the best move of some
        samples jumps (losses that grow faster than the budget's power: Poisson, orders near 1),
        `gap` bounds how far the objective may be above its least, and the fit says so. "exact"
        covers order 1 for every loss, and order 2 for the squared error.
    method : {"auto", "exact", "pgd"}, default "auto"
        "exact": the inner maximum is ``max ℓ(f ± ε s ‖c ∘ ∇_x f‖_q)`` for a linear
        predictor and any loss convex in f, and from trust-region subproblems for the
        quadratic basis with p = 2; the convex outer problem is solved to `tol`. "pgd": the
        paper's projected gradient ascent inside, quasi-Newton outside. "auto" is "exact"
        where there is one; for other bases and norms ascent inside towards both ends of the
        range of f, and the same outer method as for "exact". For a DifferentiableModel the
        answer is a local optimum near θ̂ by either: gradient steps inside, Newton's
        outside with the natural Hessian, then quasi-Newton ones where these do not converge.
    tol : float, default 1e-12
        Bound on the least subgradient's norm relative to ``E |ℓ'| ‖(v, 1)‖``. For a linear
        predictor a tolerance of 1e-9 or more also bounds the relative duality gap, and the
        fit ends as soon as that is proven: 1e-4 takes fewer passes than 1e-12. With the
        quadratic basis a fit also counts as converged where its relative gap is proven to
        be below 1e-9: at kinks the residual says little.
    max_iter : int, optional
        Passes over the data that build a Hessian ("exact", 1,000; fits of linear predictors
        take some 5 to 25) or outer iterations ("pgd", 1,000).
    random_state : int, RandomState, Generator or None
        Of "pgd": with a seed every ascent starts from three points, the sample, the antipode of
        where that led and a random point of the ball, the same in every iteration. With None
        ascents start at the samples themselves (for networks at the antipodes as well). The
        other methods draw nothing.
    n_threads : int, optional
    checkpoint : path, optional
        A file of your own, in which the sums of each pass are kept, for models with linear
        predictors; reading it runs no code. A fit that was interrupted, called again with the same
        arguments, takes them from there and goes on; the file is deleted at the end.

    formula : {"exact", "ball"}, default "exact"
        "ball", with order=1: the Wasserstein ball itself, whose distributions may split samples:
        ``E ℓ + ε s Lip(ℓ) ‖c∘β‖_q``, for losses that are Lipschitz in f (logistic, Huber).
    bounds, budgets, metric, groups
        As in `aif`.

    Returns
    -------
    RobustFit, or a list of them in the order of `eps`

    Warns
    -----
    SolverWarning
        The tolerance was not reached.

    Examples
    --------
    >>> import fastaif as fa
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> fits = fa.robust_fit(fa.LinearRegression().fit(X, y), X, y, [0.05, 0.01])
    >>> [fit.eps for fit in fits]
    [0.05, 0.01]
    >>> fits[0].objective > fits[1].objective
    True
    """
    radii = validation.sizes(eps)
    validation.option(method, "method", ["auto", "exact", "pgd"])
    tol = validation.number(tol, "tol", low=0.0, strict=True)
    limit = None if max_iter is None else validation.count(max_iter, "max_iter")
    validation.option(formula, "formula", ["exact", "ball"])
    threat = Threat(
        p, order, radius, feature_scale, attackable, attack_space, formula, bounds, budgets, metric,
        groups,
    )  # fmt: skip
    problem = prepare(
        estimator, X, y, threat, sample_weight=sample_weight, n_threads=n_threads
    )  # fmt: skip
    adversary = adversary_of(problem)
    adversary.refuse(method)
    if checkpoint is not None and not adversary.supports_checkpoint:
        raise ValueError(
            "checkpoint is for models with linear predictors, whose robust fits see the rows "
            f"through sums alone: not for a {problem.model.kind} model of this order"
        )
    seed = None if random_state is None else validation.seed(random_state)
    settings = adversary.training_settings(seed) if method == "pgd" else None
    identity = ""
    if checkpoint is not None:
        identity = _identity(problem, (tuple(radii), tol, limit, method, settings))
    with (
        problem.executor.watching("robust fit"),
        problem.executor.keeping(checkpoint, problem.source, identity),
    ):
        solutions = adversary.robust_fits(radii, tol, limit, settings)
    for solution in solutions:
        warn_if_unsolved(solution)
    fits = [make_robust_fit(problem, solution) for solution in solutions]
    return fits[0] if validation.is_single(eps) else fits


def _identity(problem: InfluenceProblem, options: tuple[Any, ...]) -> str:
    """What makes a robust fit the same one."""
    settings = (
        problem.model.kind, problem.radius, *problem.penalty_key, problem.sharing,
        problem.ball.fingerprint(), problem.params.tobytes(),
    )  # fmt: skip
    return repr((*options, *settings))
