"""Attacks on linear predictors with a budget that all samples share.

A unit of sample i's budget moves its prediction by G = ‖Dβ‖_q, so that the attack chooses
how far each prediction moves: κ_i ≥ 0 with (E κ^u)^{1/u} ≤ κ = ε s G, to maximise
E ψ(f_i, κ_i), ψ = max ℓ(f ± κ_i). ψ is convex in κ_i:

- u = 1: a vertex, all of it to one sample, which moves by κ/ω_j;
- u = 2 and the squared error: κ_i = κ |r_i| / √(E r²);
- else repeated maximisation of ψ's linear part, κ_i ∝ ψ_κ^{v−1}, which never descends, from
  the best first step, the best vertices, and the moves that a price on budget singles out.
  It ends at a stationary point, which as a rule is the maximum but is not proven to be.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...losses import Loss
from ...threat.budget import Sharing
from ..adversary import Distribution
from .problem import LinearProblem
from .robust.priced_moves import Pricing, best_moves

Array = NDArray[Any]

_MAX_STEPS, _FEW_STEPS = 1000, 5
_VERTICES = 3
_PARTS = 40  # moves that a sample is offered at a price
_HALVINGS = 40
_STILL = 1e-14
_MET = 1e-10  # of a bound that an attack reaches


def worse_side(loss: Loss, f: Array, y: Array, moves: Array) -> Array:
    """±1: at which end of f ± κ_i the loss is larger; +1 where they tie."""
    return np.where(loss.change(f - moves, 2.0 * moves, y) >= 0.0, 1.0, -1.0)


def worst_moves(
    loss: Loss, f: Array, y: Array, omega: Array, sharing: Sharing, kappa: float,
    quick: bool = False,
) -> Array:  # fmt: skip
    """κ_i (n,), how far an attack moves each prediction.

    Parameters
    ----------
    loss : Loss
    f, y, omega : array (n,)
        Predictions, targets and weights that sum to 1.
    sharing : Sharing
        Of finite order.
    kappa : float
        κ = ε s ‖Dβ‖_q.
    quick : bool
        Where there is no closed form, a few steps from the best first step or from the best vertex,
        whichever is better, will do: an attack nearly as strong.
    """
    if kappa == 0.0:
        return np.zeros(len(f))
    if sharing.order == 1.0:
        best = np.argmax(vertex_gains(loss, f, y, omega, sharing, kappa))
        return _vertex(omega, sharing, kappa, int(best))
    if sharing.order == 2.0 and loss.is_quadratic:
        r = np.abs(f - y)
        size = np.sqrt(omega @ r**2)
        return kappa * (r / size if size > 0.0 else np.ones(len(r)))
    proven = _proven(loss, f, y, omega, sharing, kappa)
    if proven is not None:
        return proven
    exact = sharing.exactly()
    starts = [kappa * exact.budgets(np.abs(loss.slope(f, y)), omega)]
    gains = vertex_gains(loss, f, y, omega, sharing, kappa)
    count = min(1 if quick else _VERTICES, np.count_nonzero(omega))
    for place in np.argsort(-gains, kind="stable")[:count]:
        starts.append(_vertex(omega, sharing, kappa, place))
    if quick:
        start = max(starts, key=lambda moves: _gain(loss, f, y, omega, moves))
        return _climb(loss, f, y, omega, exact, kappa, start, _FEW_STEPS)
    starts.extend(_priced(loss, f, y, omega, sharing, kappa))
    ends = [_climb(loss, f, y, omega, exact, kappa, start, _MAX_STEPS) for start in starts]
    return max(ends, key=lambda moves: _gain(loss, f, y, omega, moves))


def _proven(
    loss: Loss, f: Array, y: Array, omega: Array, sharing: Sharing, kappa: float
) -> Array | None:
    """The moves at the price of the budget, where no sample's best move jumps there; else None."""
    counted = omega > 0.0
    rows, w = Pricing(loss, y[counted], sharing.order), omega[counted]
    found = best_moves(rows, f[counted], w, kappa)
    if found.jumps or not np.isfinite(found.bound):
        return None
    moves = np.zeros(len(f))
    sizes = found.sizes[0]
    moves[counted] = kappa * sizes / sharing.spent(sizes, w)
    # A jump may hide between the sizes that were looked at: what is best reaches the bound.
    reached = _gain(loss, f, y, omega, moves)
    return moves if reached >= found.bound - _MET * abs(found.bound) else None


