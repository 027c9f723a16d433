"""Standard errors and intervals: each draw against a fit of its own, Remark 2, refusals."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from oracles import basis as naive_basis
from oracles import bootstrap as twin
from oracles import gram as naive_gram
from oracles import linear as naive_linear
from sklearn.datasets import load_diabetes
from support import basis_makers, kernel_makers
from support.draws import ALPHA, inspected
from support.makers import DELTA, LOSS, assert_close, estimator, make

import fastaif as fa
from fastaif.influence import bootstrap as inference
from fastaif.utils import validation as _validate

# --- other models -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["quadratic", "fourier", "custom"])
def test_basis_models(name: str) -> None:
    kind = "huber"
    data = basis_makers.make(kind, weighted=True)
    model = basis_makers.estimator(name, kind).fit(data.X, data.y, sample_weight=data.w)
    known, basis = basis_makers.known_to_twin(kind), basis_makers.twin_of(name, model)
    found = fa.aif(model, data.X, data.y, sample_weight=data.w).bootstrap(3, 0)
    for b in range(3):
        w = data.w * twin.weights(_validate.seed(0), b, len(data.y))
        theta = naive_basis.natural_fit(basis, data.X, data.y, sample_weight=w, **known)
        one = naive_basis.influence(basis, data.X, data.y, theta, sample_weight=w, **known)
        assert_close(found.params[b], theta)
        assert_close(found.influence[b], one["influence"])
        size = 0.5 * one["influence"] @ one["hessian_eval"] @ one["influence"]
        assert found.sensitivity_coefficient[b] == pytest.approx(size, rel=1e-9)


@pytest.mark.parametrize(
    ("penalty", "centers"), [("l2", "fixed"), ("rkhs", "fixed"), ("rkhs", "moving"),
                             ("l2", "drawn"), ("rkhs", "drawn")]
)  # fmt: skip
def test_kernel_regressions(penalty: str, centers: str) -> None:
    case = kernel_makers.Case("rbf", penalty, centers)
    data = kernel_makers.positive(kernel_makers.make())
    model = kernel_makers.estimator(case).fit(data.X, data.y, sample_weight=data.w)
    found = fa.aif(model, data.X, data.y, sample_weight=data.w).bootstrap(3, 0)
    for b in range(3):
        w = data.w * twin.weights(_validate.seed(0), b, len(data.y))
        one = dataclasses.replace(kernel_makers.twin_of(case, model, data), sample_weight=w)
        wanted = naive_gram.influence(one, data.X, found.params[b])["influence"]
        assert_close(found.influence[b], wanted, 1e-8)
        slope = one.design(data.X).T @ (one.w * one.residuals(found.params[b], data.X))
        slope += one.alpha * one.penalty_matrix(data.X) @ found.params[b]
        assert np.abs(slope).max() < 1e-12  # θ̂ of the draw is stationary


def test_copies_of_a_sample_share_its_weight() -> None:
    data = make("linear", n=60, m=3, weighted=True)
    inner = estimator("linear", ALPHA)
    model = fa.RandomizedSmoothing(inner, 0.4, 3, random_state=1)
    model.fit(data.X, data.y, sample_weight=data.w)
    result = fa.aif(model, data.X, data.y, sample_weight=data.w)
    found = result.bootstrap(3, 0)
    from fastaif.data.noisy_copies import NoisyCopies

    Z, y = NoisyCopies(data.X, 0.4, 3, model.seed_)[:], np.tile(data.y, 3)
    for b in range(3):
        w = data.w * twin.weights(_validate.seed(0), b, len(data.y))
        _, s = naive_linear.attack_scale(data.X, sample_weight=w)
        known = {"loss": "squared_error", "alpha": ALPHA, "sample_weight": np.tile(w, 3)}
        theta = naive_linear.natural_fit(Z, y, **known)
        wanted = naive_linear.influence(Z, y, theta, radius=s, **known)["influence"]
        assert_close(found.influence[b], wanted)
        clean = known | {"sample_weight": w}
        H = naive_linear.influence(data.X, data.y, theta, **clean)["hessian_eval"]
        assert found.sensitivity_coefficient[b] == pytest.approx(0.5 * wanted @ H @ wanted)
    assert result.std_error("clt").shape == (4,)


def test_differentiable_models() -> None:
    """A linear regression written with JAX has the draws of ours."""
    jnp = pytest.importorskip("jax.numpy")
    data = make("linear", n=60, m=3, weighted=True)
    fit = estimator("linear", 0.0).fit(data.X, data.y, sample_weight=data.w)

    def loss(params: Any, X: Any, y: Any) -> Any:
        return (X @ params["coef"] + params["intercept"] - y) ** 2

    params = {"coef": jnp.asarray(fit.coef_), "intercept": jnp.asarray(fit.intercept_)}
    model = fa.DifferentiableModel(loss, params)
    found = fa.aif(model, data.X, data.y, sample_weight=data.w, refine=True).bootstrap(3, 0)
    wanted = fa.aif(fit, data.X, data.y, sample_weight=data.w).bootstrap(3, 0)
    assert_close(found.influence, wanted.influence, 1e-9)
    assert_close(found.sensitivity_coefficient, wanted.sensitivity_coefficient, 1e-9)


# --- intervals ----------------------------------------------------------------------------------


def test_intervals_are_normal(kind: str) -> None:
    result, _ = inspected(kind)
    draws = result.bootstrap(50, 5)
    errors = draws.influence.std(axis=0, ddof=1)
    np.testing.assert_array_equal(result.std_error(n_draws=50, random_state=5), errors)
    found = result.conf_int(level=0.9, n_draws=50, random_state=5)
    z = NormalDist().inv_cdf(0.95)
    assert found.shape == (6, 2)
    assert_close(found[:, 0], result.influence - z * errors, 1e-14)
    assert_close(found[:, 1], result.influence + z * errors, 1e-14)
    size = draws.sensitivity_coefficient.std(ddof=1)
    found = result.conf_int(level=0.9, n_draws=50, random_state=5, of="sensitivity_coefficient")
    assert_close(found, result.sensitivity_coefficient + z * size * np.array([-1.0, 1.0]), 1e-14)


@pytest.mark.parametrize("weighted", [True, False])
def test_remark_2(kind: str, weighted: bool) -> None:
    result, data = inspected(kind, weighted=weighted)
    one = naive_linear.influence(
        data.X, data.y, result.params, loss=LOSS[kind], alpha=ALPHA, sample_weight=data.w,
        delta=DELTA,
    )  # fmt: skip
    share = naive_linear.normalised_weights(len(data.y), data.w)
    zeta, moved = one["per_sample"], one["influence"]
    wanted = np.sqrt(np.sum((share[:, None] * (zeta - moved)) ** 2, axis=0))
    if not weighted:
        assert_close(zeta.std(axis=0) / np.sqrt(len(zeta)), wanted, 1e-9)
    assert_close(result.std_error("clt"), wanted)
    slopes = zeta @ one["hessian_eval"] @ moved
    size = np.sqrt(np.sum((share * (slopes - share @ slopes)) ** 2))
    found = result.std_error(method="clt", of="sensitivity_coefficient")
    assert found == pytest.approx(size, rel=1e-9)
    z = NormalDist().inv_cdf(0.975)
    assert_close(result.conf_int(method="clt")[:, 1] - result.influence, z * wanted)


def test_one_random_state_one_answer() -> None:
    result, _ = inspected("linear")
    first = result.conf_int(random_state=3)
    np.testing.assert_array_equal(first, result.conf_int(random_state=3))
    assert not np.array_equal(first, result.conf_int(random_state=4))
    again, _ = inspected("linear")
    np.testing.assert_array_equal(first, again.conf_int(random_state=3))
    np.testing.assert_array_equal(result.std_error(), again.std_error())  # by default as well
    np.testing.assert_array_equal(result.std_error(), result.std_error(random_state=0))
    own = result.std_error(random_state=None)  # a seed of its own
    np.testing.assert_array_equal(own, result.std_error(random_state=None))
    assert not np.array_equal(own, again.std_error(random_state=None))
    generator = np.random.default_rng(0)
    errors = [result.std_error(random_state=generator) for _ in range(2)]
    assert not np.array_equal(*errors)


def test_draws_are_computed_once(monkeypatch: Any) -> None:
    """Standard errors and intervals of all quantities and levels share them."""
    result, _ = inspected("linear")
    calls: list[tuple[int, int]] = []
    compute = inference.bootstrap

    def counted(problem: Any, n_draws: int, seed: int) -> Any:
        calls.append((n_draws, seed))
        return compute(problem, n_draws, seed)

    monkeypatch.setattr(inference, "bootstrap", counted)
    errors = result.std_error()
    reach = NormalDist().inv_cdf(0.975) * errors
    assert_close(result.conf_int()[:, 1], result.influence + reach, 1e-15)
    result.conf_int(level=0.5, of="sensitivity_coefficient")
    draws = result.bootstrap()
    assert len(calls) == 1
    with pytest.raises(ValueError, match="read-only"):
        draws.influence[0] = 0.0
    result.std_error(n_draws=50)
    result.std_error(random_state=1)
    result.conf_int(random_state=1)
    assert len(calls) == len(set(calls)) == 3


@pytest.mark.long
def test_bootstrap_covers_where_remark_2_does_not() -> None:
    """Standard errors beside the influence's own scatter over samples (logistic regression)."""
    rng = np.random.default_rng(2)
    moved, errors, paper = [], [], []
    for k in range(80):
        X = rng.normal(size=(300, 2))
        y = np.where(X @ [1.0, -0.5] + rng.logistic(size=300) > 0, 1, -1)
        result = fa.aif(fa.LogisticRegression().fit(X, y), X, y)
        moved.append(result.influence)
        errors.append(result.std_error(n_draws=100, random_state=k))
        paper.append(result.std_error("clt"))
    scatter = np.std(moved, axis=0)
    np.testing.assert_allclose(np.mean(errors, axis=0), scatter, rtol=0.25)
    assert np.all(np.mean(paper, axis=0) < 0.8 * scatter)


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": 0.0}, "level"),
        ({"level": 1.0}, "level"),
        ({"level": np.nan}, "level"),
        ({"n_draws": 1}, "n_draws"),
        ({"method": "jackknife"}, "'bootstrap', 'clt'"),
        ({"of": "params"}, "'influence', 'sensitivity_coefficient'"),
        ({"random_state": -1}, "random_state"),
    ],
)
def test_refuses(options: dict[str, Any], message: str) -> None:
    result, _ = inspected("linear")
    with pytest.raises(ValueError, match=message):
        result.conf_int(**options)
    with pytest.raises(TypeError, match="n_draws"):
        result.bootstrap(2.5)
    with pytest.raises(TypeError, match="level"):
        result.conf_int(level="0.9")


