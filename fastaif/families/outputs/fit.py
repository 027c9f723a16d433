"""Natural fits of linear models of several outputs: one output after the other, with one Hessian.

E ‖z − y‖² + α ‖W‖² is a sum over outputs, and their Hessians are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.rows import Encoder
from ...losses import SquaredError
from ...passes.linear import Sweep
from ...passes.vector import VectorSweep
from ...solvers.newton import Local, NewtonResult
from ..finite_sum.coordinates import measure
from ..finite_sum.natural_fit import natural_fit

Array = NDArray[Any]


@dataclass(frozen=True)
class Output:
    """One column of the targets (n, K)."""

    encode: Encoder
    place: int

    def __call__(self, y: Array) -> Array:
        """The column (n,)."""
        return np.ascontiguousarray(self.encode(y)[:, self.place])


def fit_outputs(
    sweep: VectorSweep, alpha: float, start: Array | None = None, max_iter: int = 1000
) -> tuple[NewtonResult, Array]:
    """The minimiser of E ‖z − y‖² + α ‖W‖²: what Newton's method ended in, and Θ (K, c)."""
    source, executor = sweep.source, sweep.executor
    work = measure(source, sweep.basis, sweep.fit_intercept, executor)
    constant: list[Array] = []

    def fit(k: int) -> NewtonResult:
        rows = source._replace(encode=Output(source.encode, k))
        one = Sweep(rows, SquaredError(), sweep.basis, sweep.fit_intercept, executor=executor)
        first = None if start is None else start[k]
        return natural_fit(one, alpha, first, max_iter, work=work, constant=constant)

    found = [fit(k) for k in range(sweep.n_outputs)]
    return _together(found), np.stack([one.x for one in found])


def _together(found: Sequence[NewtonResult]) -> NewtonResult:
    """What the fits of all outputs have come to; θ and gradient are output by output."""
    local = Local(
        sum(one.local.value for one in found),
        np.concatenate([one.local.gradient for one in found]), found[0].local.hessian,
        float(np.linalg.norm([one.local.yardstick for one in found])),
    )  # fmt: skip
    return NewtonResult(
        np.concatenate([one.x for one in found]), local, max(one.n_iter for one in found),
        all(one.converged for one in found), any(one.singular for one in found),
    )  # fmt: skip
