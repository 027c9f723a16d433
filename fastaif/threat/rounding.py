"""Attacked inputs in the type of the samples, without leaving the set of allowed attacks.

Rounding x + δ to the nearest number of a short type makes δ longer as often as shorter: by half a
per cent where x is 10⁴ and δ .05 in float32, by a quarter in float16. Rounding towards x cannot.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .attack_set import AttackSet
from .budget import Sharing
from .own_units import OwnUnits

Array = NDArray[Any]

# Attacks stay below their size by what computing a length may hide, and are made a little smaller
# still, so that few of them have to be moved back.
_MARGIN = 1.0 - 1e-15
INWARDS = 1.0 - 4e-15
_STEPS, _HALVINGS = 4, 56


def round_towards(samples: Array, attacked: Array) -> Array:
    """The attacked inputs in the samples' type, none further from x than before.

    Parameters
    ----------
    samples : array (n, m)
        x, of a real type.
    attacked : array (n, m), float64
        x + δ.
    """
    with np.errstate(over="ignore"):  # to infinity, and back
        out = attacked.astype(samples.dtype)
    here = samples.astype(np.float64)
    longer = np.abs(out.astype(np.float64) - here) > np.abs(attacked - here)
    out[longer] = np.nextafter(out[longer], samples[longer])
    return out


def keep_inside(samples: Array, attacked: Array, attacks: AttackSet, size: Any) -> None:
    """Move rows that rounding left outside of a set of a size, or of (n,) sizes, back, in place.

    First by a little of their attacks, which brings most of float64 inside, then by their last
    digits. In a metric that may lead further out: what is outside still is taken back along its
    whole attack, at worst to the sample.
    """
    unsure = ~attacks.surely_keeps(attacked, size * _MARGIN, samples)
    if unsure.any() and samples.dtype == np.float64:
        unsure = _shortened(samples, attacked, attacks, size, unsure)
    if unsure.all():
        _bring_inside(samples, attacked, attacks, size)
    elif unsure.any():
        few = attacked[unsure]
        sizes = np.broadcast_to(size, len(attacked))[unsure]
        _bring_inside(samples[unsure], few, attacks, sizes)
        attacked[unsure] = few


def _shortened(
    samples: Array, attacked: Array, attacks: AttackSet, size: Any, unsure: Array
) -> Array:
    """Which rows (n,) are unsure still, once those that are inside by it are a little nearer."""
    nearer = attacked - samples
    nearer *= INWARDS
    nearer += samples
    attacks.keep_within(nearer)
    came = unsure & attacks.surely_keeps(nearer, size * _MARGIN, samples)
    np.copyto(attacked, nearer, where=came[:, None])
    return np.asarray(unsure & ~came)


def _bring_inside(samples: Array, attacked: Array, attacks: AttackSet, size: Any) -> None:
    """The same of rows that all have to be looked at."""
    attacks.keep_within(attacked)
    here = samples.astype(np.float64, copy=False)
    back = float(np.finfo(attacked.dtype).eps)
    for step in range(_STEPS + _HALVINGS):
        delta = attacked.astype(np.float64) - samples
        outside = ~attacks.keeps(delta, size * _MARGIN, here)
        if not outside.any():
            return
        if step < _STEPS:
            attacked[outside] = np.nextafter(attacked[outside], samples[outside])
            continue
        shorter = here[outside] + (1.0 - back) * delta[outside]
        attacked[outside] = round_towards(samples[outside], shorter)
        back = min(2.0 * back, 1.0)


def keep_within_budget(
    samples: Array, attacked: Array, own: OwnUnits, size: float, sharing: Sharing, shares: Array
) -> None:
    """Move all rows back by their last digits, in place, where rounding left them over the budget
    (E (‖δ/c‖/size)^u)^{1/u} ≤ 1 that they share."""
    for _ in range(_STEPS):
        delta = attacked.astype(np.float64) - samples
        sizes = own.lengths(delta[:, own.free] / own.scale) / (size or 1.0)
        if not sharing.spent(sizes, shares) > _MARGIN:
            return
        attacked[...] = np.nextafter(attacked, samples)
