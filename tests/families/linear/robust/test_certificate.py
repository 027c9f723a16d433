"""What a dual point proves is a lower bound of the robust objective, whatever the point."""

from __future__ import annotations

import numpy as np
import pytest
from support.makers import estimator, make

import fastaif as fa
from fastaif.families.linear.robust.certificate import duality_gap
from fastaif.families.linear.robust.design import Design
from fastaif.families.linear.robust.dual_points import at_ends
from fastaif.families.linear.robust.objective import RobustProblem

WEIGHTS = np.array([1.0, 0.5, 2.0, 1.5])
EPS = 0.2


def problem_of(kind, p, alpha):
    """The robust problem, its rows, its minimiser and its objective."""
    X, y, w = make(kind, n=60, m=4, weighted=True)
    model = estimator(kind, alpha).fit(X, y, w)
    attack = {"p": p, "feature_scale": WEIGHTS, "sample_weight": w}
    result, found = fa.aif(model, X, y, **attack), fa.robust_fit(model, X, y, EPS, **attack)
    inner = result.problem
    assert inner.coordinates is None
    norm, rho = inner.ball.dual_norm().spending(EPS * inner.radius)
    robust = RobustProblem(inner.sweep, alpha, inner.penalized, *norm, rho)
    return robust, Design(inner.sweep), found


@pytest.mark.every
@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_gaps_are_bounds(kind, p, alpha, rng):
    """At points near and far, from multipliers that are right, nearly right and wrong."""
    robust, design, found = problem_of(kind, p, alpha)
    loss, y, w = robust.sweep.loss, design.targets, design.weights

    def objective(theta):
        kappa = robust.rho * robust.norm(theta)
        return float(w @ loss.worst(design.predict(theta), y, kappa)) + robust.penalty(theta)

    least = objective(found.params)
    assert found.objective == pytest.approx(least, rel=1e-12)
    for size in (0.0, 1e-3, 0.1, 1.0):
        at, there = found.params + size * rng.normal(size=(2, 5))
        f, kappa = design.predict(at), robust.rho * robust.norm(at)
        gap_of_ends = loss.end_gap(f, y, kappa)
        for balance in (np.sign(gap_of_ends), rng.uniform(-1.0, 1.0, y.size)):
            rows = at_ends(loss, y, w, f, kappa, balance)
            for theta in (at, there, found.params):
                gap = duality_gap(robust, design, theta, rows)
                assert gap >= objective(theta) - least - 1e-11 * least


@pytest.mark.filterwarnings("ignore::fastaif.SolverWarning")
@pytest.mark.parametrize("limit", [{"max_iter": 1}, {"tol": 1e-2}, {"tol": 1e-4}], ids=str)
@pytest.mark.parametrize("kind", ["poisson", "logistic"])
def test_gaps_bound_what_is_left_where_little_is_attacked(kind, limit):
    """Near the zero radius a fit may stop at θ = 0, with all of the intercept's slope left."""
    for seed in range(6):
        r = np.random.default_rng(seed)
        X = r.normal(size=(60, 3))
        f = X @ [0.5, -0.25, 0.15] + 1.0
        if kind == "poisson":
            model, y = fa.PoissonRegression(), r.poisson(np.exp(f)).astype(float)
        else:
            model, y = fa.LogisticRegression(alpha=0), np.sign(f + r.logistic(size=60))
        eps = 0.9 * fa.zero_radius(model.fit(X, y), X, y)
        found, best = (fa.robust_fit(model, X, y, eps, **k) for k in (limit, {}))
        true = (found.objective - best.objective) / abs(best.objective)
        assert found.gap >= true - 1e-12


@pytest.mark.parametrize("p", [2.0, np.inf])
def test_penalties_that_are_nothing_beside_the_data_leave_gaps_finite(p, rng):
    """Their square takes up no rounding; what is proven without them is proven with them."""
    X = rng.normal(size=(60, 3))
    y = X @ rng.normal(size=3) + 0.5 * rng.normal(size=60)
    for alpha, unit in ((0.01, 1e150), (1e-25, 1.0), (1e-40, 1.0)):
        model = fa.HuberRegression(alpha=alpha, delta=0.3).fit(unit * X, y)
        plain = fa.robust_fit(fa.HuberRegression(delta=0.3).fit(X, y), X, y, 0.1, p=p)
        for tol in (1e-12, 1e-6):
            found = fa.robust_fit(model, unit * X, y, 0.1, p=p, tol=tol)
            assert found.converged, (alpha, unit, tol)
            assert found.gap <= max(tol, 1e-10), (alpha, unit, tol)
            assert np.isclose(found.objective, plain.objective, rtol=2.0 * max(tol, 1e-10))
