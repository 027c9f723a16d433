"""Robust fits with p = ∞ on the columns that matter.

With many more columns than rows nearly all coefficients are zero at the optimum. A problem of the
others alone is small; its dual point is one of the whole problem's where no column that was left
out pulls harder than the norm holds, ‖D⁻¹G‖_∞ ≤ ρK, and else those that do come in.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....bases.builtin import Linear
from ....data.rows import RowSource
from .design import Design, unchanged
from .objective import RobustProblem

Array = NDArray[Any]


def restricted(problem: RobustProblem, design: Design, columns: Array) -> RobustProblem:
    """The problem of some coefficients; the others are zero."""
    rows = RowSource(design.columns(columns), design.targets, design.weights, unchanged)
    sweep = dataclasses.replace(problem.sweep, source=rows, basis=Linear(), ball=None)
    d = design.n_columns
    kept = np.concatenate([columns, np.arange(problem.m, d)])
    return dataclasses.replace(
        problem, sweep=sweep, penalized=problem.penalized[kept], weights=problem.weights[columns],
        best=None, natural=None, l1=None if problem.l1 is None else problem.l1[kept],
    )  # fmt: skip


def spread(problem: RobustProblem, columns: Array, part: Array) -> Array:
    """θ (d,) from the coefficients of some columns, and the intercept where there is one."""
    theta = np.zeros(problem.penalized.shape[0])
    theta[columns] = part[: columns.size]
    theta[problem.m :] = part[columns.size :]
    return theta


def gather(problem: RobustProblem, columns: Array, theta: Array) -> Array:
    """The part of θ that `spread` spreads."""
    return np.concatenate([theta[columns], theta[problem.m :]])


def pulling(problem: RobustProblem, pulled: Array, weight: float, columns: Array) -> Array:
    """Columns that were left out although the norm does not hold them at zero, hardest first."""
    force = np.abs(pulled[: problem.m]) - (1.0 + 1e-13) * weight * problem.weights
    force[columns] = 0.0
    order = np.argsort(-force)
    return order[force[order] > 0.0]