def vertex_gains(
    loss: Loss, f: Array, y: Array, omega: Array, sharing: Sharing, kappa: float
) -> Array:
    """ω_j [max ℓ(f_j ± κ ω_j^{−1/u}) − ℓ(f_j)], shape (n,); −1 where there is no weight."""
    counted = omega > 0.0
    far = kappa * sharing.alone(np.where(counted, omega, 1.0))
    rise = np.maximum(loss.change(f, far, y), loss.change(f, -far, y))
    return np.where(counted, omega * np.maximum(rise, 0.0), -1.0)


def _vertex(omega: Array, sharing: Sharing, kappa: float, place: int) -> Array:
    """All of the budget to one sample."""
    moves = np.zeros(len(omega))
    moves[place] = kappa * sharing.alone(omega[place])
    return moves


def _priced(
    loss: Loss, f: Array, y: Array, omega: Array, sharing: Sharing, kappa: float
) -> list[Array]:
    """Starts from the Lagrangian dual: each sample's best move where budget has a price.

    Without concavity the moves jump as the price falls: those on both sides of the price at
    which the budget is spent, scaled to spend it, and those where one sample takes the rest.
    """
    top = kappa * sharing.alone(np.where(omega > 0.0, omega, 1.0))
    parts = np.append(0.0, np.geomspace(1e-4, 1.0, _PARTS))
    moves = np.where(omega > 0.0, top, 0.0)[:, None] * parts
    there, targets = f[:, None], y[:, None]
    rise = np.maximum(loss.change(there, moves, targets), loss.change(there, -moves, targets))
    cost = (moves / kappa) ** sharing.order
    if not np.isfinite(rise).all():
        return []
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = rise / cost
    rates = rates[(cost > 0.0) & (rates > 0.0) & np.isfinite(rates)]
    if rates.size == 0:
        return []
    rows, low, high = np.arange(len(f)), np.log(rates.min()) - 1.0, np.log(rates.max())
    ends: dict[bool, Array] = {}
    for _ in range(_HALVINGS):
        price = 0.5 * (low + high)
        best = moves[rows, np.argmax(rise - np.exp(price) * cost, axis=1)]
        over = bool(omega @ (best / kappa) ** sharing.order > 1.0)
        ends[over] = best
        low, high = (price, high) if over else (low, price)
    starts = [end / sharing.spent(end / kappa, omega) for end in ends.values() if end.any()]
    if len(ends) == 2:
        starts.extend(_filled(loss, f, y, omega, sharing, kappa, ends[False]))
    return starts


def _filled(
    loss: Loss, f: Array, y: Array, omega: Array, sharing: Sharing, kappa: float, under: Array
) -> list[Array]:
    """Moves under the budget, and its rest to each of the samples that gain most by it."""
    u = sharing.order
    rest = max(1.0 - float(omega @ (under / kappa) ** u), 0.0)
    counted = omega > 0.0
    share = rest / np.where(counted, omega, 1.0)
    far = kappa * ((under / kappa) ** u + share) ** (1.0 / u)
    up, down = (loss.change(f, side * far, y) for side in (1.0, -1.0))
    before = np.maximum(loss.change(f, under, y), loss.change(f, -under, y))
    gains = np.where(counted, omega * (np.maximum(up, down) - before), -1.0)
    best = np.argsort(-gains, kind="stable")[: min(_VERTICES, np.count_nonzero(counted))]
    return [np.where(np.arange(len(f)) == place, far, under) for place in best]


def _gain(loss: Loss, f: Array, y: Array, omega: Array, moves: Array) -> float:
    """E ψ(f_i, κ_i) − E ℓ(f_i)."""
    side = worse_side(loss, f, y, moves)
    with np.errstate(over="ignore"):
        return float(omega @ loss.change(f, side * moves, y))


def _climb(
    loss: Loss, f: Array, y: Array, omega: Array, sharing: Sharing, kappa: float, moves: Array,
    most_steps: int,
) -> Array:  # fmt: skip
    """κ_i ∝ ψ_κ(f_i, κ_i)^{v−1}, until it stands still."""
    for _ in range(most_steps):
        side = worse_side(loss, f, y, moves)
        with np.errstate(over="ignore"):
            slopes = np.maximum(side * loss.slope(f + side * moves, y), 0.0)
        if not np.isfinite(slopes).all():
            break
        following = kappa * sharing.budgets(slopes, omega)
        still = np.max(np.abs(following - moves)) <= _STILL * np.max(following)
        moves = following
        if still:
            break
    return moves


