"""Which solver suits how many parameters."""

from __future__ import annotations

import functools
import os

LARGEST = 10_000  # beyond it d³ operations take minutes
LARGEST_AUTODIFF = 4000  # where every column of H costs a pass of a framework's
_COPIES = 6  # partial sums of H, H itself and its factor, all alive at once
_SHARE = 0.25  # of the machine's memory


def cholesky_fits(d: int, largest: int | None = None) -> bool:
    """Whether H (d, d), its partial sums and its factor fit comfortably."""
    limit = LARGEST if largest is None else largest
    return d <= limit and 8.0 * _COPIES * d * d <= _SHARE * _memory()


def fits(doubles: int) -> bool:
    """Whether so many numbers may be kept to save time."""
    return 8.0 * doubles <= 0.5 * _SHARE * _memory()


def most_products(d: int) -> int:
    """How many products with H conjugate gradients may take."""
    return min(max(1000, 2 * d), 10_000)


@functools.cache
def _memory() -> float:
    """The machine's memory in bytes; 8 GB where the system does not tell."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return 8e9
