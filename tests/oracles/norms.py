"""lp norms and the direction that attains the dual norm."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def dual_order(p: float) -> float:
    """The q with 1/p + 1/q = 1."""
    if p == 1:
        return np.inf
    return 1.0 if np.isinf(p) else p / (p - 1.0)


def norm(v: npt.ArrayLike, p: float) -> Any:
    """lp norm along the last axis: (sum |v_k|^p)^(1/p), or max |v_k| for p = inf."""
    a = np.abs(np.asarray(v, dtype=np.float64))
    top = np.max(a, axis=-1, initial=0.0)
    if np.isinf(p):
        return top
    # Divide by the largest entry first, so that no power overflows or vanishes.
    unit = np.where(top > 0, top, 1.0)
    return top * np.sum((a / unit[..., None]) ** p, axis=-1) ** (1.0 / p)


def dual_direction(g: npt.ArrayLike, p: float) -> Array:
    """The v in the unit lp ball that maximises <g, v>, along the last axis; zero where g = 0.

    1 < p < inf: v_k = sgn(g_k) (|g_k| / ||g||_q)^(q - 1).  p = inf: v = sgn(g), sgn(0) = 0.
    p = 1: sgn(g_k) at the first k with the largest |g_k|, zero elsewhere.
    """
    g = np.asarray(g, dtype=np.float64)
    a = np.abs(g)
    sign: Array = np.sign(g)
    if np.isinf(p):
        return sign
    if p == 1:
        first = np.argmax(a, axis=-1)[..., None]  # argmax returns the first of equal entries
        return np.where(np.arange(g.shape[-1]) == first, sign, 0.0)
    q = dual_order(p)
    top = np.max(a, axis=-1, keepdims=True, initial=0.0)
    a = a / np.where(top > 0, top, 1.0)
    length = norm(a, q)[..., None]
    return sign * (a / np.where(length > 0, length, 1.0)) ** (q - 1.0)


def scaled_direction(g: npt.ArrayLike, p: float, c: npt.ArrayLike) -> Array:
    """The v with ||v / c||_p <= 1 that maximises <g, v>: c * dual_direction(c * g).

    A feature with c_k = 0 cannot be moved: its entry is zero.
    """
    c = np.asarray(c, dtype=np.float64)
    return c * dual_direction(c * np.asarray(g, dtype=np.float64), p)
