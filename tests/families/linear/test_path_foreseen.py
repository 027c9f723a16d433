"""Where starts between solved radii come from, and what that saves."""

from __future__ import annotations

import numpy as np
import pytest

import fastaif as fa
from fastaif.families.linear.path.dense import Knot, Segment
from fastaif.families.linear.path.local import Multipliers


def correlated(rng, n=3000, m=20):
    X = rng.normal(size=(n, m)) @ (np.eye(m) + 0.3 * rng.normal(size=(m, m)))
    f = X @ rng.normal(size=m)
    return X, f + f.std() * rng.normal(size=n)


@pytest.mark.parametrize(("p", "hessians", "passes"), [(1.0, 9, 57), (np.inf, 9, 54)])
def test_paths_that_bend_at_kinks_take_few_readings(p, hessians, passes, rng):
    """Of correlated columns; cubics foresaw ties that were not there, at up to twice the passes."""
    X, f = correlated(rng)
    y = (f > 0.0).astype(float)
    model = fa.LogisticRegression(alpha=1e-3).fit(X, y)
    eps = 0.9 * fa.zero_radius(model, X, y, p=p) * np.linspace(0.01, 1.0, 100)
    path = fa.robust_path(model, X, y, eps, p=p)
    assert path.solver.n_hessians <= hessians
    assert path.n_passes <= passes
    assert path.gap(eps).max() <= 1e-8
    some = eps[[2, 50, 99]]
    wanted = [fa.robust_fit(model, X, y, e, p=p, tol=1e-11).objective for e in some]
    np.testing.assert_allclose(path.objective(some), wanted, rtol=1e-10)


def test_lines_keep_to_kinks_that_both_ends_have_in_common():
    ends = [
        Knot(eps, np.array(theta), np.array(tangent), Multipliers.none(), 1.0, 0.0, np.empty(0))
        for eps, theta, tangent in (
            (0.1, [0.5, 0.5, -0.5, 0.2, 0.0], [1.0, 2.0, 0.0, 0.0, 3.0]),
            (0.3, [0.3, 0.3, -0.3, 0.3, 0.0], [-1.0, 0.0, 2.0, 0.0, 1.0]),
        )
    ]
    segment = Segment(*ends)
    np.testing.assert_allclose(segment.on_line(0.25), [0.45, 0.45, -0.45, 0.225, 0.0], rtol=1e-15)
    foreseen = segment.at(np.array([0.25]))[:, 0]
    assert foreseen[4] != 0.0
    assert np.ptp(np.abs(foreseen[:3])) > 1e-3
