"""H⁻¹b by products with H alone, and what to do where a method gets nowhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..solvers.cg import conjugate_gradients
from ..solvers.limits import most_products
from ..solvers.lissa import DivergenceError, lissa
from .damping import singular_hessian

Array = NDArray[Any]
Operator = Callable[[Array], Array]
Sample = Callable[[int, Array], Array]

# Relative residuals with which solvers may end, for lack of digits or of patience.
ENOUGH = {"cg": 1e-8, "lissa": 1e-3}

CG_TOL = 1e-12
_SMALLEST_BATCH, _LARGEST_BATCH = 32, 1024
_PROBE = 1e-4  # below the share of a random vector that a single direction has
_USELESS = 0.1  # a relative residual at which an estimate says nothing


class Solution(NamedTuple):
    """x (d,) or (d, k), iterations, the largest relative residual, whether tolerances are met.

    `probed` is the x of a probe, (d, 1), where there was one.
    """

    x: Array
    iterations: int
    residual: float
    met: bool = True
    probed: Array | None = None


def by_cg(
    multiply: Operator,
    g: Array,
    precondition: Operator,
    tol: Any = None,
    probe: Array | None = None,
    max_iter: int | None = None,
) -> Solution:
    """Conjugate gradients on g (d, k); a random column, `probe`, finds out whether H is singular.

    Raises
    ------
    numpy.linalg.LinAlgError
        H is singular or indefinite.
    """
    d, k = g.shape
    goals = np.empty(k)
    goals[:] = CG_TOL if tol is None else tol
    if probe is not None:
        g, goals = np.column_stack([g, probe]), np.append(goals, _PROBE)
    found = conjugate_gradients(
        multiply, g, precondition, tol=goals, max_iter=max_iter or most_products(d)
    )
    if found.curvature is not None and found.flat:
        raise singular_hessian(found.curvature)
    if found.curvature is not None:
        raise negative_curvature(found.curvature)
    strict = goals[:k] == goals[:k].min()  # the others were asked for less
    worst, met = float(found.residual[:k][strict].max()), bool(np.all(found.residual <= goals))
    return Solution(found.x[:, :k], found.iterations, worst, met, found.x[:, k:])


def negative_curvature(curvature: float) -> np.linalg.LinAlgError:
    """The error of an H that curves downwards somewhere."""
    return np.linalg.LinAlgError(
        f"conjugate gradients met negative curvature ({curvature:.3g}): the Hessian is "
        "indefinite and the influence is not defined; pass damping='auto', or a damping above "
        f"{-curvature:.3g} (more where the least eigenvalue is lower than what was met)"
    )


def random_probe(d: int) -> Array:
    """A fixed normal vector (d,), which has a share of every direction.

    Signs would not do: half of the differences e_i − e_j, along which H is flat where two
    columns are the same, are orthogonal to them.
    """
    return np.random.default_rng(0).standard_normal(d)


def by_lissa(
    multiply: Operator, sample: Sample, g: Array, scale: float, tol: Any = None
) -> Solution:
    """The stochastic series, and what to do where it does not settle.

    Raises
    ------
    numpy.linalg.LinAlgError
        It diverges, or gets nowhere.
    """
    try:
        found = lissa(
            multiply, sample, g, scale=scale, tol=1e-4 if tol is None else max(tol, 1e-4)
        )
    except DivergenceError as error:
        raise np.linalg.LinAlgError(
            f"solver='lissa' diverges ({error}): a few rows dominate the Hessian, so that samples "
            "of it vary too much; use solver='cg', or pass damping > 0"
        ) from error
    if found.residual > _USELESS:
        raise np.linalg.LinAlgError(
            f"solver='lissa' got no further than a relative residual of {found.residual:.2g} in "
            f"{found.iterations} steps: the Hessian is too badly conditioned for it; use "
            "solver='cg', or pass damping > 0"
        )
    return Solution(found.x, found.iterations, found.residual)


def batch_rows(trace: float, top: float) -> int:
    """How many rows a step of LiSSA draws: samples vary by about trace / rows."""
    return int(np.clip(np.ceil(trace / top), _SMALLEST_BATCH, _LARGEST_BATCH))
