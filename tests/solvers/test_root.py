"""Roots of functions that do not fall."""

from __future__ import annotations

import numpy as np
import pytest

from fastaif.solvers.root import about_root, rising_root


@pytest.mark.parametrize(
    ("function", "root"),
    [
        (lambda t: t**3 - 0.2, 0.2 ** (1 / 3)),
        (lambda t: -1.0 if t < 0.3 else 5.0, 0.3),
        (lambda t: np.inf if t > 0.7 else t - 0.4, 0.4),
        (lambda t: t + 0.1, 0.0),
        (lambda t: t - 2.0, 1.0),
    ],
)
def test_roots(function, root):
    """Of curves, at jumps, where it overflows, and at both ends; to a few digits in few calls."""
    calls = []

    def counted(t):
        calls.append(t)
        return function(t)

    assert rising_root(function, 1.0) == pytest.approx(root, abs=1e-12)
    assert about_root(counted, 1.0) == pytest.approx(root, abs=2e-2)
    assert len(calls) <= 25
