"""Bootstrap draws of linear predictors: each against a fit of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from oracles import bootstrap as twin
from oracles import linear as naive_linear
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.draws import ALPHA, DRAWS, assert_draws, inspected, naive_draws
from support.makers import ORDERS, assert_close, estimator, make

import fastaif as fa
from fastaif._compute import get
from fastaif._compute.numba_ops import elementary
from fastaif._compute.numba_ops.jit import callable_part
from fastaif.data import rows
from fastaif.families.linear import bootstrap as linear_bootstrap
from fastaif.utils import validation as _validate

# --- the weights ------------------------------------------------------------------------------


def test_weights_are_keyed_by_seed_draw_and_row() -> None:
    seed, n = (7 << 33) + 12345, 301
    whole = linear_bootstrap.draw_weights(seed, 4, n)
    np.testing.assert_allclose(whole, twin.weights(seed, 4, n), rtol=1e-14)
    for start, stop in [(0, 1), (1, 2), (2, 9), (3, 300), (128, 301), (299, 301)]:
        part = np.empty(stop - start)
        get("bootstrap_weights")(seed, 4, start, part)
        np.testing.assert_array_equal(part, whole[start:stop])
    assert not np.any(whole == linear_bootstrap.draw_weights(seed, 5, n))
    assert not np.any(whole == linear_bootstrap.draw_weights(seed + 1, 4, n))


def test_weights_are_exponential() -> None:
    from scipy import stats

    w = np.concatenate([linear_bootstrap.draw_weights(1, b, 5000) for b in range(8)])
    assert stats.kstest(w, "expon").pvalue > 0.01
    assert abs(np.corrcoef(w[:-1], w[1:])[0, 1]) < 0.02


def test_elementary_functions_to_the_last_digits() -> None:
    rng = np.random.default_rng(0)
    u = np.concatenate([rng.random(2000), 2.0 ** -rng.uniform(0, 60, 500), [1.0, 0.5, 2.0**-33]])
    negative_log = callable_part(elementary.negative_log)
    exp_of_negative = callable_part(elementary.exp_of_negative)
    found = np.array([negative_log(x) for x in u])
    np.testing.assert_allclose(found, -np.log(u), rtol=1e-15, atol=0.0)
    a = np.concatenate([rng.uniform(0, 40, 2000), rng.uniform(0, 708, 500), [0.0, 1e-300]])
    found = np.array([exp_of_negative(x) for x in a])
    np.testing.assert_allclose(found, np.exp(-a), rtol=1e-15, atol=0.0)
    assert 0.0 < exp_of_negative(1e300) < 1e-307


# --- draws of linear predictors -----------------------------------------------------------------


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_draws_are_fits_of_their_own(kind: str, weighted: bool, fit_intercept: bool) -> None:
    result, data = inspected(kind, weighted=weighted, fit_intercept=fit_intercept)
    assert_draws(result.bootstrap(DRAWS, 0), naive_draws(kind, data, fit_intercept))


@pytest.mark.parametrize("p", ORDERS)
def test_draws_in_all_norms(kind: str, p: float) -> None:
    result, data = inspected(kind, p=p)
    assert_draws(result.bootstrap(DRAWS, 0), naive_draws(kind, data, p=p))


def test_attacks_of_all_kinds(kind: str) -> None:
    attack = {
        "feature_scale": np.array([1.0, 0.5, 2.0, 0.0, 1.0]),
        "attackable": np.array([True, True, True, True, False]),
        "radius": 0.7,
    }
    for options in (attack, attack | {"radius": "mean_norm"}):
        result, data = inspected(kind, **options)
        assert_draws(result.bootstrap(DRAWS, 0), naive_draws(kind, data, **options))


@pytest.mark.parametrize("m", [39, 42])
def test_many_columns(m: int) -> None:
    """Hessians by one product for all draws, and by a product for each."""
    data = make("logistic", n=90, m=m)
    result = fa.aif(estimator("logistic", ALPHA).fit(data.X, data.y), data.X, data.y)
    assert_draws(result.bootstrap(2, 0), naive_draws("logistic", data, n_draws=2))


@pytest.mark.parametrize("space", ["scaled", "raw"])
def test_behind_a_scaler(space: str) -> None:
    data = make("linear")
    model = make_pipeline(StandardScaler(), Ridge(alpha=ALPHA * len(data.y)))
    model.fit(data.X, data.y)
    scaler = model[0]
    result = fa.aif(model, data.X, data.y, attack_space=space)
    scaling = {"shift": scaler.mean_, "scale": scaler.scale_}
    factors = [twin.weights(_validate.seed(0), b, len(data.y)) for b in range(DRAWS)]
    fit = {"loss": "squared_error", "alpha": ALPHA, **scaling}
    wanted = twin.draws(data.X, data.y, factors, fit=fit, attack={"attack_space": space})
    assert_draws(result.bootstrap(DRAWS, 0), wanted)


def test_offsets_and_scales_cost_no_digits(kind: str) -> None:
    """The same data behind an offset of 1e5 deviations and other units."""
    data = make(kind, weighted=True)
    scale = np.array([1.0, 2.0**20, 1.0, 2.0**-20, 1.0])
    X = (data.X + 2.0**17) * scale
    plain = estimator(kind, 0.0).fit(data.X, data.y, sample_weight=data.w)
    moved = estimator(kind, 0.0).fit(X, data.y, sample_weight=data.w)
    wanted = fa.aif(plain, data.X, data.y, sample_weight=data.w, radius=1.0).bootstrap(4, 1)
    found = fa.aif(
        moved, X, data.y, sample_weight=data.w, radius=1.0, feature_scale=scale
    ).bootstrap(4, 1)
    assert_close(found.influence[:, :5] * scale, wanted.influence[:, :5], 1e-8)
    assert_close(found.sensitivity_coefficient, wanted.sensitivity_coefficient, 1e-8)


def test_samples_of_no_weight_do_not_count() -> None:
    """But they keep their place in the keys."""
    data = make("poisson", weighted=True)
    X = np.where((data.w == 0)[:, None], 1e6, data.X)  # exp overflows there
    model = estimator("poisson", ALPHA).fit(data.X, data.y, sample_weight=data.w)
    found = [
        fa.aif(model, inputs, data.y, sample_weight=data.w).bootstrap(4, 0).influence
        for inputs in (X, data.X)
    ]
    assert_close(found[0], found[1], 1e-12)


def test_float32_and_layouts(kind: str) -> None:
    data = make(kind)
    X = data.X.astype(np.float32)
    model = estimator(kind, ALPHA).fit(X.astype(float), data.y)
    wanted = fa.aif(model, X.astype(float), data.y).bootstrap(4, 0)
    for inputs in (X, np.asfortranarray(X), X.astype(float)[::-1][::-1]):
        found = fa.aif(model, inputs, data.y).bootstrap(4, 0)
        assert_close(found.influence, wanted.influence, 1e-12)


@pytest.mark.parametrize(("n", "m"), [(3000, 4), (700, 20), (500, 45)])
def test_the_same_bits_on_any_number_of_threads(kind: str, n: int, m: int) -> None:
    data = make(kind, n=n, m=m)
    model = estimator(kind, ALPHA).fit(data.X, data.y)
    found = [
        fa.aif(model, data.X, data.y, n_threads=k).bootstrap(200, 3).influence for k in (1, 2, 3)
    ]
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


def test_blocks_and_the_number_of_draws_change_nothing(monkeypatch: Any) -> None:
    result, _ = inspected("logistic")
    wanted = result.bootstrap(40, 3).influence
    assert_close(result.bootstrap(7, 3).influence, wanted[:7], 1e-13)
    chunks = [(0, 1), (1, 70), (70, 71), (71, 150)]
    monkeypatch.setattr(rows.RowSource, "chunks", lambda *_, **__: chunks)
    monkeypatch.setattr(linear_bootstrap, "_MOST", 3)
    assert_close(result.bootstrap(40, 3).influence, wanted, 1e-13)
    monkeypatch.setattr(linear_bootstrap, "_KEPT", 0)  # weights are drawn again in every pass
    assert_close(result.bootstrap(40, 3).influence, wanted, 1e-13)


def test_the_fast_path_hands_over_what_it_cannot_fit(monkeypatch: Any) -> None:
    """Too few steps: the safeguarded fit takes over."""
    monkeypatch.setattr(linear_bootstrap, "_MAX_STEPS", 1)
    result, data = inspected("logistic")
    assert_draws(result.bootstrap(DRAWS, 0), naive_draws("logistic", data))


def test_damping_enters_the_influence_alone() -> None:
    result, data = inspected("linear", damping=0.3)
    params, _, _ = naive_draws("linear", data)
    found = result.bootstrap(DRAWS, 0)
    assert_close(found.params, params)
    for b, theta in enumerate(params):
        g = twin.weights(_validate.seed(0), b, len(data.y))
        one = naive_linear.influence(
            data.X, data.y, theta, loss="squared_error", alpha=ALPHA, sample_weight=data.w * g
        )
        wanted = -np.linalg.solve(one["hessian"] + 0.3 * np.eye(len(theta)), one["mixed"])
        assert_close(found.influence[b], wanted)


@pytest.mark.parametrize("order", [1.5, 2.0])
def test_shared_budgets(order: float) -> None:
    result, data = inspected("huber", order=order)
    found = result.bootstrap(3, 0)
    for b in range(3):
        w = data.w * twin.weights(_validate.seed(0), b, len(data.y))
        model = estimator("huber", ALPHA).fit(data.X, data.y, sample_weight=w)
        wanted = fa.aif(model, data.X, data.y, sample_weight=w, order=order)
        assert_close(found.influence[b], wanted.influence)
        size = wanted.sensitivity_coefficient
        assert found.sensitivity_coefficient[b] == pytest.approx(size, rel=1e-9)
