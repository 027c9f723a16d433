"""Attacks on softmax models and training against them, against brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from oracles import softmax as twin
from oracles.norms import dual_order, norm
from support.makers import about, assert_close, relative_error
from support.softmax_makers import fitted, make, theta_of

import fastaif as fa
from fastaif.families.registry import adversary_of
from fastaif.families.softmax import certificate as bounds
from fastaif.families.vector import robust
from fastaif.losses.softmax import Softmax
from fastaif.threat.own_units import OwnUnits

pytestmark = pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning")


def losses_of(model, X, y):
    return twin.losses(twin.logits(X, theta_of(model), len(model.coef_), True), y)


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf])
def test_influence_is_the_slope_of_robust_optima(p):
    data = make(4)
    model = fitted(data)
    result = fa.aif(model, data.X, data.y, p=p, sample_weight=data.w)
    errors = []
    for eps in (1e-4, 1e-5):
        robust = fa.robust_fit(model, data.X, data.y, eps, p=p, sample_weight=data.w)
        assert robust.converged
        slope = (robust.params - result.params) / eps
        errors.append(relative_error(slope, result.influence))
    assert errors[0] < 3e-3
    assert errors[1] == pytest.approx(0.1 * errors[0], rel=0.05)


@pytest.mark.parametrize("order", [1.0, 2.0])
def test_values_of_shared_budgets_have_their_slope(order):
    data = make(3)
    model = fitted(data)
    result = fa.aif(model, data.X, data.y, order=order, radius=1.0)
    clean = fa.adversarial_loss(model, data.X, data.y, 0.0, order=order, radius=1.0)
    worse = fa.adversarial_loss(model, data.X, data.y, 1e-5, order=order, radius=1.0)
    assert (worse - clean) / 1e-5 == about(result.value_derivative, 1e-3)


def test_gain_equals_cost():
    data = make(3)
    found = fa.aif(fitted(data), data.X, data.y, sample_weight=data.w).verify(1e-4)
    assert found.exact_cost == about(found.predicted_cost, 1e-3)
    assert found.exact_gain == about(found.predicted_gain, 1e-3)


@pytest.mark.parametrize("p", [1.0, np.inf])
def test_attacks_end_at_the_worst_vertex(p):
    data = make(3, m=3)
    model = fitted(data)
    found = fa.attack(model, data.X, data.y, 0.4, p=p, radius=1.0)
    corners = np.vstack([np.eye(3), -np.eye(3)])
    if np.isinf(p):
        corners = np.array(list(itertools.product([-1.0, 1.0], repeat=3)))
    worst = np.max([losses_of(model, data.X + 0.4 * c, data.y) for c in corners], axis=0)
    np.testing.assert_allclose(losses_of(model, found, data.y), worst, rtol=1e-12)


def test_attacks_in_a_disc_are_the_worst_of_all_around():
    data = make(4, m=2)
    model = fitted(data)
    found = losses_of(model, fa.attack(model, data.X, data.y, 0.8, radius=1.0), data.y)
    angles = np.linspace(0.0, 2.0 * np.pi, 2000)
    around = 0.8 * np.column_stack([np.cos(angles), np.sin(angles)])
    worst = np.max([losses_of(model, data.X + d, data.y) for d in around], axis=0)
    assert np.all(found >= worst - 1e-9)
    np.testing.assert_allclose(found, worst, atol=1e-5)


@pytest.mark.parametrize("p", [2.0, 3.0, np.inf])
def test_the_certificate_bounds_every_attack(p):
    data = make(4)
    model = fitted(data)
    problem = fa.aif(model, data.X, data.y, p=p, sample_weight=data.w).problem
    W, b = model.coef_, model.intercept_
    for eps in (0.01, 0.3):
        leads = eps * problem.radius * norm(W[:, None] - W[None], dual_order(p))
        z = data.X @ W.T + b + leads[data.y]
        wanted = np.average(twin.losses(z, data.y), weights=data.w)
        proven = bounds.certificate(problem, problem.params, eps)
        assert adversary_of(problem).loss(problem.params, eps, None) < proven < wanted
    open_ = [
        bounds.certificate(problem, problem.params, eps)
        - adversary_of(problem).loss(problem.params, eps, None)
        for eps in (0.004, 0.002)
    ]
    assert open_[1] < 0.3 * open_[0]  # what it leaves open is of second order
    assert bounds.certificate(problem, problem.params, 1e4) <= 1e4 * wanted / 0.3


@pytest.mark.parametrize("K", [2, 4, 40])
@pytest.mark.parametrize("p", [1.0, np.inf])
def test_no_vertex_is_worse_than_the_certificate(p, K):
    """Of attacks of any size, and models that are sure of their classes or not."""
    rng, m, n = np.random.default_rng(5), 4, 30
    own = OwnUnits(p, np.arange(m), np.ones(m), np.ones(m))
    corners = np.vstack([np.eye(m), -np.eye(m)])
    if np.isinf(p):
        corners = np.array(list(itertools.product([-1.0, 1.0], repeat=m)))
    for scale, rho in itertools.product([1.0, 100.0], [0.0, 1e-3, 0.3, 3.0, 1e4]):
        W, z = rng.normal(size=(K, m)), scale * rng.normal(size=(n, K))
        y = rng.integers(0, K, n)
        worst = np.max([twin.losses(z + rho * c @ W.T, y) for c in corners], axis=0)
        leads = rho * norm(W[:, None] - W[None], dual_order(p))[y]
        for bound in (
            bounds._straightened(own, W, rho, z, y),
            bounds._bounds(Softmax(), own, W, rho, z, y.astype(float)),
        ):
            slack = 1e-13 * np.maximum(worst, 1.0)
            assert np.all(bound >= worst - slack)
            assert np.all(bound <= twin.losses(z + leads, y) + slack)
            if K == 2:
                np.testing.assert_allclose(bound, worst, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_the_certificate_sees_classes_whose_share_underflows(p):
    """Attacks that go far enough bring back a class that has no probability as a number."""
    W, z, y = np.array([[1400.0], [100.0], [-3000.0]]), [[100.0, 900.0, -300.0]], np.array([1.0])
    own = OwnUnits(p, np.arange(1), np.ones(1), np.ones(1))
    proven = bounds._bounds(Softmax(), own, W, 1.0, np.array(z), y)
    worst = [twin.losses(z + side * W.T, np.array([1])) for side in (-1.0, 1.0)]
    assert proven[0] >= np.max(worst)


def test_what_a_robust_fit_says_of_itself():
    data = make(3)
    model, eps = fitted(data), 0.2
    robust = fa.robust_fit(model, data.X, data.y, eps, sample_weight=data.w)
    adversarial = fa.adversarial_loss(
        robust.estimator, data.X, data.y, eps, sample_weight=data.w
    )
    penalty = 0.02 * np.sum(robust.estimator.coef_**2)
    assert robust.objective == about(adversarial + penalty, 1e-10)
    assert robust.method == "pgd"
    assert 1e-6 < robust.gap < 0.1
    rng, best = np.random.default_rng(0), robust.estimator.coef_
    other = fitted(data)
    other.intercept_ = robust.estimator.intercept_
    for _ in range(10):  # convex: no θ around does better
        other.coef_ = best + 0.02 * rng.normal(size=best.shape)
        told = fa.adversarial_loss(other, data.X, data.y, eps, sample_weight=data.w)
        assert told + 0.02 * np.sum(other.coef_**2) > robust.objective


def test_sure_samples_are_attacked_like_the_others():
    data = make(3)
    model = fitted(data)
    calm = fa.attack(model, data.X, data.y, 0.1, p=np.inf, radius=1.0)
    right = model.predict(data.X) == data.y
    model.coef_, model.intercept_ = model.coef_ * 1e5, model.intercept_ * 1e5
    found = fa.attack(model, data.X, data.y, 0.1, p=np.inf, radius=1.0)
    assert np.all(np.abs(found - data.X)[right].max(axis=1) == about(0.1))
    assert np.mean(found == calm) > 0.5


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_radii_of_labels_are_exact(p):
    data = make(3)
    X, y, _ = data
    model = fitted(data)
    radii, exact = fa.robustness_radius(model, X, y, p=p, radius=1.0, return_exact=True)
    assert exact
    assert np.array_equal(radii == 0.0, model.predict(X) != y)
    W, z = model.coef_, model.decision_function(X)
    for i in np.flatnonzero(radii)[:10]:
        others = np.delete(np.arange(3), y[i])
        gaps = [(z[i, y[i]] - z[i, j]) / norm(W[y[i]] - W[j], dual_order(p)) for j in others]
        assert radii[i] == about(min(gaps))
    share = fa.adversarial_accuracy(model, X, y, 0.1, p=p, radius=1.0)
    assert share == np.mean(radii > 0.1)


def test_a_path_is_its_robust_fits():
    data = make(3)
    model = fitted(data)
    path = fa.robust_path(model, data.X, data.y, [0.02, 0.05])
    assert path.converged
    for eps in (0.02, 0.05):
        robust = fa.robust_fit(model, data.X, data.y, eps)
        assert_close(path.params_at(eps), robust.params, 1e-6)
    assert path.cost(0.05) > path.cost(0.02) > 0.0
    assert path.adversarial_loss(0.05) > path.clean_loss(0.05)


def test_ascents_with_a_seed():
    data = make(3)
    model = fitted(data)
    one, two = (
        fa.robust_fit(model, data.X, data.y, 0.1, method="pgd", random_state=seed).params
        for seed in (None, 1)
    )
    assert_close(one, two, 1e-6)


def test_single_precision_stays_inside():
    data = make(3)
    X = data.X.astype(np.float32)
    model = fitted(data)
    found = fa.attack(model, X, data.y, 0.1, radius=1.0)
    assert found.dtype == np.float32
    assert np.linalg.norm(found.astype(float) - X, axis=1).max() <= 0.1


@pytest.mark.parametrize("p", [1.0, np.inf])
def test_optima_at_kinks(p):
    """Attacks tie there: no gradient is zero, but one of a mixture of attacks is."""
    data = make(3, n=40, m=2)
    model, eps = fitted(data), 0.5
    robust = fa.robust_fit(model, data.X, data.y, eps, p=p, sample_weight=data.w)
    assert robust.converged
    assert robust.residual < 1e-5
    rng, best = np.random.default_rng(0), robust.estimator

    def value(coef, intercept):
        other = fitted(data)
        other.coef_, other.intercept_ = coef, intercept
        told = fa.adversarial_loss(other, data.X, data.y, eps, p=p, sample_weight=data.w)
        return told + 0.02 * np.sum(coef**2)

    here = value(best.coef_, best.intercept_)
    assert robust.objective == about(here, 1e-10)
    for size in (1e-1, 1e-2, 1e-3):
        for _ in range(8):
            step = size * rng.normal(size=best.coef_.shape)
            move = size * rng.normal(size=3)
            assert value(best.coef_ + step, best.intercept_ + move) > here - 1e-9


def test_fits_that_stop_early_say_so():
    data = make(3, n=40, m=2)
    with pytest.warns(fa.SolverWarning, match="stopped after"):
        robust = fa.robust_fit(fitted(data), data.X, data.y, 0.6, p=np.inf, max_iter=3)
    assert not robust.converged


def test_fits_between_many_kinks_end_where_little_is_to_be_had(monkeypatch):
    """With many parameters, p = ∞: descent ends once it is slow beside what attacks leave open."""
    monkeypatch.setattr(robust, "_FEW", 40)
    data = make(4, n=90, m=15)
    model = fitted(data)
    with pytest.warns(fa.SolverWarning, match="attacks tie at so many places"):
        found = fa.robust_fit(model, data.X, data.y, 0.1, p=np.inf, sample_weight=data.w)
    natural = fa.adversarial_loss(model, data.X, data.y, 0.1, p=np.inf, sample_weight=data.w)
    penalty = 0.02 * np.sum(model.coef_**2)
    assert not found.converged
    assert found.n_iter < 300
    assert found.objective < 0.99 * (natural + penalty)
    assert 1e-3 < found.gap < 0.03


@pytest.mark.long
def test_a_bundle_tells_how_far_descent_has_come(monkeypatch):
    """Of subgradients in a kink one alone says nothing; what thirty say together no fit refutes."""
    monkeypatch.setattr(robust, "_FEW", 40)
    data = make(4, n=90, m=15)
    above = []
    bundled = robust._bundled

    def seen(objective, end, *given):
        found = bundled(objective, end, *given)
        above.append((end.above, found.above, found.point.value))
        return found

    monkeypatch.setattr(robust, "_bundled", seen)
    with pytest.warns(fa.SolverWarning, match="attacks tie at so many places"):
        found = fa.robust_fit(fitted(data), data.X, data.y, 0.1, p=np.inf, sample_weight=data.w)
    ((alone, together, value),) = above
    assert together < 0.2 * alone
    monkeypatch.setattr(robust, "_FEW", 1000)
    best = fa.robust_fit(fitted(data), data.X, data.y, 0.1, p=np.inf, sample_weight=data.w)
    assert value - best.objective <= together + 1e-9
    assert (1.0 - found.gap) * found.objective <= best.objective <= found.objective * (1.0 + 1e-9)
