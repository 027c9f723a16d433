"""Sums where samples share a budget: every part times the shares (g/M)^e, g = |ℓ'|."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import losses
from support.makers import DELTA, LOSS, about, make
from support.sums import ALL, sweep


@pytest.mark.parametrize("exponent", [0.5, 1.0, 3.0, np.inf])
def test_mixed_sums(engine, kind, exponent):
    X, y, w = make(kind, weighted=True)
    theta = np.append(np.linspace(0.3, -0.2, X.shape[1]), 0.1)
    _, slope, curvature = losses.loss(LOSS[kind], X @ theta[:-1] + theta[-1], y, DELTA)
    sums = sweep(kind, X, y, w).run(theta, ALL, exponent=exponent)
    gains, w = np.abs(slope), w / w.sum()
    peak = gains[w > 0.0].max()
    ratios = gains / peak
    shares = ratios**exponent if exponent < np.inf else (ratios >= 1.0 - 1e-13) * 1.0
    assert sums.peak == about(peak, 1e-12)
    assert sums.power == about(w @ (shares * ratios), 1e-12)
    Z = np.column_stack([X, np.ones(len(X))])
    wanted = Z.T @ (w * shares * curvature * np.sign(slope))
    np.testing.assert_allclose(sums.mixed_direction, wanted, rtol=1e-10, atol=1e-12)
