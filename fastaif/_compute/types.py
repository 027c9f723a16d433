"""What operations are handed: small immutable groups of arrays and numbers.

An empty array stands for "not given": an empty ``weight`` means ones, an empty
``shift`` means no shift and scale, an empty ``multiplier`` means none. Everything
is float64 except the rows ``x``, which may be float32.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .codes import *  # noqa: F403  (they are read as `types.NEED_HESSIAN`)

NEAR_FLAT = 1e-9  # of ψ_ff (|f| + |y|), or ψ_ff (|f| + 1) with a log link: ψ_κ may be rounding
TIED = 1.0 - 1e-14  # of the largest gain: gains as near as that differ by rounding

EMPTY = np.empty(0)
EMPTY.setflags(write=False)


class Block(NamedTuple):
    """Features v (d, k) of a block of k rows, predictions f (k,), norms of the inputs (k,)."""

    v: np.ndarray
    f: np.ndarray
    norms: np.ndarray


class Directions(NamedTuple):
    """Gains g = ‖D ∘ ∇_u f‖_q (k,) of a block's rows, and ties (k,) in their directions.

    Both are empty in passes without NEED_MIXED.
    """

    gains: np.ndarray
    ties: np.ndarray


class Rows(NamedTuple):
    """A block of rows: inputs (k, m), targets (k,), weights (k,) or empty."""

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray


class SparseBlock(NamedTuple):
    """Rows of which only the entries that are not zero are there: row i has values[starts[i] :
    starts[i + 1]] in those columns, which ascend; targets (k,), weights (k,) or empty."""

    values: np.ndarray
    columns: np.ndarray
    starts: np.ndarray
    y: np.ndarray
    weight: np.ndarray


class Predictor(NamedTuple):
    """``f = beta · (x - shift) * inverse_scale + intercept``."""

    beta: np.ndarray
    intercept: float
    shift: np.ndarray
    inverse_scale: np.ndarray


class Basis(NamedTuple):
    """``v = (features((x - shift) * inverse_scale) - out_shift) * out_inverse_scale``.

    `degree` is that of powers; `frequencies` (d, m) and `phases` (d,) are Fourier's.
    """

    kind: int
    degree: int
    frequencies: np.ndarray
    phases: np.ndarray
    shift: np.ndarray
    inverse_scale: np.ndarray
    out_shift: np.ndarray
    out_inverse_scale: np.ndarray


class Kernel(NamedTuple):
    """A kernel function; its gradient is ``∂₁K(x, z) = a z + b x`` for numbers a and b.

    `degree` is a polynomial's, or the NTK's depth; `output_layer` the NTK's, 0 or 1.
    """

    kind: int
    degree: int
    gamma: float
    coef0: float
    output_layer: int


class Network(NamedTuple):
    """``f = w2 · σ(w1ᵀ u + b1) + b2`` with ``u = (x - shift) * inverse_scale``.

    `w1` is (m, h), `b1` and `w2` are (h,); empty `shift` and `inverse_scale` mean u = x.
    """

    activation: int
    w1: np.ndarray
    b1: np.ndarray
    w2: np.ndarray
    b2: float
    shift: np.ndarray
    inverse_scale: np.ndarray


class Layers(NamedTuple):
    """A network of any depth of u = (x - shift) * inverse_scale, as `families/layered` has it.

    `widths` are those of its inputs, hidden layers and outputs; θ is W_1 (in, out) by rows, b_1,
    W_2, ….
    """

    activation: int
    widths: np.ndarray
    theta: np.ndarray
    shift: np.ndarray
    inverse_scale: np.ndarray


class Head(NamedTuple):
    """What of so many outputs ascents climb on: `loss` and `delta` are of ONE_OUTPUT alone."""

    kind: int
    outputs: int
    loss: int
    delta: float


class Box(NamedTuple):
    """A ball, p = 2 or ∞, in bounds (2, m): D and c of each input, 0 where nothing is attacked."""

    p: float
    units: np.ndarray
    scale: np.ndarray
    bounds: np.ndarray


class Pace(NamedTuple):
    """How ascents step, as `families/layered/attack` says: the first part of a way, how many
    steps at most, what is enough, and moves that are none."""

    part: float
    n_steps: int
    enough: float
    still: float


class Attack(NamedTuple):
    """The ball's norm, and D (m,): ‖c ∘ ∇_x f‖_q = ‖D ∘ ∇_u f‖_q, u the scaled inputs."""

    p: float
    weights: np.ndarray