def moves_of(
    problem: LinearProblem, theta: Array, eps: float, quick: bool = False
) -> tuple[Array, Array, Array]:
    """f (n,), the κ_i of the worst attack at θ, and the side ±1 to which each moves."""
    loss, y = problem.model.loss, problem.source.targets()
    f = problem.sweep.predictions(theta)
    kappa = eps * problem.radius * problem.ball.gain(theta[: problem.model.n_features])
    moves = worst_moves(loss, f, y, problem.shares, problem.sharing, kappa, quick)
    return f, moves, worse_side(loss, f, y, moves)


def attacked_slopes(
    problem: LinearProblem, theta: Array, eps: float, quick: bool = False
) -> tuple[Array, Array, Array]:
    """What Danskin's theorem makes the gradient of E ℓ under the worst attack of.

    Returns
    -------
    there : array (n,)
        The predictions f_i ± κ_i of attacked rows.
    slopes : array (n,)
        ω ℓ' there: the gradient is Σ slopes_i (v_i, 1), and
    push : array (m,)
        for β what comes of the κ_i's being in proportion to ‖Dβ‖_q.
    """
    loss, y, m = problem.model.loss, problem.source.targets(), problem.model.n_features
    f, moves, side = moves_of(problem, theta, eps, quick)
    there, budget = f + side * moves, eps * problem.radius
    slopes = problem.shares * loss.slope(there, y)
    kappa = budget * problem.ball.gain(theta[:m])
    spent = float((slopes * side) @ moves) / kappa if kappa > 0.0 else 0.0
    return there, slopes, spent * budget * problem.ball.gain_gradient(theta[:m])


def attack_shared(problem: LinearProblem, theta: Array, eps: float, out: Array) -> None:
    """Write x_i + δ_i of the worst attack, ‖δ_i/c‖_p = κ_i/G."""
    beta = theta[: problem.model.n_features]
    _, moves, side = moves_of(problem, theta, eps)
    gain = problem.ball.gain(beta)
    lengths = side * moves / gain if gain > 0.0 else np.zeros(len(moves))
    inputs = problem.source.inputs(0, problem.source.n_rows)
    out[...] = inputs + lengths[:, None] * problem.ball.direction(beta)


def shared_loss(problem: LinearProblem, theta: Array, eps: float) -> float:
    """E ℓ under the worst attack."""
    f, moves, side = moves_of(problem, theta, eps)
    with np.errstate(over="ignore"):
        values = problem.model.loss.value(f + side * moves, problem.source.targets())
    return float(problem.shares @ values)


def distribution(problem: LinearProblem, theta: Array, eps: float) -> Distribution:
    """The worst distribution within the budget."""
    loss, y, omega = problem.model.loss, problem.source.targets(), problem.shares
    counted = np.flatnonzero(omega > 0.0)
    f, moves, side = moves_of(problem, theta, eps)
    parts = [(counted, omega[counted], (side * moves)[counted])]
    gain = problem.ball.gain(theta[: problem.model.n_features])
    kappa = eps * problem.radius * gain
    if problem.sharing.order > 1.0 and kappa > 0.0:
        rows, w = Pricing(loss, y[counted], problem.sharing.order), omega[counted]
        found = best_moves(rows, f[counted], w, kappa)
        if found.jumps and np.isfinite(found.bound):
            parts = _divided(counted, w, kappa * found.sizes * found.side, found.share)
    places, weights, lengths = (np.concatenate(part) for part in zip(*parts, strict=True))
    with np.errstate(over="ignore"):
        mean = float(weights @ loss.value(f[places] + lengths, y[places]))
    inputs = np.asarray(problem.source.inputs(0, problem.source.n_rows), dtype=float)[places]
    if gain > 0.0:
        direction = problem.ball.direction(theta[: problem.model.n_features])
        inputs = inputs + (lengths / gain)[:, None] * direction
    return Distribution(inputs, weights, places, mean)


def _divided(
    places: Array, w: Array, lengths: Array, share: float
) -> list[tuple[Array, Array, Array]]:
    """Samples whose moves jump in two parts, the others whole."""
    near, far = lengths
    apart = np.abs(far - near) > 1e-6 * np.maximum(np.abs(far), np.abs(near))
    weight = np.where(apart, (1.0 - share) * w, w)
    return [(places, weight, near), (places[apart], (share * w)[apart], far[apart])]
