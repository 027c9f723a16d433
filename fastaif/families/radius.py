"""s where a model's own pass does not give it."""

from __future__ import annotations

import numpy as np

from .._compute.types import NEED_NORM
from ..bases.builtin import Linear
from ..data.rows import RowSource
from ..losses import SquaredError
from ..losses.targets import as_float
from ..passes.executor import Executor
from ..passes.linear import Sweep
from ..threat.attack_set import AttackSet


def mean_norm(source: RowSource, basis: Linear, ball: AttackSet, executor: Executor) -> float:
    """s: given, or E ‖x/c‖_p.

    Raises
    ------
    FloatingPointError
        The mean is not finite.
    """
    if ball.radius is not None:
        return ball.radius
    if len(source.y.shape) > 1:  # of several outputs; norms are of inputs alone
        source = source._replace(y=np.zeros(source.n_rows), encode=as_float)
    sweep = Sweep(source, SquaredError(), basis, False, ball, executor)
    sums = sweep.run(np.zeros(source.n_columns), NEED_NORM)
    if not sums.is_finite:
        raise FloatingPointError("sums are not finite")
    return sums.mean_norm
