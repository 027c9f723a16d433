"""Influences under bounds, budgets, metrics and groups: against differences of robust optima."""

import numpy as np
import pytest
from oracles import sets

import fastaif as fa

N, M = 24, 4
MODELS = {
    "squared_error": fa.LinearRegression(alpha=0.05),
    "logistic": fa.LogisticRegression(alpha=0.05),
    "poisson": fa.PoissonRegression(alpha=0.05),
    "huber": fa.HuberRegression(alpha=0.05),
}
ROOT = np.random.default_rng(3).normal(size=(M, M))
METRIC = ROOT @ ROOT.T + np.eye(M)
GROUPS = [[0, 2], [1], [3]]
LOW, HIGH = np.array([-1.0, -np.inf, -1.0, -0.5]), np.array([1.0, 1.0, np.inf, 0.5])


def data(loss, seed=0):
    """Rows on a grid: at a bound, or well away from it."""
    rng = np.random.default_rng(seed)
    X = np.clip(np.round(rng.normal(size=(N, M)), 1), LOW, HIGH)
    f = X @ [1.0, -0.7, 0.5, 0.3] + 0.3
    y = {
        "squared_error": lambda: f + rng.normal(size=N),
        "huber": lambda: f + rng.normal(size=N),
        "logistic": lambda: np.where(f + rng.logistic(size=N) > 0, 1.0, -1.0),
        "poisson": lambda: rng.poisson(np.exp(f)).astype(float),
    }[loss]()
    return X, y, rng.uniform(0.5, 2.0, size=N), rng.uniform(0.0, 2.0, size=N) * (np.arange(N) > 3)


def norm_of(X, p, metric=None, groups=None):
    if metric is not None:
        return np.sqrt(np.einsum("ij,jk,ik->i", X, np.linalg.inv(metric), X))
    if groups is not None:
        X = np.column_stack([np.linalg.norm(X[:, part], axis=1) for part in groups])
    return np.linalg.norm(X, p, axis=1)


SHAPES = {
    "plain": {},
    "bounds": {"low": LOW, "high": HIGH},
    "metric": {"metric": METRIC},
    "groups": {"groups": GROUPS},
}
CASES = [
    (loss, p, shape, budgets)
    for shape, powers in (
        ("plain", (1.0, 2.0, np.inf)), ("bounds", (1.0, 1.5, 2.0, 3.0, np.inf)), ("metric", (2.0,)),
        ("groups", (1.0, 2.0, np.inf)),
    )
    for p in powers
    for loss in MODELS
    for budgets in (False, True)
    if shape != "plain" or budgets
]  # fmt: skip


def public(shape):
    """The arguments of public functions."""
    if shape == "bounds":
        return {"bounds": (LOW, HIGH)}
    return SHAPES[shape]


# The oracle takes seconds a case: three of seven, in which any two of these meet.
MET = [case for k, case in enumerate(CASES) if k % 7 in (1, 3, 6)]


@pytest.mark.parametrize(("loss", "p", "shape", "budgets"), MET)
def test_the_influence_is_the_slope_of_robust_optima(loss, p, shape, budgets):
    X, y, w, t = data(loss)
    model = MODELS[loss].fit(X, y, sample_weight=w)
    t = t if budgets else np.ones(N)
    options = {**public(shape), "budgets": t} if budgets else public(shape)
    result = fa.aif(model, X, y, p=p, sample_weight=w, **options)
    attack = SHAPES[shape]
    norms = {k: v for k, v in attack.items() if k in ("metric", "groups")}
    s = w @ norm_of(X, p, **norms) / w.sum()
    assert np.isclose(result.radius, s, rtol=1e-13)

    eps = min(1e-3, 0.2 * result.validity_radius)
    target = np.where(y > 0, 1.0, -1.0) if loss == "logistic" else y
    ends = [
        sets.robust(
            result.params, X, target, w, size * s * t, loss, 0.05, p, **attack
        )
        for size in (eps, 2 * eps)
    ]  # fmt: skip
    slopes = [(end - result.params) / size for end, size in zip(ends, (eps, 2 * eps), strict=True)]
    slope = 2 * slopes[0] - slopes[1]  # without the term of second order
    np.testing.assert_allclose(result.influence, slope, atol=2e-4 * np.abs(slope).max())
    zeta = result.per_sample()
    np.testing.assert_allclose(w @ zeta / w.sum(), result.influence, rtol=1e-11)

    # And its value derivative that of their objective, by the worst loss at θ̂.
    def worst(size):
        sizes = size * s * t
        return sets.objective(result.params, X, target, w, sizes, loss, 0.05, p, **attack)[0]

    rises = [(worst(size) - worst(0.0)) / size for size in (eps, 2 * eps)]
    assert np.isclose(2 * rises[0] - rises[1], result.value_derivative, rtol=2e-4)


