"""The influence in raw units, behind a scaler."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.makers import estimator, make

import fastaif as fa


@pytest.mark.parametrize("with_mean", [True, False])
def test_predictions_move_alike_in_both_units(kind, with_mean):
    X, y, _ = make(kind)
    X = X + 3.0
    scaler = StandardScaler(with_mean=with_mean)
    result = fa.aif(make_pipeline(scaler, estimator(kind, 0.05)).fit(X, y), X, y)
    inner, raw = result.influence, result.influence_raw
    moved = scaler.transform(X) @ inner[:-1] + inner[-1]
    np.testing.assert_allclose(X @ raw[:-1] + raw[-1], moved, rtol=1e-10, atol=1e-12)
