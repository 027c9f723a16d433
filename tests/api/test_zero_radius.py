"""What has no zero radius is told so."""

from __future__ import annotations

import pytest
from support.makers import make

import fastaif as fa


def test_refused_by_name():
    X, y, _ = make("linear")
    model = fa.QuadraticRegression(alpha=0.1).fit(X, y)
    with pytest.raises(ValueError, match="linear predictors alone"):
        fa.zero_radius(model, X, y)
    with pytest.raises(ValueError, match="order inf"):
        fa.zero_radius(fa.LinearRegression().fit(X, y), X, y, order=2)
