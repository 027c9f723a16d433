"""Coordinate descent for convex quadratics over a box, until what is at its bounds stays so.

Which entries are at their bounds at the minimum is what takes an active-set method its time; few
sweeps over the entries tell it, each of k updates of the gradient (k,), and where they do not the
method has a start that is nearer.
"""

from __future__ import annotations

from .jit import STRICT, operation

_CALM = 3  # sweeps


@operation(fastmath=STRICT)
def _side(x, low, high):
    if x <= low:
        return -1
    return 1 if x >= high else 0


@operation(fastmath=STRICT)
def _sweep(G, low, high, x, gradient):
    """Each entry in turn to where J is least along it; how many change sides."""
    k, changed = x.size, 0
    for i in range(k):
        bend = G[i, i]
        if not bend > 0.0:
            continue
        new = x[i] - gradient[i] / bend
        if new < low[i]:
            new = low[i]
        elif new > high[i]:
            new = high[i]
        move = new - x[i]
        if move == 0.0:
            continue
        if _side(new, low[i], high[i]) != _side(x[i], low[i], high[i]):
            changed += 1
        x[i] = new
        for j in range(k):
            gradient[j] += move * G[i, j]
    return changed


@operation(fastmath=STRICT)
def box_descent(G, low, high, x, gradient, n_sweeps):
    """Towards the minimum of ½ xᵀGx + bᵀx over low ≤ x ≤ high.

    Parameters
    ----------
    G : array (k, k)
        Symmetric; an entry whose diagonal is 0 stays.
    low, high : arrays (k,)
    x : array (k,)
        The start, replaced by where it ends.
    gradient : array (k,)
        Gx + b at the start, replaced by that at the end.
    n_sweeps : int
        At most; three after which nothing has come to a bound, or left one, end it.
    """
    calm = 0
    for _ in range(n_sweeps):
        calm = 0 if _sweep(G, low, high, x, gradient) else calm + 1
        if calm == _CALM:
            break
