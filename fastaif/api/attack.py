"""`attack` and `adversarial_loss`: the inputs an adversary would choose, and their loss."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..data.checked_rows import locating
from ..data.intake import Intake
from ..data.sources import LazyRows
from ..families.adversary import Adversary
from ..families.registry import adversary_of
from ..threat.ascent_settings import ENOUGH, PgdSettings
from ..threat.rounding import round_towards
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


def attack(
    estimator: Any,
    X: MatrixLike,
    y: TargetsLike,
    eps: float,
    *,
    p: float = 2,
    order: float = math.inf,
    radius: str | float = "mean_norm",
    feature_scale: ScaleLike = None,
    attackable: AttackableLike = None,
    attack_space: str = "scaled",
    sample_weight: WeightsLike = None,
    method: str = "auto",
    n_steps: int = 40,
    step: float | None = None,
    n_restarts: int = 1,
    random_state: RandomState = None,
    bounds: BoundsLike = None,
    budgets: ArrayLike | None = None,
    metric: ArrayLike | None = None,
    groups: GroupsLike = None,
) -> Any:
    """The worst inputs within ``‖δ_i/c‖_p ≤ ε s`` of each sample.

    Parameters
    ----------
    estimator
        A fitted model (see `aif`).
    X : array (n, m)
        s = E‖x/c‖_p is computed on these rows.
    y : array (n,)
    eps : float
    p, order, radius, feature_scale, attackable, attack_space, sample_weight
        As in `aif`; weights enter s, and what each sample's share of a budget costs. At
        finite orders attacks on linear predictors are exact for order 1, and for the squared
        error at order 2; others are ascents to stationary points.
    method : {"auto", "exact", "pgd"}, default "auto"
        "exact" is the closed form ``x ± ε s φ_c(∇_x f)`` for a linear predictor, and a
        trust-region subproblem a sample for the quadratic basis, and for several outputs, with
        p = 2; of these and of softmax models the best vertex for p = 1, of two outputs, or with
        at most eight features, the best corner for p = ∞. "pgd" is
        projected gradient ascent. "auto" is "exact" where there is one, else "pgd" with
        at least two starts. Kernel regressions with moving centres are attacked at all
        inputs at once, on the whole objective, by steps towards ``ε s φ_c(∇_x L)``;
        a DifferentiableModel each by itself, by steps towards ``ε s φ_c(∇_x ℓ_i)``.
    n_steps, step, n_restarts
        Projected gradient ascent: steps, their length in units of ε s (2.5 / n_steps by
        default; for basis models, where they adapt, 2 for the first; for networks they adapt
        as well, and the first ones, unless `step` is given, go to ``ε s φ_c(∇_x ℓ)``), and
        starts (the sample itself, the antipode of where that led, then random points of the
        ball).
    random_state : int, RandomState, Generator or None
        Draws the random starts: the same for each row whatever the blocks and threads.
    bounds, budgets, metric, groups
        As in `aif`. Attacked inputs never leave the bounds, nor the set, in their own type.

    Returns
    -------
    X_adv : array (n, m)
        In the type of X (float64 for integers); a pandas frame if X is one, whose columns of
        floats keep their own types (with a metric all are float64 unless all are of another type).
    """
    threat = Threat(
        p, order, radius, feature_scale, attackable, attack_space,
        bounds=bounds, budgets=budgets, metric=metric, groups=groups,
    )  # fmt: skip
    adversary, eps, settings = _prepare_attack(
        estimator, X, y, threat, sample_weight, eps, method, n_steps, step, n_restarts,
        random_state,
    )  # fmt: skip
    if isinstance(adversary.problem.source.x, LazyRows):
        raise TypeError(
            "X is read block by block, but attacked inputs are an array of its whole shape: attack "
            "it block by block, with radius set to that of the whole (aif(...).radius)"
        )
    attacked = adversary.attacked(adversary.problem.params, eps, settings)
    out = like(X, attacked, adversary.problem.model.intake)
    return out if metric is not None else _in_own_types(X, out)


def adversarial_loss(
    estimator: Any,
    X: MatrixLike,
    y: TargetsLike,
    eps: float,
    *,
    p: float = 2,
    order: float = math.inf,
    radius: str | float = "mean_norm",
    feature_scale: ScaleLike = None,
    attackable: AttackableLike = None,
    attack_space: str = "scaled",
    sample_weight: WeightsLike = None,
    method: str = "auto",
    n_steps: int = 40,
    step: float | None = None,
    n_restarts: int = 1,
    random_state: RandomState = None,
    formula: str = "exact",
    bounds: BoundsLike = None,
    budgets: ArrayLike | None = None,
    metric: ArrayLike | None = None,
    groups: GroupsLike = None,
) -> float:
    """The mean loss under attack, ``E max ℓ(f(x + δ), y)``, without penalty.

    The parameters are those of `attack`, and `formula`; the mean is weighted by `sample_weight`.

    Parameters
    ----------
    formula : {"exact", "ball"}, default "exact"
        "ball", with order=1: ``E ℓ + ε s Lip(ℓ) ‖c∘β‖_q``, the worst mean over distributions in the
        Wasserstein ball, which may split samples; for linear predictors and losses that are
        Lipschitz in f (logistic, Huber).

    Returns
    -------
    float
        In units of the loss (the squared error has no factor ½).
    """
    validation.option(formula, "formula", ["exact", "ball"])
    threat = Threat(
        p, order, radius, feature_scale, attackable, attack_space, formula, bounds, budgets, metric,
        groups,
    )  # fmt: skip
    adversary, eps, settings = _prepare_attack(
        estimator, X, y, threat, sample_weight, eps, method, n_steps, step, n_restarts,
        random_state,
    )  # fmt: skip
    with locating(adversary.problem.source):
        return adversary.loss(adversary.problem.params, eps, settings)


def _prepare_attack(
    estimator: Any, X: Any, y: Any, threat: Threat, sample_weight: Any, eps: Any, method: Any,
    n_steps: Any, step: Any, n_restarts: Any, random_state: Any,
) -> tuple[Adversary[Any], float, PgdSettings | None]:  # fmt: skip
    """Checked arguments; settings are None where the closed form is used."""
    eps = validation.number(eps, "eps", low=0.0)
    validation.option(method, "method", ["auto", "exact", "pgd"])
    settings = PgdSettings(
        validation.count(n_steps, "n_steps"),
        None if step is None else validation.number(step, "step", low=0.0, strict=True),
        validation.count(n_restarts, "n_restarts"),
        validation.seed(random_state),
        ENOUGH,
    )
    problem = prepare(estimator, X, y, threat, sample_weight=sample_weight, only_radius=True)
    adversary = adversary_of(problem)
    adversary.refuse(method)
    if adversary.has_exact and method != "pgd":
        return adversary, eps, None
    if method == "auto":  # two starts find both ends of the range of f
        settings = dataclasses.replace(settings, n_restarts=max(settings.n_restarts, 2))
    return adversary, eps, settings


def like(X: Any, out: Any, intake: Intake | None = None) -> Any:
    """A pandas frame for a pandas frame; with an intake `out` are the columns that it made of X."""
    if intake is not None:
        return intake.write(X, out)
    if type(X).__module__.split(".")[0] == "pandas":
        return type(X)(out, columns=X.columns, index=X.index)
    return out


def _in_own_types(X: Any, out: Any) -> Any:
    """A frame's columns of shorter floats, beside which others made float64 of them, as they were.

    Each cell is rounded towards the sample's: entry by entry, no attack is longer.
    """
    if not hasattr(X, "iloc"):
        return out
    for k, (own, found) in enumerate(zip(X.dtypes, out.dtypes, strict=True)):
        if isinstance(own, np.dtype) and own.kind == "f" and own.itemsize < found.itemsize:
            cells = (frame.iloc[:, [k]].to_numpy() for frame in (X, out))
            out.isetitem(k, round_towards(*cells)[:, 0])
    return out
