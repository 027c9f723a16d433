"""The influence problem of linear predictors whose rows are attacked in ways of their own.

Bounds leave each row a set of its own, and budgets t_i a size. To first order row i, attacked along
sgn(ℓ'_i) β, moves by s t_i φ_i and gains s t_i N_i, so that

    Φ = s E[t_i (ℓ''_i sgn(ℓ'_i) N_i (v_i, 1) + |ℓ'_i| sgn(ℓ'_i) (φ_i, 0))]   (Theorem 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...._compute import types as c
from ....data.rows import RowSource
from ....threat.attack_set import AddingUp, AttackSet
from ....utils.arrays import read_only
from ....utils.caching import cached_property
from ... import kinks as path_kinks
from ...finite_sum.problem import chosen_solver
from ...finite_sum.totals import Accumulated, RowwiseWithoutRows
from ...problem import Counts
from ...rowwise import FirstOrder, RowwiseProblem
from ..model import LinearModel
from ..norm_expansion import NormExpansion
from ..one_sided import OneSided
from ..problem import LinearProblem, linear_problem

Array = NDArray[Any]


@dataclass(frozen=True)
class RowwiseLinear(RowwiseProblem, LinearProblem):
    """A LinearProblem whose rows have sets, or sizes, of their own."""

    @property
    def draws_together(self) -> bool:
        """Every draw has a pass of its own."""
        return False

    @property
    def pass_refuses_outside(self) -> bool:
        """Where no row is looked at alone."""
        return self.ball.has_first_sums

    @property
    def one_sided(self) -> OneSided | None:
        """Kinks at ε = 0 are counted, and warned of."""
        return None

    @property
    def norm_expansion(self) -> NormExpansion | None:
        """There is no one norm to keep."""
        return None

    def _rows(self, start: int, stop: int) -> tuple[Array, Array, Array, Array]:
        """Raw and the model's inputs (k, m), ℓ' and ℓ'' (k,) of a range of rows."""
        m, loss, theta = self.model.n_features, self.model.loss, self.params
        rows = self.source.inputs(start, stop).astype(np.float64, copy=False)
        u = self.model.basis.transform(rows)
        f = u @ theta[:m] + (theta[m] if len(theta) > m else 0.0)
        y = self.source.targets(start, stop)
        return rows, u, loss.slope(f, y), loss.curvature(f, y)

    def _attacked(self, start: int, stop: int) -> tuple[Array, Array, Array, Array]:
        """z_i = ∇_θ⟨∇_x ℓ_i, φ_i⟩ (k, d), |ℓ'_i| N_i, ties and rooms (k,) of a range of rows."""
        rows, u, slope, bend = self._rows(start, stop)
        side, m = np.sign(slope), self.model.n_features
        moves, gains, ties = self.ball.directions(side[:, None] * self.params[:m], rows)
        signed = bend * side * gains
        z = np.empty((len(rows), len(self.params)))
        z[:, :m] = u * signed[:, None] + slope[:, None] * moves
        z[:, m:] = signed[:, None]
        return z, np.abs(slope) * gains, ties, self.ball.room(moves, rows)

    def first_sums(self, start: int, stop: int, share: Array) -> FirstOrder:
        """What attacks on a range of rows add up to, without the attacks where the set can."""
        add = self._first_sums if self.ball.has_first_sums else self._sums_of_attacks
        return add(start, stop, share)

    def _sums_of_attacks(self, start: int, stop: int, share: Array) -> FirstOrder:
        """Those of a range of rows, one by one."""
        z, gains, ties, room = self._attacked(start, stop)
        least = self.least_room(start, stop, share, room)
        return FirstOrder(
            share @ z, float(share @ gains), int(ties[share > 0.0].sum()), least
        )  # fmt: skip

    def _first_sums(self, start: int, stop: int, share: Array) -> FirstOrder:
        """The same without their attacks, where the set adds up."""
        m, source = self.model.n_features, self.source
        alike = share.strides == (0,)  # then nothing is multiplied by weights row by row
        unit = float(share[0]) if alike else 1.0
        weight = c.EMPTY if alike else read_only(share)
        budgets = c.EMPTY if source.budget is None else read_only(source.budgets(start, stop))
        found = self._adding_up(source.rows(start, stop)._replace(weight=weight), budgets)
        if found.outside:
            self.refuse_outside(source)
        mixed = np.empty(len(self.params))
        mixed[:m], mixed[m:] = found.inputs + found.moves, found.across
        return FirstOrder(unit * mixed, unit * found.value, found.ties, found.room)

    @cached_property
    def _adding_up(self) -> AddingUp:
        """What adds up the attacks on rows, at θ̂."""
        return self.ball.first_sums(self.sweep.predictor(self.params), self.sweep.inner())

    @property
    def counts(self) -> Counts:
        """Rows with ℓ' = 0, and entries of directions on kinks, or of β but for rounding."""
        ties = max(self.first_order.ties, self.ball.ties(self.beta))
        return Counts(self.sums.zero_gradients, ties)

    def per_sample(self) -> Array:
        """ζ_i = −s t_i H⁻¹ ∇_θ⟨∇_x ℓ_i, φ_i⟩ (n, d); its weighted mean is the influence."""
        out = np.empty((self.source.n_rows, len(self.params)))

        def work(start: int, stop: int) -> None:
            z, *_ = self._attacked(start, stop)
            out[start:stop] = z * self.source.budgets(start, stop)[:, None]
            self.share_out(out[start:stop])

        self.executor.map_rows(self.source, work)
        self.share_all(out)
        return out

    def input_gains(self) -> Array:
        """‖∇_x ℓ‖_q of each row in its own set, (n,)."""
        out = np.empty(self.source.n_rows)

        def work(start: int, stop: int) -> None:
            out[start:stop] = self._attacked(start, stop)[1]

        self.executor.map_rows(self.source, work)
        return out

    def kinks(self, influence: Array) -> path_kinks.Kinks:
        """Where along θ̂ + εI a row turns round, a direction jumps, or a bound is met."""
        f, speed, _ = self.moves(influence)
        return path_kinks.rowwise_kinks(
            self.sweep, (f, speed), self._first_turn(influence), self.first_bound
        )

    def _first_turn(self, influence: Array) -> path_kinks.Event:
        """The first jump of a direction: of every gradient that some row feels."""
        m = self.model.n_features
        felt = set()
        for start, stop in self.source.chunks():
            rows, _, slope, _ = self._rows(start, stop)
            slopes = np.sign(slope)[:, None] * self.params[:m]
            felt |= {row.tobytes() for row in np.unique(self.ball.felt(slopes, rows) != 0, axis=0)}
        kept = np.array([np.frombuffer(row, dtype=bool) for row in sorted(felt)])
        turn = self.ball.first_turn(
            np.where(kept, self.params[:m], 0.0), np.where(kept, influence[:m], 0.0)
        )
        what = ""
        if np.isfinite(turn.eps):
            what = f"the coefficient of {self.names[turn.feature]} {self.ball.turning}"
        return path_kinks.Event(turn.eps, what)


@dataclass(frozen=True)
class AccumulatedRowwise(RowwiseWithoutRows, Accumulated, RowwiseLinear):
    """A RowwiseLinear whose rows are gone."""


def restricted_problem(
    model: LinearModel, source: RowSource, ball: AttackSet, *, solver: str = "auto",
    hessian: str = "exact", **common: Any,
) -> LinearProblem:  # fmt: skip
    """The problem, with its way to H⁻¹; row by row, refused where other processes hold the rows,
    unless all rows have one set and size.

    Raises
    ------
    ValueError
    """
    if source.budget is None and not ball.varies:
        return linear_problem(model, source, ball, solver=solver, hessian=hessian, **common)
    found = RowwiseLinear(model, source, ball, solver=chosen_solver(model, solver), **common)
    if found.executor.is_remote(source):
        raise ValueError(
            "bounds and budgets are for rows in this process, which these workers hold: give "
            "arrays, or describe the attack by p, feature_scale and attackable alone"
        )
    return found