@pytest.mark.parametrize(("loss", "p", "shape", "budgets"), CASES)
@pytest.mark.parametrize("eps", [0.01, 0.3, 2.0])
def test_attacks_are_the_worst_and_stay_inside(loss, p, shape, budgets, eps):
    X, y, w, t = data(loss, seed=1)
    model = MODELS[loss].fit(X, y, sample_weight=w)
    t = t if budgets else np.ones(N)
    options = {**public(shape), "budgets": t} if budgets else public(shape)
    moved = fa.attack(model, X, y, eps, p=p, sample_weight=w, **options)
    theta = np.append(model.coef_, model.intercept_)
    attack = SHAPES[shape]
    norms = {k: v for k, v in attack.items() if k in ("metric", "groups")}
    s = w @ norm_of(X, p, **norms) / w.sum()
    target = np.where(y > 0, 1.0, -1.0) if loss == "logistic" else y
    value = sets.LOSSES[loss][0]

    def losses(rows):
        return value(rows @ theta[:-1] + theta[-1], target)

    sizes = eps * s * t
    wanted = losses(sets.attacked(theta, X, target, sizes, loss, p, **attack))
    np.testing.assert_allclose(losses(moved), wanted, rtol=1e-9, atol=1e-12)
    assert np.all(norm_of(moved - X, p, **norms) <= sizes * (1 + 1e-12) + 1e-300)
    if shape == "bounds":
        assert np.all((moved >= LOW) & (moved <= HIGH))
    mean = fa.adversarial_loss(model, X, y, eps, p=p, sample_weight=w, **options)
    assert np.isclose(mean, w @ wanted / w.sum(), rtol=1e-10)


def test_the_first_bound_that_a_sample_meets_ends_validity():
    X, y, w, _ = data("squared_error")
    low, high = X.min(axis=0) - 1e-4, X.max(axis=0) + 1e-4
    model = MODELS["squared_error"].fit(X, y, sample_weight=w)
    result = fa.aif(model, X, y, p=np.inf, sample_weight=w, bounds=(low, high))
    up = np.outer(np.sign(model.predict(X) - y), np.sign(model.coef_)) > 0
    room = np.where(up, high - X, X - low).min()
    assert np.isclose(result.validity_radius, room / result.radius, rtol=1e-9)


@pytest.mark.parametrize("kind", [np.float16, np.float32])
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_attacks_stay_inside_in_short_types(kind, p):
    rng = np.random.default_rng(5)
    X = (rng.uniform(0.0, 1.0, size=(200, 3)) * 0.3).astype(np.float32)
    y = X @ [1.0, -2.0, 0.5] + rng.normal(size=200)
    model = fa.LinearRegression().fit(X.astype(float), y)
    X = np.clip(X.astype(kind), kind(0.0), kind(0.3))
    moved = fa.attack(model, X, y, 0.4, p=p, radius=1.0, bounds=(0.0, 0.3))
    assert moved.dtype == kind
    assert moved.min() >= 0.0
    assert moved.max() <= kind(0.3)
    delta = moved.astype(float) - X.astype(float)
    assert np.linalg.norm(delta, p, axis=1).max() <= 0.4 * (1 + 1e-15)


