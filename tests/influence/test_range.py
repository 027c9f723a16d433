"""Where the expansion is rough: what warns, what is silent, and whether that is true."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from oracles import order as twin
from sklearn.datasets import load_diabetes, load_iris
from sklearn.preprocessing import scale
from support.makers import DELTA, LOSS, about, estimator, make

import fastaif as fa
from fastaif.families.linear.prediction_error import departure
from fastaif.families.linear.shared_attack import attacked_slopes
from fastaif.utils.warnings import FlipWarning, RangeWarning

ALL = [1.0, 1.5, 2.0, 4.0, np.inf]


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    X = scale(X)
    return fa.LinearRegression().fit(X, y), X, y


def fading(result):
    """Where s E‖∇_x l‖ + eps (dΦ)ᵀI is zero: its slope is -IᵀHI."""
    return result.value_derivative / (result.influence @ result.hessian @ result.influence)


@pytest.mark.parametrize("order", ALL)
def test_far_out_every_order_warns(diabetes, order):
    """S is many times the exact cost there, and more than the loss of the mean alone."""
    model, X, y = diabetes
    result = fa.aif(model, X, y, order=order)
    with pytest.warns(RangeWarning, match=r"rough there; verify\(eps\)"):
        predicted = result.sensitivity(0.1, expansion="quadratic")
    assert predicted > np.var(y)
    assert result.rough_at(0.1, expansion="quadratic")
    with pytest.warns(RangeWarning):
        fa.aif(model, X, y, order=order).predict_params(0.1, expansion="linear")


@pytest.mark.parametrize("order", ALL)
def test_silent_where_predictions_are_good(diabetes, order):
    model, X, y = diabetes
    result = fa.aif(model, X, y, order=order)
    eps = 0.1 * min(fading(result), result.validity_radius)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predicted = result.sensitivity(eps, expansion="quadratic")
    assert result.rough_at(eps, expansion="quadratic") == ""
    assert predicted == about(result.verify(eps).exact_cost, 0.2)


@pytest.mark.parametrize("order", ALL)
@pytest.mark.parametrize("p", [2.0, np.inf])
@pytest.mark.parametrize("kind", ["linear", "logistic", "poisson"])
def test_a_quarter_of_the_steepness(kind, p, order):
    """Silent up to a quarter of the way to where nothing would be left, as far as that goes."""
    models = {"linear": fa.LinearRegression, "logistic": fa.LogisticRegression,
              "poisson": fa.PoissonRegression}  # fmt: skip
    X, y, _ = make(kind, n=200, m=4, seed=5)
    result = fa.aif(models[kind](alpha=0.01).fit(X, y), X, y, p=p, order=order)
    eps = 0.25 * fading(result)
    others = result.flip_fraction(eps) > 0.05 or (order == 1 and eps > result.validity_radius)
    if not others:
        assert result.rough_at(eps * (1 - 1e-9), expansion="quadratic") == ""
    assert result.rough_at(eps * (1 + 1e-9), expansion="quadratic")
    why = result.rough_at(4.1 * eps, expansion="quadratic")
    assert "all of the loss" in why or result.flip_fraction(4.1 * eps) > 0.05


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("kind", ["linear", "rkhs", "quadratic"])
def test_flips_of_shared_budgets_count_signs(kind, order):
    models = {
        "linear": fa.LinearRegression(),
        "quadratic": fa.QuadraticRegression(alpha=0.1),
        "rkhs": fa.KernelRegression(fa.kernels.RBF(0.3), alpha=0.1, centers="fixed"),
    }
    X, y, _ = make("linear", n=60, m=3)
    model = models[kind].fit(X, y)
    result = fa.aif(model, X, y, order=order)
    f, speed, _ = result.problem.moves(result.influence)
    eps = np.array([1e-3, 0.01, 0.1, 1.0])
    walked = [np.mean(np.sign(f + e * speed - y) != np.sign(f - y)) for e in eps]
    np.testing.assert_allclose(result.flip_fraction(eps), walked, atol=1e-12)
    assert result.flip_fraction(1.0) > 0.05
    with pytest.warns(FlipWarning, match="attacks have turned round"):
        result.sensitivity(1.0, expansion="quadratic")


def test_beyond_another_steepest_sample():
    X, y, _ = make("linear", n=200, m=4, seed=5)
    result = fa.aif(fa.LinearRegression().fit(X, y), X, y, order=1)
    eps = result.validity_radius
    assert eps < 0.25 * fading(result)
    assert result.rough_at(0.5 * eps, expansion="quadratic") == ""
    assert "another sample" not in result.rough_at(eps * (1 - 1e-9), expansion="quadratic")
    with pytest.warns(RangeWarning, match="another sample has become the steepest"):
        result.sensitivity(eps * (1 + 1e-9), expansion="quadratic")


def test_accumulated_results_warn_as_well(diabetes):
    model, X, y = diabetes
    total = fa.InfluenceAccumulator(model)
    total.update(X, y)
    result = total.result()
    eps = fading(fa.aif(model, X, y))
    assert result.rough_at(0.2 * eps, expansion="quadratic") == ""
    with pytest.warns(RangeWarning, match="rough there$"):
        result.sensitivity(0.3 * eps, expansion="quadratic")


def test_a_path_without_a_kink_has_an_end(diabetes):
    """Smooth as the line is, exact robust training ends where no slope is left."""
    model, X, y = diabetes
    result = fa.aif(model, X, y, order=2)
    assert result.validity_radius == np.inf
    what = f"by ε = {fading(result):.2g} the loss would no longer be steep in the inputs"
    assert what in result.validity_reason
    end = fa.robust_fit(model, X, y, 1.0, order=2)
    np.testing.assert_array_equal(end.params[:10], 0.0)


def test_the_report_marks_what_is_rough(diabetes):
    model, X, y = diabetes
    result = fa.aif(model, X, y, order=2)
    good, bad = 0.1 * fading(result), 2.0 * fading(result)
    lines = result.summary(eps=[good, bad]).splitlines()
    assert any(line.strip().startswith(f"{bad:g}") and line.endswith("*") for line in lines)
    assert any(line.strip().startswith(f"{good:g}") and line.endswith("%") for line in lines)
    assert any(line.startswith("* S is rough (") for line in lines)
    assert "rough" not in result.summary(eps=[good])


@pytest.mark.parametrize("order", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf])
def test_the_departure_is_a_newton_step(kind, p, order):
    """From the prediction, on the robust objective, whose gradient is taken by differences."""
    if order == 2.0 and kind != "linear":
        pytest.skip("the worst attack has no closed form")
    data = make(kind, weighted=True)
    model = estimator(kind, 0.03).fit(data.X, data.y, sample_weight=data.w)
    eps = 0.02 if order > 1.0 else 1e-3
    result = fa.aif(model, data.X, data.y, sample_weight=data.w, p=p, order=order)
    theta = result.params + eps * result.influence

    def objective(at):
        return twin.robust_objective(
            data.X, data.y, at, eps, alpha=0.03, loss=LOSS[kind], p=p, order=order,
            sample_weight=data.w, delta=DELTA,
        )  # fmt: skip

    steps = 1e-6 * np.eye(len(theta))
    gradient = np.array([objective(theta + h) - objective(theta - h) for h in steps]) / 2e-6
    square = gradient @ np.linalg.solve(result.hessian, gradient)
    wanted = np.sqrt(square / (result.influence @ result.hessian @ result.influence)) / eps
    found = departure(result.problem, eps * result.influence, eps)
    assert found == pytest.approx(wanted, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("order", [1.25, 1.5, 3.0])
def test_a_few_steps_of_the_attack_will_do(kind, order):
    """The departure of other orders is about that of the best attack that is known."""
    data = make(kind)
    result = fa.aif(estimator(kind, 0.03).fit(data.X, data.y), data.X, data.y, order=order)
    theta = result.params + 0.02 * result.influence
    problem, m = result.problem, data.X.shape[1]
    _, slopes, push = attacked_slopes(problem, theta, 0.02)
    gradient = np.append(data.X.T @ slopes + push, slopes.sum()) + 2.0 * problem.shrinkage(theta)
    assert len(gradient) == m + 1
    square = gradient @ np.linalg.solve(result.hessian, gradient)
    wanted = np.sqrt(square / (result.influence @ result.hessian @ result.influence)) / 0.02
    found = departure(problem, 0.02 * result.influence, 0.02)
    assert found == pytest.approx(wanted, rel=0.2, abs=0.02)


@pytest.mark.filterwarnings("ignore::fastaif.SolverWarning")
@pytest.mark.long
@pytest.mark.parametrize("eps", [1e-4, 1e-3, 0.01])
@pytest.mark.parametrize("p", [2.0, np.inf])
def test_little_noise_and_a_shared_budget(rng, p, eps):
    """Soon the worst attack spends all on one sample, which no slope at eps = 0 can tell."""
    X = rng.normal(size=(300, 5))
    y = X @ [1.0, 0.5, -0.5, 0.0, 2.0] + 0.01 * rng.normal(size=300)
    result = fa.aif(fa.LinearRegression().fit(X, y), X, y, p=p, order=1.25)
    assert result.verify(eps).params_error > 0.3
    assert result.rough_at(eps, expansion="quadratic")


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    X, y = scale(X[50:]), (y[50:] == 2).astype(int)
    return fa.LogisticRegression().fit(X, y), X, y


@pytest.mark.parametrize(("p", "eps"), [(1.0, 1e-3), (1.0, 0.01), (2.0, 0.1), (2.0, 0.3)])
def test_smooth_and_still_rough(iris, p, eps):
    """No sample flips, but the prediction is far off: too much by ten, or too little."""
    model, X, y = iris
    result = fa.aif(model, X, y, p=p)
    found = result.verify(eps)
    assert not 0.5 < found.predicted_cost / found.exact_cost < 2.0
    assert "the norm of the coefficients has bent" in result.rough_at(eps, expansion="quadratic")


def test_little_noise(rng):
    """A few flips are too many where residuals are small."""
    X = rng.normal(size=(400, 5))
    y = X @ [1.0, 0.5, -0.5, 0.0, 2.0] + 0.01 * rng.normal(size=400)
    result = fa.aif(fa.LinearRegression().fit(X, y), X, y)
    assert result.flip_fraction(2e-3) < 0.05
    assert result.verify(2e-3).params_error > 0.5
    assert result.rough_at(2e-3, expansion="quadratic")
    assert not result.rough_at(1e-4, expansion="quadratic")


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_good_predictions_of_a_curved_loss_are_silent(iris, p):
    model, X, y = iris
    result = fa.aif(model, X, y, p=p)
    eps = 1e-5 if p == 1.0 else 3e-3
    found = result.verify(eps)
    assert found.params_error < 0.1
    assert result.rough_at(eps, expansion="quadratic") == ""


def test_astronomic_radii_are_rough(iris):
    """The robust loss overflows there."""
    _, X, _ = iris
    y = np.arange(len(X)) % 7
    result = fa.aif(fa.PoissonRegression().fit(X, y), X, y)
    assert result.rough_at(1e4, expansion="quadratic")
