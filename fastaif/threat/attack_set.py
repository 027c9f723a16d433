"""What an attacker may do to one sample: the protocol of attack sets.

An attack of size ρ moves a sample x by some δ of the set ρB, B convex. A model sees x as
u = (x − μ)/σ, and gradients are ∇_u f: what a unit attack along one of them gains is the
set's support function, `gain`. Nobody outside this folder knows what shape a set has.

Influences ask for `directions`, row by row, and for the data's mean norm; linear predictors,
whose gradients are all the same, for the gain and its derivatives (section 4 of the paper).
Attacks of finite size and robust fits go about in the set, in its `own` units. A set says what
it knows by what it overrides: the rest is refused.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from .._compute import get
from .._compute import types as c
from ..norms import dual_direction, lp_norm
from ..utils.arrays import columns_of
from .faces import Face, face_at
from .near_norm import NearNorm, near_norm, stepped
from .own_units import OwnUnits
from .softened import Soft, SoftRows

Array = NDArray[Any]

_LARGEST = 333  # of the logarithm to base 2 of what is squared
_ROWS = 128  # of gradients, turned in the cache


class Turn(NamedTuple):
    """Where along a straight line of gradients a direction of attack first changes.

    Attributes
    ----------
    eps : float
        inf if there is no such place.
    feature : int
        Whose entry it is.
    """

    eps: float
    feature: int


class Furthest(NamedTuple):
    """Attacks on u (n, m), and what they gain (n,)."""

    moves: Array
    gains: Array


class FirstSums(NamedTuple):
    """What unit attacks on rows of weights w_i, along σ_i β with σ_i = sgn ℓ'_i, add up to.

    Attributes
    ----------
    inputs, moves : arrays (m,)
        Σ w ℓ'' σ N_i v_i, v the model's inputs, and Σ w ℓ' φ_i.
    across, value : float
        Σ w ℓ'' σ N_i, and Σ w |ℓ'| N_i.
    room : float
        How many times its attack, of size t_i, every row can be moved by.
    ties : int
        Entries of directions that sit on a kink.
    outside : bool
        Whether some row is not where attacks may be at all.
    """

    inputs: Array
    moves: Array
    across: float
    value: float
    room: float
    ties: int
    outside: bool


AddingUp = Callable[[c.Rows, Array], FirstSums]


class DualNorm(NamedTuple):
    """The gain ‖D β‖_q as the convex solvers take it.

    Attributes
    ----------
    weights : array (m,)
        D; 0 where a feature cannot be attacked.
    p, q : float
        The attack's exponent, and the gain's.
    """

    weights: Array
    p: float
    q: float

    @property
    def free(self) -> Array:
        """Which entries count, booleans (m,)."""
        return self.weights > 0.0

    @property
    def is_smooth(self) -> bool:
        """Whether it has no kink but at zero: 1 < q < ∞."""
        return 1.0 < self.p < math.inf

    def spending(self, rho: float) -> tuple[DualNorm, float]:
        """The same ρ‖D β‖_q with the largest entry of D about 1, by powers of two.

        Solvers take squares of D, which those of very large or small inputs would not survive.

        Raises
        ------
        ValueError
            ρ is then so large that it has no square either.
        """
        _, exponent = math.frexp(float(self.weights.max()))
        weights = np.ldexp(self.weights, -exponent)
        if math.log2(rho or 1.0) + exponent > _LARGEST:
            _, least = np.frexp(self.weights[self.free].min())
            if math.log2(rho) + least > _LARGEST:
                raise ValueError(
                    "the attack moves every column of X by over 1e100 times what it varies by, so "
                    "that losses under attack overflow: give a smaller eps, or radius"
                )
            place = int(np.argmax(self.weights))
            raise ValueError(
                f"the attack may move column {place} of X by over 1e100 times what it varies by: "
                "columns are of too unlike scales for one radius. Give feature_scale, a scale for "
                "each, or leave such columns out by attackable"
            )
        return DualNorm(weights, self.p, self.q), math.ldexp(rho, exponent)

    def value(self, beta: Array) -> float:
        """‖D β‖_q."""
        return float(lp_norm(self.weights * beta, self.q))

    def face(self, beta: Array, doubt: Array | None = None) -> Face:
        """The face of the norm on which β is, or may be where its entries are off by `doubt`."""
        return face_at(self.weights, self.p, beta, doubt)

    def near(self, beta: Array, slope: Array | None = None) -> NearNorm:
        """The norm about β ≠ 0, with what is near its kinks apart; `slope`: see `near_norm`."""
        return near_norm(self.weights, self.p, beta, slope)

    def stepped(self, beta: Array, step: Array) -> Array:
        """β after a Newton step on a function with this norm in it."""
        return stepped(self.weights, self.p, beta, step)

    def steepest(self, gradient: Array) -> Array:
        """The β (m,) with N(β) = 1 along which a gradient (m,) falls most."""
        beta = np.zeros(gradient.size)
        free, D = self.free, self.weights[self.free]
        beta[free] = -dual_direction(gradient[free] / D, self.q) / D
        return beta

    def heights(self, beta: Array) -> Array:
        """How far ∂N(β) reaches either way in each entry that is zero, (m,); β ≠ 0."""
        return np.where(beta == 0.0, self.weights, 0.0) if math.isinf(self.p) else 0.0 * beta

    def gauge(self, gradient: Array) -> float:
        """The least t ≥ 0 for which a gradient (m,) is, in the entries that count, in t ∂N(0)."""
        return float(lp_norm(gradient[self.free] / self.weights[self.free], self.p))


class AttackSet(ABC):
    """The attacks of one sample, of unit size; `radius` is s where it is given, else None.

    Gradients are with respect to the model's inputs u, in the last axis (..., m). `str` of a set
    names it in messages.
    """

    radius: float | None

    # --- every set knows --------------------------------------------------------------------

    @property
    @abstractmethod
    def free(self) -> Array:
        """The attackable features, in order."""

    @abstractmethod
    def norms(self, rows: Array) -> Array:
        """How large raw inputs (k, m) are in the attack's units, (k,); their mean is s."""

    @property
    def has_compiled_norm(self) -> bool:
        """Whether there is a `compiled_norm`; else passes ask for `norms`."""
        return True

    @abstractmethod
    def compiled_norm(self) -> c.NormOf:
        """`norms` as compiled operations take it."""

    @abstractmethod
    def with_radius(self, radius: float) -> AttackSet:
        """The same set with s given."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What makes a set the same, by the names that users know it by: p and radius, …"""

    def fingerprint(self) -> str:
        """A text that equals that of the same set in another process."""
        return repr([_by_value(part) for part in self.describe().values()])

    @property
    def reach(self) -> Array | None:
        """How far an attack of unit size can move each feature alone, in raw units (m,)."""
        return None

    @property
    def units(self) -> Array:
        """D (m,): by how much unit attacks move each of the model's inputs alone, 0 where none."""
        self._refuse("a model of these inputs")

    @property
    def raw_units(self) -> Array:
        """By how much raw inputs move where the model's move by one, (m,)."""
        self._refuse("a model of these inputs")

    def raw(self, moves: Array) -> Array:
        """Moves of raw inputs (..., m) for moves of the model's."""
        return np.asarray(moves * self.raw_units)

    # --- sets that are not the same at all samples --------------------------------------------

    @property
    def varies(self) -> bool:
        """Whether samples have sets of their own."""
        return False

    def in_type(self, kind: np.dtype[Any]) -> AttackSet:
        """The set for samples of a type."""
        return self

    def refuse_outside(self, rows: Array, first: int, names: Sequence[str]) -> None:
        """Refuse samples (k, m), from row `first` on, that no attack may leave where they are."""
        return

    def keep_within(self, attacked: Array) -> None:
        """Cut attacked samples (n, m) off where they may not go, in place."""
        return

    def keeps(self, delta: Array, size: Any, rows: Array) -> Array:
        """Which of the attacks δ (n, m) that `keep_within` has cut off are in the set of a size."""
        return self.contains(delta, size, rows)

    def surely_keeps(self, attacked: Array, size: Any, samples: Array) -> Array:
        """Which attacked samples (n, m) are, without a closer look, where they may be (n,)."""
        return np.zeros(len(attacked), dtype=bool)

    def felt(self, gradients: Array, rows: Array) -> Array:
        """The gradients (n, m) without what attacks on these samples cannot follow."""
        return gradients

    def room(self, moves: Array, rows: Array) -> Array:
        """How many times their unit attacks on u (n, m) samples can be moved by, (n,)."""
        return np.full(len(moves), np.inf)

    def furthest(self, gradients: Array, rows: Array, sizes: Array) -> Furthest:
        """The attacks on u of given sizes (n,) that gain most along a gradient (n, m) a sample."""
        moves, gains, _ = self.directions(np.array(gradients, dtype=float), rows)
        return Furthest(moves * sizes[:, None], gains * sizes)

    @property
    def box(self) -> c.Box | None:
        """The set as compiled ascents take it; None where they know none of its kind."""
        return None

    def write_attacked(
        self, beta: Array, sides: Array, rows: Array, sizes: Array, out: Array
    ) -> None:
        """Write samples (n, m) moved as far as attacks of sizes (n,) move predictions of gradient
        β (m,): up where a side (n,) is 1, down where it is −1."""
        rows, gradients = rows.astype(np.float64, copy=False), sides[:, None] * beta
        out[...] = rows + self.raw(self.furthest(gradients, rows, sizes).moves)

    def drawn(self, seed: int, draw: int, keys: Array, sizes: Array) -> Array:
        """Random attacks on u (n, m) of sizes (n,), keyed by row."""
        t = np.empty((len(keys), self.own.n_free))
        for place, (key, size) in enumerate(zip(keys, sizes, strict=True)):
            self.own.draw(seed, draw, int(key), float(size), t[place : place + 1])
        out = np.zeros((len(keys), self.units.size))
        self.own.move_inner(out, t)
        return out

    def cut(self, moves: Array, rows: Array) -> Array:
        """Attacks of the ball on u (n, m) cut off where their samples may not go."""
        return moves

    @property
    def has_first_sums(self) -> bool:
        """Whether there are `first_sums`."""
        return False

    def first_sums(self, predictor: c.Predictor, inner: c.Inner) -> AddingUp:
        """What tells of rows, and their budgets t (n,) or none, what unit attacks on them of a
        linear predictor add up to, without any (n, m)."""
        self._refuse("a pass over many rows")

    @property
    def has_soft(self) -> bool:
        """Whether there is a `soft` of the set, or of that of each sample."""
        return False

    def soft(self, beta: Array, width: float) -> Soft:
        """The gain without its kinks, of β (m,): value, unit attack on u and Hessian."""
        self._refuse("a robust fit")

    def soft_rows(self, beta: Array, rows: Array, sizes: Array, width: float) -> SoftRows:
        """The same of the sets of samples (n, m), of given sizes (n,)."""
        self._refuse("a robust fit")

    # --- first order ----------------------------------------------------------------------

    def directions(self, gradients: Array, rows: Array | None = None) -> tuple[Array, Array, Array]:
        """Unit attacks on u (n, m), gains (n,) and ties (n,), for a gradient a row.

        The attacks take the gradients' place. `rows` are the raw inputs (n, m) that the
        gradients are at, for sets that are not the same everywhere.
        """
        n = len(gradients)
        gains, ties = np.empty(n), np.empty(n)
        attack, operation = self.compiled(), get("attack_directions")
        for start in range(0, n, _ROWS):
            block = slice(start, start + _ROWS)
            g = columns_of(gradients[block])
            out = np.empty(g.shape)
            operation(g, attack, out, gains[block], ties[block])
            gradients[block] = out.T
        return gradients, gains, ties

    def compiled(self) -> c.Attack:
        """The gain as compiled operations take it."""
        self._refuse("a pass over many rows")

    def gain(self, beta: Array) -> float:
        """How far a unit attack can move a prediction of the gradient β (m,)."""
        self._refuse("a linear predictor")

    def gains(self, gradients: Array) -> Array:
        """`gain` of every gradient, (...) for (..., m)."""
        self._refuse("a linear predictor")

    def gain_gradient(self, beta: Array) -> Array:
        """∇_β gain (..., m): the unit attack on u; one subgradient where it has a kink."""
        self._refuse("a linear predictor")

    def gain_hessian(self, beta: Array) -> Array:
        """∇²_β gain (m, m), of its smooth part where β sits on a kink.

        Raises
        ------
        ValueError
            β is zero.
        """
        self._refuse("a linear predictor")

    def direction(self, beta: Array) -> Array:
        """The unit attack on raw inputs (..., m) that raises the prediction most."""
        self._refuse("a linear predictor")

    def kinks(self, beta: Array) -> Array:
        """Which entries of β sit on a kink of the gain, booleans (..., m)."""
        self._refuse("a linear predictor")

    def ties(self, beta: Array) -> int:
        """How many entries of β sit on a kink of the gain."""
        return int(np.count_nonzero(self.kinks(beta)))

    # --- where directions change ----------------------------------------------------------

    @property
    def has_turns(self) -> bool:
        """Whether directions of attack jump where gradients move."""
        self._refuse("the reach of the expansion")

    @property
    def turning(self) -> str:
        """What an entry of a gradient does where the direction jumps, for messages."""
        self._refuse("the reach of the expansion")

    def first_turn(self, gradients: Array, speeds: Array) -> Turn:
        """The first ε > 0 at which the direction for a row of gradients + ε speeds jumps.

        Parameters
        ----------
        gradients, speeds : arrays (k, m)
        """
        self._refuse("the reach of the expansion")

    def has_turned(self, before: Array, after: Array) -> bool:
        """Whether the direction of some row, (k, m), has jumped from the one to the other."""
        self._refuse("the reach of the expansion")

    # --- attacks of finite size -----------------------------------------------------------

    @property
    def own(self) -> OwnUnits:
        """The units in which attacks of finite size go about in the set."""
        self._refuse("an attack of finite size")

    @property
    def pushes_at_zero(self) -> bool:
        """Whether coefficients of nothing are pushed on by attacks, as the others are.

        With p = 1 those with the largest coefficients alone are.
        """
        return float(self.describe()["p"]) != 1.0

    @property
    def is_ellipsoid(self) -> bool:
        """Whether the maximum of a quadratic over the set is a trust-region problem."""
        return False

    def contains(self, delta: Array, size: Any, rows: Array | None = None) -> Array:
        """Which of the attacks δ (..., m) on raw inputs are in the set of a size (or (n,) sizes).

        `rows` are the samples, for sets that are not the same everywhere.
        """
        self._refuse("an attack of finite size")

    def project(self, delta: Array, size: float) -> Array:
        """The attacks (..., m) of the set of a size nearest to δ in the set's own units."""
        self._refuse("an attack of finite size")

    def operator_norm(self, matrix: Array) -> float:
        """A bound on the gain of M t over unit attacks t on u, for a symmetric M (m, m)."""
        self._refuse("the reach of the expansion")

    def curvature_bound(self, spectral: float) -> float:
        """The same bound of every symmetric M whose spectral norm is at most `spectral`."""
        self._refuse("the reach of the expansion")

    @property
    def longest(self) -> float:
        """The Euclidean length that no unit attack on u exceeds."""
        self._refuse("the reach of the expansion")

    @property
    def widest(self) -> float:
        """How far a unit attack can move one raw input."""
        self._refuse("an attack of finite size")

    @property
    def has_dual_norm(self) -> bool:
        """Whether there is a `dual_norm`."""
        return False

    def dual_norm(self, units: Array | None = None) -> DualNorm:
        """The gain as the convex solvers take it, for β in given units (m,)."""
        self._refuse("a robust fit")

    def _refuse(self, what: str) -> NoReturn:
        """Refuse what the set does not know."""
        raise ValueError(
            f"attacks with {self} are not implemented for {what}: describe the attack by p, "
            "feature_scale and attackable alone"
        )


def _by_value(part: Any) -> Any:
    if isinstance(part, np.ndarray):
        return part.shape, part.tobytes()
    return tuple(map(_by_value, part)) if isinstance(part, tuple) else part


ATTACK_SETS: dict[type[AttackSet], Callable[[], list[AttackSet]]] = {}


def register(kind: type[AttackSet], examples: Callable[[], list[AttackSet]]) -> None:
    """Make a kind of attack set known; what holds of every set is tested on its examples."""
    ATTACK_SETS[kind] = examples
