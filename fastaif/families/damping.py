"""What is added to the diagonal of an H that cannot be inverted, and the errors of such ones."""

from __future__ import annotations

import numpy as np

_FLOOR = 2.0**-26  # of the largest eigenvalue: the square root of the rounding unit


def lift(least: float, largest: float) -> float:
    """What brings the least eigenvalue up to a floor."""
    return max(_FLOOR * largest - least, 0.0)


def singular_hessian(least: float, why: str = "") -> np.linalg.LinAlgError:
    """The error of an H that cannot be inverted."""
    return np.linalg.LinAlgError(
        f"the Hessian is singular or indefinite (least eigenvalue {least:.3g}): the "
        f"influence is not defined{why}; of a fit that ended early pass refine=True, else fit with "
        "a larger alpha, or pass damping > 0 or 'auto'"
    )


def failed_draw(draw: int, least: float) -> np.linalg.LinAlgError:
    """The error of a draw of the bootstrap that has no optimum, or no influence there."""
    return np.linalg.LinAlgError(
        f"the Hessian of bootstrap draw {draw} is singular or indefinite (least eigenvalue "
        f"{least:.3g}): the data hardly determine the model; fit with a larger alpha, or pass "
        "damping > 0 to aif"
    )
