"""The radius from which robust training leaves nothing to attack."""

from __future__ import annotations

import numpy as np
import pytest
from support.makers import estimator, make

import fastaif as fa


@pytest.mark.parametrize("mask", [None, [True, False, True, True, False]])
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("kind", ["linear", "logistic", "poisson", "huber"])
def test_on_both_sides_of_it(kind, p, mask):
    X, y, w = make(kind, n=80, weighted=True)
    model = estimator(kind, 0.03).fit(X, y, w)
    scale = np.array([1.0, 2.0, 0.5, 1.5, 1.0])
    options = {"p": p, "sample_weight": w, "feature_scale": scale, "attackable": mask}
    eps = fa.zero_radius(model, X, y, **options)
    attacked = np.ones(5, dtype=bool) if mask is None else np.array(mask)
    for share, gone in ((0.999, False), (1.001, True)):
        fit = fa.robust_fit(model, X, y, share * eps, **options)
        assert fit.converged
        assert (np.abs(fit.params[:5][attacked]).max() < 1e-10) == gone


def test_closed_forms():
    """Least squares, and logistic regression, whose radius is half the distance of class means."""
    X, y, _ = make("linear")
    model = fa.LinearRegression(alpha=0.1).fit(X, y)
    pull = np.linalg.norm(((y - y.mean())[:, None] * X).mean(axis=0))
    wanted = pull / np.abs(y - y.mean()).mean()
    assert fa.zero_radius(model, X, y, radius=1.0) == pytest.approx(wanted, rel=1e-12)
    X, y, _ = make("logistic")
    model = fa.LogisticRegression().fit(X, y)
    means = [X[y == side].mean(axis=0) for side in (-1, 1)]
    wanted = 0.5 * np.abs(means[1] - means[0]).max()
    found = fa.zero_radius(model, X, y, p=np.inf, radius=1.0)
    assert found == pytest.approx(wanted, rel=1e-10)
