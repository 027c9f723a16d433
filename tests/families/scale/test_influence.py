"""The influence of HuberRegressor, its scale included, against complex steps and refits."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from oracles import huber_scale as twin
from scipy.optimize import minimize
from sklearn.linear_model import HuberRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from support.makers import about, assert_close, relative_error

import fastaif as fa

OPTIONS = {"tol": 1e-10, "max_iter": 5000, "alpha": 0.3, "epsilon": 1.5}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def data(n=120, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)) * [1.0, 2.0, 0.5] + [0.5, -1.0, 0.0]
    y = X @ [1.0, -0.5, 0.7] + 0.4 + rng.standard_t(3, size=n)
    return X, y, rng.integers(1, 4, size=n).astype(float)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, np.inf])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_everything_agrees_with_complex_steps(p, intercept, weighted):
    X, y, w = data()
    w = w if weighted else None
    model = HuberRegressor(fit_intercept=intercept, **OPTIONS).fit(X, y, w)
    result = fa.aif(model, X, y, p=p, sample_weight=w, refine=True)
    total = len(y) if w is None else w.sum()
    known = twin.everything(
        X, y, result.params, delta=1.5, alpha=0.3 / total, p=p, intercept=intercept,
        sample_weight=w,
    )  # fmt: skip
    assert_close(model.coef_, result.params[:3], 1e-4)
    assert model.scale_ == about(result.params[-1], 1e-4)
    assert np.abs(known["gradient"]).max() < 1e-9
    assert result.radius == about(known["radius"])
    assert_close(result.mixed, known["mixed"], 1e-8)
    assert_close(result.hessian, known["hessian"], 1e-8)
    assert_close(result.influence, known["influence"], 1e-8)
    zeta = -np.linalg.solve(known["hessian"], known["shares"].T).T
    assert_close(result.per_sample(), zeta, 1e-8)
    assert list(result.names) == ["x0", "x1", "x2", *["intercept"] * intercept, "scale"]


def robust_objective(theta, X, y, rho, delta, alpha):
    """The exact robust objective for p = 2: residuals grow by ρ‖β‖."""
    r = np.abs(X @ theta[:3] + theta[3] - y) + rho * np.linalg.norm(theta[:3])
    s = theta[-1]
    loss = s + np.where(r < delta * s, r * r / s, 2 * delta * r - delta**2 * s)
    return loss.mean() + alpha * theta[:3] @ theta[:3]


def test_robust_optima():
    X, y, _ = data()
    model = HuberRegressor(**OPTIONS).fit(X, y)
    result = fa.aif(model, X, y, refine=True)
    start = result.problem.model.rebuild(result.params)
    errors = []
    for eps in (1e-4, 1e-5):
        robust = fa.robust_fit(start, X, y, eps)
        assert robust.converged
        assert robust.method == "exact"
        errors.append(relative_error((robust.params - result.params) / eps, result.influence))
    assert errors[1] < 0.01
    robust = fa.robust_fit(start, X, y, 0.02)
    args = (X, y, 0.02 * result.radius, 1.5, 0.3 / len(y))
    found = minimize(
        robust_objective, robust.params, args, "Nelder-Mead",
        options={"xatol": 1e-10, "fatol": 1e-15, "maxiter": 20000, "maxfev": 20000},
    )  # fmt: skip
    assert robust.objective == about(robust_objective(robust.params, *args), 1e-12)
    assert robust.objective <= found.fun * (1 + 1e-7)
    assert isinstance(robust.estimator, HuberRegressor)
    assert robust.estimator.scale_ == robust.params[-1]


def test_attacks_are_the_worst():
    X, y, _ = data()
    model = HuberRegressor(**OPTIONS).fit(X, y)
    for p, q in ((1, np.inf), (2, 2), (np.inf, 1)):
        s = np.linalg.norm(X, ord=p, axis=1).mean()
        moved = fa.attack(model, X, y, 0.1, p=p)
        r, worst = model.predict(X) - y, model.predict(moved) - y
        gain = 0.1 * s * np.linalg.norm(model.coef_, ord=q)
        np.testing.assert_allclose(np.abs(worst), np.abs(r) + gain, rtol=1e-10)
        radii = fa.robustness_radius(model, X, y, p=p, change=0.5)
        np.testing.assert_allclose(radii, 0.5 / (s * np.linalg.norm(model.coef_, ord=q)))


@pytest.mark.parametrize("space", ["raw", "scaled"])
def test_behind_a_scaler(space):
    X, y, _ = data()
    pipe = make_pipeline(StandardScaler(), HuberRegressor(**OPTIONS)).fit(X, y)
    result = fa.aif(pipe, X, y, attack_space=space, refine=True)
    scaler = pipe[0]
    known = twin.everything(
        X, y, result.params, delta=1.5, alpha=0.3 / len(y), p=2.0, shift=scaler.mean_,
        scale=scaler.scale_, attack_space=space,
    )  # fmt: skip
    assert_close(result.influence, known["influence"], 1e-8)
    raw = result.influence_raw
    np.testing.assert_allclose(raw[:3], result.influence[:3] / scaler.scale_)
    assert raw[-1] == result.influence[-1]
    attacked = fa.attack(pipe, X, y, 0.1, attack_space=space)
    step = pipe[-1]
    theta = np.r_[step.coef_, step.intercept_, step.scale_]
    wanted = twin.losses(theta, scaler.transform(attacked), y, 1.5, True).real.mean()
    assert fa.adversarial_loss(pipe, X, y, 0.1, attack_space=space) == about(wanted, 1e-10)


def test_where_the_expansion_ends():
    X, y, _ = data()
    result = fa.aif(HuberRegressor(**OPTIONS).fit(X, y), X, y, refine=True)
    eps, delta = result.validity_radius, 1.5

    def regions(size):
        theta = result.params + size * result.influence
        r = X @ theta[:3] + theta[3] - y
        gain = size * result.radius * np.linalg.norm(result.params[:3])
        return np.sign(r), np.abs(X @ theta[:3] + theta[3] - y) + gain < delta * theta[-1]

    before, inside = regions(0.0)
    for size, same in ((0.999 * eps, True), (1.001 * eps, False)):
        signs, now = regions(size)
        assert (np.array_equal(signs, before) and np.array_equal(now, inside)) == same


@pytest.mark.filterwarnings("ignore::fastaif.utils.warnings.StationarityWarning")
def test_corners_are_counted():
    X, y, _ = data()
    model = HuberRegressor(**OPTIONS).fit(X, y)
    y = y.copy()
    y[3] = model.predict(X[3:4])[0] + 1.5 * model.scale_
    with pytest.warns(fa.InfluenceWarning, match=r"1 samples sit at the corner of the loss"):
        result = fa.aif(model, X, y, refine=False)
    assert result.diagnostics["kinked_pairs"] == 1


def test_what_is_refused_and_kept():
    X, y, _ = data()
    model = HuberRegressor(**OPTIONS).fit(X, y)
    with pytest.raises(ValueError, match="HuberRegressor is not taken by an InfluenceAccumulator"):
        fa.InfluenceAccumulator(model).update(X, y)
    pipe = make_pipeline(PolynomialFeatures(2), HuberRegressor(**OPTIONS)).fit(X, y)
    with pytest.raises(TypeError, match=r"before a HuberRegressor.*fastaif.HuberRegression"):
        fa.aif(pipe, X, y)
    with pytest.raises(ValueError, match="solver='cg' is not for a huber model"):
        fa.aif(model, X, y, solver="cg")
    result = fa.aif(model, X, y, refine=True)
    again = pickle.loads(pickle.dumps(result))
    np.testing.assert_array_equal(again.influence, result.influence)
    assert result.sensitivity(1e-4) > 0
    assert result.conf_int(method="clt").shape == (5, 2)
    assert result.verify(1e-4).params_error < 0.2


def test_an_exact_fit_has_no_scale():
    X, _, _ = data()
    y = X @ [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match=r"the fitted scale is .*fits every target exactly"):
        fa.aif(HuberRegressor(epsilon=1.5).fit(X, y), X, y)