@pytest.mark.parametrize(
    ("given", "meant"),
    [(0.9, "level=0.9"), (0.05, "level=0.95"), (np.float64(0.5), "level=0.5"),
     (95, "level=0.95"), ("clt", "method='clt'"), ([0.9], "level=0.95")],
)  # fmt: skip
def test_a_level_without_its_name_is_refused(given: Any, meant: str) -> None:
    result, _ = inspected("linear")
    with pytest.raises(TypeError, match=rf"by name.*write conf_int\({meant}\)"):
        result.conf_int(given)


def test_a_level_below_one_half_is_asked_about() -> None:
    result, _ = inspected("linear")
    for ask in (result.conf_int, result.to_frame, result.plot):
        with pytest.warns(fa.InfluenceWarning, match="the usual 95% write level=0.95") as record:
            ask(level=0.05, n_draws=20)
        assert len(record) == 1
        assert record[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        narrow, wide = (result.conf_int(level=level, n_draws=20) for level in (0.5, 0.95))
    assert np.all(np.ptp(narrow, axis=1) < np.ptp(wide, axis=1))


@pytest.mark.parametrize("method", ["bootstrap", "clt"])
def test_refuses_moving_centers_with_the_l2_penalty(method: str) -> None:
    data = kernel_makers.make()
    model = kernel_makers.estimator(kernel_makers.Case("rbf")).fit(data.X, data.y)
    result = fa.aif(model, data.X, data.y)
    with pytest.raises(ValueError, match=r"centers='moving'.*centers='fixed'"):
        result.conf_int(method=method)


@pytest.mark.parametrize("options", [{"order": 1}, {"order": 2, "formula": "paper"}])
def test_refuses_attacks_on_one_sample(options: dict[str, Any]) -> None:
    result, _ = inspected("linear", **options)
    for method in ("bootstrap", "clt"):
        with pytest.raises(ValueError, match=r"one sample.*order above 1"):
            result.conf_int(method=method)


def nearly_collinear(width: float) -> Any:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(12, 2))
    X = np.column_stack([X, X[:, 0] + width * rng.normal(size=12)])
    y = X @ [1.0, -1.0, 0.5] + rng.normal(size=12)
    return fa.aif(fa.LinearRegression().fit(X, y), X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning")
def test_a_singular_draw_is_named() -> None:
    """Data of which only some draws are too near a singular Hessian."""
    width = 1e-6
    for step in (0.5, 0.9):
        with contextlib.suppress(np.linalg.LinAlgError):
            while True:
                result, width = nearly_collinear(step * width), step * width
    with pytest.raises(np.linalg.LinAlgError, match=r"bootstrap draw \d+ .*alpha.*damping"):
        result.bootstrap(50, 0)


@pytest.mark.parametrize("method", ["bootstrap", "clt"])
def test_a_frame_with_intervals(method):
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    result = fa.aif(fa.LinearRegression().fit(X, y), X, y)
    options = {"method": method, "n_draws": 30, "random_state": 1}
    frame = result.to_frame(level=0.9, **options)
    assert list(frame.columns) == [
        "param", "influence", "relative", "std_error", "monte_carlo_error", "lower", "upper"
    ]  # fmt: skip
    assert "bmi" in frame.index
    np.testing.assert_allclose(frame[["lower", "upper"]], result.conf_int(level=0.9, **options))
    np.testing.assert_allclose(frame["std_error"], result.std_error(**options), rtol=1e-9)
    assert "lower" not in result.to_frame()
    for ask in (result.to_frame, result.plot):
        with pytest.raises(TypeError, match="n_draws: options of intervals"):
            ask(n_draws=20)
    assert np.all(frame["monte_carlo_error"] > 0.0) == (method == "bootstrap")
    with pytest.raises(TypeError, match="of"):
        result.to_frame(level=0.9, of="sensitivity_coefficient")


def test_the_monte_carlo_error_is_that_over_seeds() -> None:
    """Beside the scatter of standard errors over many seeds; halved by four times the draws."""
    result, _ = inspected("linear")
    sizes = []
    for n_draws in (50, 200):
        frames = [result.to_frame(0.95, n_draws=n_draws, random_state=k) for k in range(60)]
        scatter = np.std([frame["std_error"] for frame in frames], axis=0)
        said = np.mean([frame["monte_carlo_error"] for frame in frames], axis=0)
        np.testing.assert_allclose(said, scatter, rtol=0.35)
        sizes.append(said.mean())
    assert sizes[0] / sizes[1] == pytest.approx(2.0, rel=0.2)


def test_spread_of_draws_in_closed_form() -> None:
    draws = np.array([[1.0, 0.0, 7.0], [-1.0, 0.0, 7.0]] * 8)
    errors, chance = inference.spread(draws)
    assert_close(errors, draws.std(axis=0, ddof=1), 1e-15)
    excess = (15 / 16) ** 2 - 13 / 15  # two values have the least kurtosis that there is
    assert chance[0] == pytest.approx(np.sqrt(16 / 15 * excess / 64), rel=1e-12)
    assert chance[1] == chance[2] == 0.0
    rng = np.random.default_rng(1)
    wide = 1e100 * rng.normal(size=(40_000, 1))
    errors, chance = inference.spread(wide)
    assert chance / errors == pytest.approx(1.0 / np.sqrt(80_000), rel=0.05)


def test_clt_by_products_is_that_by_a_factor():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(300, 40))
    y = X[:, 0] + rng.normal(size=300)
    model = fa.LinearRegression(alpha=0.01).fit(X, y)
    found, wanted = (fa.aif(model, X, y, solver=s) for s in ("cg", "cholesky"))
    np.testing.assert_allclose(found.std_error("clt"), wanted.std_error("clt"), rtol=1e-9)
