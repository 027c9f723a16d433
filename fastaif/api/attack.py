"""`attack` and `adversarial_loss`: the inputs an adversary would choose, and their loss."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .._compute import types as c
from ..data.checked_rows import locating
from ..data.sources import LazyRows
from ..families.adversary import by_rows, has_exact_attacks, refuse_unknown_maximum
from ..families.autodiff.attack import attack_by_steps
from ..families.autodiff.problem import AutodiffProblem
from ..families.basis.attack import attack_by_ascent, attack_exactly
from ..families.basis.problem import BasisProblem
from ..families.basis.robust import adversarial_mean
from ..families.finite_sum.problem import SumProblem
from ..families.kernel.attack import attack_together, loss_together
from ..families.kernel.problem import GramProblem
from ..families.linear.attack import closed_form, projected_ascent
from ..families.linear.problem import LinearProblem
from ..families.linear.shared_attack import attack_shared, shared_loss
from ..families.network.attack import ascend
from ..families.network.problem import NetworkProblem
from ..families.problem import InfluenceProblem, number
from ..families.shared_ascent import (
    attack_autodiff,
    attack_basis,
    attack_gram,
    attack_network,
    loss_gram,
)
from ..threat.ascent_settings import PgdSettings
from ..threat.threat import Threat
from ..utils import validation
from .prepare import prepare

Array = NDArray[Any]


def attack(
    estimator: Any,
    X: Any,
    y: Any,
    eps: float,
    *,
    p: float = 2,
    order: float = math.inf,
    radius: str | float = "mean_norm",
    feature_scale: Any = None,
    attackable: Any = None,
    attack_space: str = "scaled",
    sample_weight: Any = None,
    method: str = "auto",
    n_steps: int = 40,
    step: float | None = None,
    n_restarts: int = 1,
    random_state: Any = None,
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
        trust-region subproblem a sample for the quadratic basis with p = 2. "pgd" is
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

    Returns
    -------
    X_adv : array (n, m)
        In the type of X (float64 for integers); a pandas frame if X is one.
    """
    threat = Threat(p, order, radius, feature_scale, attackable, attack_space)
    problem, eps, settings = _prepare_attack(
        estimator, X, y, threat, sample_weight, eps, method, n_steps, step, n_restarts,
        random_state,
    )  # fmt: skip
    if isinstance(problem.source.x, LazyRows):
        raise TypeError(
            "X is read block by block, but attacked inputs are an array of its whole shape: attack "
            "it block by block, with radius set to that of the whole (aif(...).radius)"
        )
    out = _attacked(problem, eps, settings)
    return _like(X, out)


def adversarial_loss(
    estimator: Any,
    X: Any,
    y: Any,
    eps: float,
    *,
    p: float = 2,
    order: float = math.inf,
    radius: str | float = "mean_norm",
    feature_scale: Any = None,
    attackable: Any = None,
    attack_space: str = "scaled",
    sample_weight: Any = None,
    method: str = "auto",
    n_steps: int = 40,
    step: float | None = None,
    n_restarts: int = 1,
    random_state: Any = None,
) -> float:
    """The mean loss under attack, ``E max ℓ(f(x + δ), y)``, without penalty.

    The parameters are those of `attack`; the mean is weighted by `sample_weight`.

    Returns
    -------
    float
        In units of the loss (the squared error has no factor ½).
    """
    threat = Threat(p, order, radius, feature_scale, attackable, attack_space)
    problem, eps, settings = _prepare_attack(
        estimator, X, y, threat, sample_weight, eps, method, n_steps, step, n_restarts,
        random_state,
    )  # fmt: skip
    with locating(problem.source):
        shared = problem.sharing.is_shared and isinstance(problem, LinearProblem)
        closed = settings is None or shared
        if closed or not isinstance(problem.source.x, LazyRows):
            return _loss(problem, eps, settings)
        return _loss_by_blocks(problem, eps, settings)


def _loss_by_blocks(
    problem: InfluenceProblem, eps: float, settings: PgdSettings | None
) -> float:
    """The same where attacked inputs would not fit in memory: a block at a time."""
    if problem.sharing.is_shared:
        raise TypeError(
            f"X is read block by block, but ascent at order={problem.sharing.order:g}, where all "
            "samples share a budget, moves all of its rows at once: give an array"
        )
    ball = problem.ball.with_radius(problem.radius)
    source, total, weight = problem.source, 0.0, 0.0
    for start, stop in source.chunks():
        w = source.weights(start, stop)
        heavy = float(w.sum()) if w.size else float(stop - start)
        if heavy > 0.0:
            part = source._replace(
                x=source.inputs(start, stop), y=source.y[start:stop], weight=w if w.size else None
            )
            block = dataclasses.replace(problem, source=part, ball=ball)
            total, weight = total + heavy * _loss(block, eps, settings), weight + heavy
    return total / weight