class Ball(NamedTuple):
    """``‖t‖_p ≤ radius``."""

    radius: float
    p: float


class NormOf(NamedTuple):
    """``‖(x - shift) * inverse_scale‖_p``; empty arrays: of the predictor's own inputs."""

    p: float
    shift: np.ndarray
    inverse_scale: np.ndarray


class Inner(NamedTuple):
    """The loss and its closed inner maximum over ``f ± kappa``.

    ``smoothing`` μ > 0 replaces |c| by √(c² + μ²) in ψ = S + |c|; ``multiplier`` gives
    λ per row where it is not NaN (the mixture of both ends at a kink). ``exponent`` > 0
    shares the budget between rows (see `shared_budgets`).
    """

    loss: int
    delta: float
    kappa: float
    smoothing: float
    multiplier: np.ndarray
    exponent: float


class BatchModel(NamedTuple):
    """What many small problems share; `damping` is added to H for influences alone."""

    loss: int
    delta: float
    alpha: float
    damping: float
    fit_intercept: bool
    wants_influence: bool


class BatchAttack(NamedTuple):
    """‖x ∘ inverse‖_p measures rows where `radius` is 0; `weights` is c, 0 for what is fixed."""

    p: float
    radius: float
    weights: np.ndarray
    inverse: np.ndarray


class Squares(NamedTuple):
    """E r² + 2κE|r| + κ² + Σ push θ², κ = ‖scale θ‖_q: of E r² and the penalty the Hessian, with
    the penalty's `push` (d,) by itself, and the norm's `scale` (d,), 0 for what it does not count.
    """

    twice: np.ndarray
    push: np.ndarray
    scale: np.ndarray
    q: float


class SquaresPoint(NamedTuple):
    """θ (d,), targets that become residuals r (n,), E rz + push θ (d,), multipliers λ (n,) and
    E λz (d,), where λ is zero at first; and numbers of where that led, written."""

    theta: np.ndarray
    r: np.ndarray
    right: np.ndarray
    balance: np.ndarray
    pull: np.ndarray
    numbers: np.ndarray


class BatchFound(NamedTuple):
    """Written: θ̂ and I (k, d); ½ IᵀH_eI, s E‖∇_x ℓ‖_q and s (k, 3); status and steps (k, 2).

    What a status other than `FOUND` leaves out is NaN.
    """

    params: np.ndarray
    influence: np.ndarray
    numbers: np.ndarray
    status: np.ndarray


class Steps(NamedTuple):
    """Projected gradient ascent in the ball ‖δ / c‖_p ≤ radius.

    `slopes` is c ∘ ∇_x f over the attackable features, in order; `draws` > 1 adds random
    starts, keyed by (seed, start, first_row + row).
    """

    p: float
    radius: float
    slopes: np.ndarray
    n_steps: int
    step: float
    draws: int
    seed: int
    first_row: int


class Sums(NamedTuple):
    """Outputs of the sweep, added to: (d, d) lower triangle, (N_VECTORS, d), (N_SCALARS,).

    With NEED_MOMENTS the first is (1, n), for w ℓ'' of the n rows.
    """

    hessian: np.ndarray
    vectors: np.ndarray
    scalars: np.ndarray


class Draws(NamedTuple):
    """Draws of the Bayesian bootstrap: weights −log u(seed, draw, row), from `first_row` on.

    ``kept[places[b]]`` holds draw b's weights of all rows, times the samples', once the first
    pass has written them; (0, 0) where they would take too much memory. Its length is a
    multiple of 8: the C operations lay the same numbers out by 8 draws, a draw a lane.
    """

    seed: int
    numbers: np.ndarray
    first_row: int
    places: np.ndarray
    kept: np.ndarray


class DrawSums(NamedTuple):
    """Sums of k draws, added to: (k, d, d) lower triangles or (0, d, d), (k, d) twice for
    Σ w ℓ' (v, 1) and Σ w ℓ'' sgn(ℓ') (v, 1), and (k, N_DRAW_SCALARS)."""

    hessian: np.ndarray
    gradient: np.ndarray
    mixed: np.ndarray
    scalars: np.ndarray