def test_a_diagonal_metric_is_a_feature_scale():
    X, y, _, _ = data("squared_error")
    model, scale = MODELS["squared_error"].fit(X, y), np.array([1.0, 2.0, 0.5, 1.5])
    one = fa.aif(model, X, y, feature_scale=scale, attackable=[True, True, False, True])
    other = fa.aif(model, X, y, metric=np.diag(scale**2), attackable=[True, True, False, True])
    np.testing.assert_allclose(other.influence, one.influence, rtol=1e-12)
    np.testing.assert_allclose(other.radius, one.radius, rtol=1e-14)
    np.testing.assert_allclose(other.conf_int(random_state=0), one.conf_int(random_state=0))
    assert np.isclose(other.sensitivity(0.01), one.sensitivity(0.01, expansion="taylor"))
    assert np.isclose(other.validity_radius, one.validity_radius)


def test_wide_bounds_and_equal_budgets_change_nothing():
    X, y, _, _ = data("logistic")
    model = MODELS["logistic"].fit(X, y)
    for p in (1.0, 1.5, 2.0, np.inf):
        plain = fa.aif(model, X, y, p=p)
        for options in ({"bounds": (-1e6, None)}, {"budgets": np.ones(N)}, {"groups": [[0]]}):
            other = fa.aif(model, X, y, p=p, **options)
            np.testing.assert_allclose(other.influence, plain.influence, rtol=1e-11)
            reaches = [min(found.validity_radius, 1e5) for found in (other, plain)]
            np.testing.assert_allclose(*reaches, rtol=1e-9)
            np.testing.assert_allclose(
                other.conf_int(n_draws=20, random_state=0),
                plain.conf_int(n_draws=20, random_state=0), rtol=1e-8,
            )  # fmt: skip
            np.testing.assert_allclose(
                fa.attack(model, X, y, 0.3, p=p, **options), fa.attack(model, X, y, 0.3, p=p),
                rtol=1e-13, atol=1e-15,
            )  # fmt: skip


def test_whole_budgets_are_a_radius():
    X, y, _, _ = data("poisson")
    model = MODELS["poisson"].fit(X, y)
    plain = fa.aif(model, X, y, radius=2.0)
    twice = fa.aif(model, X, y, radius=1.0, budgets=np.full(N, 2.0))
    np.testing.assert_allclose(twice.influence, plain.influence, rtol=1e-12)


def test_behind_a_scaler_bounds_are_in_raw_units():
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y, _, _ = data("squared_error")
    X = X * [1.0, 10.0, 100.0, 0.1] + [0.0, 5.0, 0.0, 1.0]
    low, high = X.min(axis=0), X.max(axis=0)
    pipeline = make_pipeline(StandardScaler(), Ridge(alpha=1.0)).fit(X, y)
    scaler = pipeline[0]
    inner = fa.aif(
        pipeline[1], scaler.transform(X), y,
        bounds=(scaler.transform(X).min(axis=0), scaler.transform(X).max(axis=0)),
    )  # fmt: skip
    outer = fa.aif(pipeline, X, y, bounds=(low, high))
    np.testing.assert_allclose(outer.influence, inner.influence, rtol=1e-9)
    moved = fa.attack(pipeline, X, y, 0.5, bounds=(low, high))
    assert np.all((moved >= low) & (moved <= high))
    metric = fa.aif(pipeline[1], scaler.transform(X), y, metric=METRIC)
    np.testing.assert_allclose(
        fa.aif(pipeline, X, y, metric=METRIC).influence, metric.influence, rtol=1e-9, atol=1e-14
    )


def test_radii_are_where_attacks_turn_labels():
    X, y, _, t = data("logistic")
    model = MODELS["logistic"].fit(X, y)
    for p in (1.0, 2.0, 3.0, np.inf):
        for options in (
            {"bounds": (LOW, HIGH)}, {"bounds": (LOW, HIGH), "budgets": t + 0.1}, {"budgets": t},
            {"groups": GROUPS},
        ):  # fmt: skip
            radii, exact = fa.robustness_radius(model, X, y, p=p, return_exact=True, **options)
            assert exact
            found = np.flatnonzero((radii > 0.0) & np.isfinite(radii))
            assert found.size
            for i in found[:10]:
                for factor, turned in ((1 - 1e-9, False), (1 + 1e-9, True)):
                    moved = fa.attack(model, X, y, radii[i] * factor, p=p, **options)
                    assert (model.predict(moved[i : i + 1])[0] != y[i]) == turned
            moved = fa.attack(model, X, y, 1e9, p=p, **options)
            assert np.all((model.predict(moved) == y) == np.isinf(radii))
            share = fa.adversarial_accuracy(model, X, y, 0.2, p=p, **options)
            moved = fa.attack(model, X, y, 0.2, p=p, **options)
            assert np.isclose(share, np.mean(model.predict(moved) == y))


