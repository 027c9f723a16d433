"""Which attacked rows are surely within bounds, and not too long: ‖(x' − x)/c‖_p ≤ size.

A row that is next to a bound, or of a size whose square is none, may be inside and not surely so.
"""

from __future__ import annotations

import math

from .jit import STRICT, operation

_ADDED_UP = 64  # entries, after which sums begin anew


@operation(fastmath=STRICT)
def _is_inside(x, to, scale, bounds, size, p):
    total, part = 0.0, 0.0
    for k in range(x.size):
        a, b = float(x[k]), float(to[k])
        way = abs(b - a)
        if not (b >= bounds[0, k] and b <= bounds[1, k] and way <= scale[k] * size):
            return False
        t = way * (1.0 / scale[k]) if scale[k] > 0.0 else 0.0
        part += t * t if p == 2.0 else t
        if k % _ADDED_UP == _ADDED_UP - 1:
            total += part
            part = 0.0
    if math.isinf(p) or size == 0.0:
        return True
    if p == 1.0:
        return total + part <= size
    return size > 1e-145 and size < 1e145 and math.sqrt(total + part) <= size


@operation(fastmath=STRICT)
def rows_inside(x, attacked, scale, bounds, sizes, p, inside):
    """Rows one by one.

    Parameters
    ----------
    x, attacked : arrays (n, m)
    scale : array (m,)
        c; 0 where nothing may move.
    bounds : array (2, m)
    sizes : array (n,)
    p : float
        1, 2 or inf.
    inside : array (n,)
        Written: 1 or 0.
    """
    for i in range(x.shape[0]):
        inside[i] = 1.0 if _is_inside(x[i], attacked[i], scale, bounds, sizes[i], p) else 0.0
