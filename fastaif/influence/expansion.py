"""Which expansion predicts robust optima and their cost, and where each of them is rough.

"quadratic" is the paper's eq. 4, ``½ε² IᵀH_eI``, and "taylor" adds the term ``ε g_eᵀI`` that it
leaves out; both follow the tangent θ̂ + εI. "norm" expands everything but the norm of the
coefficients, whose bend is why the tangent leaves the robust path so soon.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.rows import RowSource
from ..families.problem import InfluenceProblem, RadiusModel
from ..utils import validation
from ..utils.warnings import FlipWarning, RangeWarning

Array = NDArray[Any]

COSTS = ["auto", "norm", "quadratic", "taylor"]
PARAMS = ["auto", "norm", "linear"]

_OFF = 0.125  # of a step: its cost is then off by a quarter
_BENT = 0.25  # of a step
_FLIPPED = 0.05  # of the weight


class Roughness(NamedTuple):
    """Why a prediction is rough, for a person (empty: nothing speaks against it), and how to warn
    of it."""

    why: str = ""
    category: type[RangeWarning] = RangeWarning


def chosen(problem: InfluenceProblem, expansion: str, known: list[str]) -> str:
    """The expansion that an argument stands for: "auto" is "norm" where that exists.

    Raises
    ------
    ValueError
        It is not known, or does not exist for this problem.
    """
    validation.option(expansion, "expansion", known)
    exists = problem.norm_expansion is not None
    if expansion == "auto":
        return "norm" if exists else known[-1]
    if expansion == "norm" and not exists:
        raise ValueError(
            "expansion='norm' is known of linear predictors, softmax models and several outputs "
            "alone, where every sample has a budget of its own, H is formed and the penalty has no "
            "l1 term: use "
            f"expansion={known[-1]!r}"
        )
    return expansion


def norm_cost(problem: InfluenceProblem, eps: float, source: RowSource | None) -> float:
    """The change of the clean loss that the expansion with the norm predicts.

    On the data of the fit no more than what the model without attackable features costs, with
    its penalty.
    """
    model = problem.norm_expansion
    assert model is not None
    step = model.step(eps)
    if problem.model.loss.is_quadratic or not model.measures:
        slope, curvature = problem.along(step, source or problem.evaluation)
        cost = slope + 0.5 * curvature
    else:
        cost = problem.loss_change(problem.params + step, source or problem.evaluation)
    return cost if source is not None else min(cost, model.ceiling(eps))


def bent(model: RadiusModel, influence: Array, eps: float) -> Roughness:
    """Whether the tangent leaves the path as the norm of the coefficients bends, or as that does
    which keeps the norm."""
    bend = model.bend(eps, influence)
    if bend <= _BENT:
        return roughness(model, eps, _BENT) if model.measures else Roughness()
    return Roughness(
        f"{model.why_bent(eps, influence)}: the tangent misses the step of expansion='norm' by "
        f"{bend:.0%}"
    )


def roughness(model: RadiusModel, eps: float, limit: float = _OFF) -> Roughness:
    """Whether the prediction that keeps the norm is rough, where rows can tell."""
    departure = model.departure(eps)
    if departure <= limit:
        return Roughness()
    turned = model.turned(eps)
    if turned > _FLIPPED:
        return Roughness(
            f"the attacks of about {turned:.0%} of the samples have turned round", FlipWarning
        )
    size = f"{departure:.0%}" if np.isfinite(departure) else "more than all"
    return Roughness(f"another step would change the prediction by {size}")