def test_accumulators_sum_metrics_and_groups():
    X, y, w, _ = data("squared_error")
    model = MODELS["squared_error"].fit(X, y, sample_weight=w)
    for options in (
        {"metric": METRIC}, {"groups": GROUPS, "p": 1.0}, {"bounds": (LOW, HIGH)},
        {"bounds": (None, HIGH), "p": np.inf},
    ):  # fmt: skip
        whole = fa.aif(model, X, y, sample_weight=w, **options)
        parts = [
            fa.InfluenceAccumulator(model, **options).update(X[rows], y[rows], w[rows])
            for rows in (slice(0, 15), slice(15, None))
        ]
        total = parts[0] + parts[1]
        np.testing.assert_allclose(total.result().influence, whole.influence, rtol=1e-11)
        np.testing.assert_allclose(total.result().radius, whole.radius, rtol=1e-13)
        np.testing.assert_allclose(total.result().value_derivative, whole.value_derivative)
        found = total.result().diagnostics
        assert found["ties"] == whole.diagnostics["ties"]
        once = fa.aif(
            model, iter([(X[:15], y[:15], w[:15]), (X[15:], y[15:], w[15:])]), None, **options
        )
        np.testing.assert_allclose(once.influence, whole.influence, rtol=1e-11)
        scaled = fa.InfluenceAccumulator(model, **options).update(X[:15], y[:15], 1e200 * w[:15])
        scaled.update(X[15:], y[15:], 1e200 * w[15:])
        np.testing.assert_allclose(scaled.result().influence, whole.influence, rtol=1e-11)
    other = fa.InfluenceAccumulator(model, metric=np.eye(M)).update(X, y)
    with pytest.raises(ValueError, match="the metric"):
        other.merge(fa.InfluenceAccumulator(model, metric=METRIC).update(X, y))


def test_files_of_accumulators_keep_metrics_and_groups(tmp_path):
    X, y, _, _ = data("squared_error")
    model = MODELS["squared_error"].fit(X, y)
    for options in (
        {"metric": METRIC}, {"groups": GROUPS, "p": 1.0}, {"bounds": (LOW, HIGH)},
        {"bounds": (-np.inf, 9.0)}, {"bounds": [None, HIGH]},
    ):  # fmt: skip
        total = fa.InfluenceAccumulator(model, **options).update(X, y)
        total.save(tmp_path / "sums")
        again = fa.InfluenceAccumulator.load(tmp_path / "sums", model)
        np.testing.assert_array_equal(again.result().influence, total.result().influence)


def test_coefficients_at_zero_but_for_rounding_are_told():
    rng = np.random.default_rng(7)
    X, e = rng.normal(size=(30, 4)), rng.normal(size=30)
    Q = np.linalg.qr(np.column_stack([np.ones(30), X]))[0]
    y = X @ np.array([0.0, 1.0, 0.0, 2.0]) + e - Q @ (Q.T @ e)
    model = fa.LinearRegression().fit(X, y)
    assert 0.0 < np.abs(model.coef_[[0, 2]]).max() < 1e-13
    for attacks in (
        {"groups": [[0, 2], [1, 3]]}, {"bounds": (X.min(), X.max())}, {"budgets": np.arange(30.0)},
    ):  # fmt: skip
        with pytest.warns(fa.TieWarning):
            fa.aif(model, X, y, p=np.inf, **attacks)
    twins = np.column_stack([X[:, 0], X])
    model = fa.LinearRegression(alpha=0.1).fit(twins, X[:, 0])
    for attacks in ({"groups": [[0], [1], [2, 3, 4]]}, {"budgets": np.arange(30.0)}):
        with pytest.warns(fa.TieWarning):
            fa.aif(model, twins, X[:, 0], p=1, **attacks)