def _loss(problem: InfluenceProblem, eps: float, settings: PgdSettings | None) -> float:
    if problem.sharing.is_shared and isinstance(problem, LinearProblem | GramProblem):
        return _shared_loss(problem, eps, settings)
    if settings is None and isinstance(problem, BasisProblem):
        return adversarial_mean(problem, eps, has_exact_attacks(problem))
    if settings is None and isinstance(problem, LinearProblem):
        kappa = eps * problem.radius * problem.gain
        sums = problem.sweep.run(problem.params, c.NEED_LOSS, kappa=kappa)
    elif isinstance(problem, NetworkProblem) and not problem.sharing.is_shared:
        assert settings is not None
        f = ascend(problem, problem.params, eps, settings).f
        y = problem.source.targets()
        return number(problem.source.mean(problem.model.loss.value(f, y)))
    elif isinstance(problem, GramProblem):
        assert settings is not None
        return loss_together(problem, eps, settings)
    elif isinstance(problem, AutodiffProblem):
        attacked = problem.source._replace(x=_attacked(problem, eps, settings))
        return problem.mean_loss(problem.params, attacked)
    else:
        assert isinstance(problem, SumProblem)
        attacked = problem.source._replace(x=_attacked(problem, eps, settings))
        sweep = problem.model.sweep(attacked, None, problem.executor)
        sums = sweep.run(problem.params, c.NEED_LOSS)
    if not sums.is_finite:
        raise FloatingPointError("sums are not finite")
    return sums.loss


def _prepare_attack(
    estimator: Any, X: Any, y: Any, threat: Threat, sample_weight: Any, eps: Any, method: Any,
    n_steps: Any, step: Any, n_restarts: Any, random_state: Any,
) -> tuple[InfluenceProblem, float, PgdSettings | None]:  # fmt: skip
    """Checked arguments; settings are None where the closed form is used."""
    eps = validation.number(eps, "eps", low=0.0)
    validation.option(method, "method", ["auto", "exact", "pgd"])
    settings = PgdSettings(
        validation.count(n_steps, "n_steps"),
        None if step is None else validation.number(step, "step", low=0.0, strict=True),
        validation.count(n_restarts, "n_restarts"),
        validation.seed(random_state),
    )
    problem = prepare(estimator, X, y, threat, sample_weight=sample_weight, only_radius=True)
    refuse_unknown_maximum(problem, method)
    if isinstance(problem, GramProblem) and not problem.model.moving:
        problem = by_rows(problem)
    if has_exact_attacks(problem) and method != "pgd":
        return problem, eps, None
    if method == "auto":  # two starts find both ends of the range of f
        settings = dataclasses.replace(settings, n_restarts=max(settings.n_restarts, 2))
    return problem, eps, settings


def _attacked(problem: InfluenceProblem, eps: float, settings: PgdSettings | None) -> Array:
    x = problem.source.x
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
    out = np.empty(x.shape, dtype=dtype)
    with locating(problem.source):
        _write_attacks(problem, eps, settings, out)
        if not np.isfinite(out).all():
            raise FloatingPointError("attacked inputs are not finite")
    return out


def _write_attacks(
    problem: InfluenceProblem, eps: float, settings: PgdSettings | None, out: Array
) -> None:
    theta = problem.params
    if problem.sharing.is_shared:
        _write_shared(problem, eps, settings, out)
    elif isinstance(problem, LinearProblem):
        if settings is None:
            closed_form(problem, theta, eps, out)
        else:
            projected_ascent(problem, theta, eps, settings, out)
    elif isinstance(problem, BasisProblem):
        if settings is None:
            attack_exactly(problem, theta, eps, out)
        else:
            attack_by_ascent(problem, theta, eps, settings, out)
    elif isinstance(problem, NetworkProblem):
        assert settings is not None
        out[...] = ascend(problem, theta, eps, settings).X
    elif isinstance(problem, GramProblem):
        assert settings is not None
        attack_together(problem, eps, settings, out)
    elif isinstance(problem, AutodiffProblem):
        assert settings is not None
        attack_by_steps(problem, theta, eps, settings, out)


def _write_shared(
    problem: InfluenceProblem, eps: float, settings: PgdSettings | None, out: Array
) -> None:
    """An attack whose budget all samples share."""
    if isinstance(problem, LinearProblem):
        attack_shared(problem, problem.params, eps, out)
        return
    assert settings is not None
    if isinstance(problem, BasisProblem):
        attack_basis(problem, eps, settings.n_steps, out)
    elif isinstance(problem, NetworkProblem):
        attack_network(problem, eps, settings.n_steps, out)
    elif isinstance(problem, GramProblem):
        attack_gram(problem, eps, settings.n_steps, out)
    elif isinstance(problem, AutodiffProblem):
        attack_autodiff(problem, eps, settings.n_steps, out)


def _shared_loss(
    problem: InfluenceProblem, eps: float, settings: PgdSettings | None
) -> float:
    if isinstance(problem, LinearProblem):
        return shared_loss(problem, problem.params, eps)
    assert settings is not None
    return loss_gram(cast(GramProblem, problem), eps, settings.n_steps)


def _like(X: Any, out: Array) -> Any:
    """A pandas frame for a pandas frame."""
    if type(X).__module__.split(".")[0] == "pandas":
        return type(X)(out, columns=X.columns, index=X.index)
    return out
