"""Pipelines fitted to frames with categories, gaps and dates: what is attacked, and how."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from oracles import pipelines as twin
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler
from support import kinds
from support.makers import assert_close

import fastaif as fa

NUMBERS, CATEGORIES = ["age", "bmi", "dose"], ["city", "grade"]
COLUMNS = ["city", *NUMBERS, "when", "grade"]


@pytest.fixture(scope="module")
def data():
    """A frame, its targets, and labels."""
    whole = kinds.frame()
    return whole, kinds.target("linear", whole), kinds.target("logistic", whole)


def prepared(*numeric, columns=NUMBERS):
    """Numbers through some steps, categories one-hot, the date dropped."""
    return ColumnTransformer([
        ("numbers", make_pipeline(*(numeric or [StandardScaler()])), columns),
        ("categories", OneHotEncoder(drop="first"), CATEGORIES),
    ])  # fmt: skip


def by_hand(X, columns=NUMBERS):
    """What `prepared` makes: scaled numbers, then indicators."""
    numbers = StandardScaler().fit_transform(X[columns])
    return np.column_stack([numbers, pd.get_dummies(X[CATEGORIES], drop_first=True).to_numpy()])


@pytest.mark.parametrize("space", ["scaled", "raw"])
@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_categories_are_unattacked_columns(data, p, space):
    """The same as a model of numbers and indicators, of which only the numbers are attacked."""
    X, y, _ = data
    pipe = make_pipeline(prepared(), fa.LinearRegression(alpha=0.1)).fit(X[COLUMNS], y)
    V = by_hand(X)
    ours = fa.LinearRegression(alpha=0.1).fit(V, y)
    mask = np.arange(V.shape[1]) < 3
    options = {"p": p, "attackable": mask}
    if space == "raw":
        sd = X[NUMBERS].std(ddof=0).to_numpy()
        options |= {"feature_scale": np.append(1.0 / sd, np.ones(V.shape[1] - 3))}
        raw = np.linalg.norm(X[NUMBERS].to_numpy(), ord=p, axis=1).mean()
        options |= {"radius": raw}
    found = fa.aif(pipe, X[COLUMNS], y, p=p, attack_space=space)
    wanted = fa.aif(ours, V, y, **options)
    assert found.attackable.tolist() == [False, True, True, True, False, False]
    assert found.names[:3] == ("numbers__age", "numbers__bmi", "numbers__dose")
    assert found.names[-1] == "intercept"
    assert_close(found.influence, wanted.influence, 1e-10)
    assert found.radius == pytest.approx(wanted.radius, rel=1e-12)
    one, two = fa.robust_fit(pipe, X[COLUMNS], y, 0.05, p=p, attack_space=space), fa.robust_fit(
        ours, V, y, 0.05, **options
    )
    assert_close(one.params, two.params, 1e-8)
    assert one.estimator.predict(X[COLUMNS][:4]).shape == (4,)
    assert found.sensitivity(0.02, X[COLUMNS][:20], y[:20]) == pytest.approx(
        wanted.sensitivity(0.02, V[:20], y[:20]), rel=1e-9
    )


def test_attacked_frames_keep_their_form(data):
    X, _, labels = data
    X = X[COLUMNS].astype({"grade": "category", "dose": "Float64"})
    pipe = make_pipeline(prepared(), LogisticRegression(tol=1e-10)).fit(X, labels)
    moved = fa.attack(pipe, X, labels, 0.2)
    assert list(moved.columns) == COLUMNS
    assert moved.index.equals(X.index)
    pd.testing.assert_frame_equal(moved[["city", "when", "grade"]], X[["city", "when", "grade"]])
    assert (moved["age"] != X["age"]).any()
    before, after = (pipe.decision_function(frame) * (2 * labels - 1) for frame in (X, moved))
    assert (after < before).all()
    s = fa.aif(pipe, X, labels).radius
    delta = (moved[NUMBERS] - X[NUMBERS]).to_numpy(float) / X[NUMBERS].to_numpy(float).std(axis=0)
    np.testing.assert_allclose(np.linalg.norm(delta, axis=1), 0.2 * s, rtol=1e-9)
    radii = fa.robustness_radius(pipe, X, labels)
    assert fa.adversarial_accuracy(pipe, X, labels, 0.05) == pytest.approx((radii > 0.05).mean())
    path = fa.robust_path(pipe, X, labels, 0.1)
    assert path.estimator(0.05).predict(X[:3]).shape == (3,)


def test_masks_and_scales_are_of_the_frames_columns(data):
    X, y, _ = data
    pipe = make_pipeline(prepared(), Ridge(1.0)).fit(X[COLUMNS], y)
    named = fa.aif(pipe, X[COLUMNS], y, attackable=["bmi"])
    mask = fa.aif(pipe, X[COLUMNS], y, attackable=[c == "bmi" for c in COLUMNS])
    scale = fa.aif(pipe, X[COLUMNS], y, feature_scale=[float(c == "bmi") for c in COLUMNS])
    np.testing.assert_array_equal(named.influence, mask.influence)
    assert_close(scale.influence, mask.influence, 1e-12)
    assert named.attackable.tolist() == [c == "bmi" for c in COLUMNS]
    with pytest.raises(ValueError, match="attackable names city, which no attack can move"):
        fa.aif(pipe, X[COLUMNS], y, attackable=["city"])
    with pytest.raises(ValueError, match="unknown features: height"):
        fa.aif(pipe, X[COLUMNS], y, attackable=["height"])


# --- missing cells ----------------------------------------------------------------------------

GAPS = ["age", "lab"]


def with_gaps(*after):
    return make_pipeline(SimpleImputer(), *(after or [StandardScaler()]), Ridge(1.0))


@pytest.mark.parametrize("space", ["scaled", "raw"])
@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_missing_cells_are_not_attacked(data, p, space):
    X, y, _ = data
    X = X[GAPS]
    pipe = with_gaps().fit(X, y)
    found = fa.aif(pipe, X, y, p=p, attack_space=space)
    scaler, step = pipe[1], pipe[-1]
    units = {"centre": scaler.mean_, "c": scaler.scale_} if space == "scaled" else {}
    wanted = twin.influence(
        pipe[:-1].transform, X, y, step.coef_, step.intercept_, GAPS, loss="squared_error",
        penalty=[1.0 / len(y)] * 2 + [0.0], p=p, **units,
    )  # fmt: skip
    assert_close(found.influence, wanted, 1e-6)
    moved = fa.attack(pipe, X, y, 0.1, p=p, attack_space=space)
    assert moved["lab"].isna().equals(X["lab"].isna())
    per_sample = found.per_sample()
    assert_close(per_sample.mean(axis=0), found.influence, 1e-9)


def test_missing_cells_by_differences_of_robust_optima(data):
    """Each row is attacked in its present cells alone: a robust fit with those budgets."""
    X, y, _ = data
    X = X[GAPS][:40]
    pipe = with_gaps().fit(X, y[:40])
    result = fa.aif(pipe, X, y[:40], refine=True)
    eps = min(1e-4, result.validity_radius / 4)
    one, half = (
        (fa.robust_fit(pipe, X, y[:40], e, tol=1e-11).params - result.params) / e
        for e in (eps, eps / 2)
    )
    assert_close(2 * half - one, result.influence, 1e-4)


def test_gaps_in_other_data_only(data):
    X, y, _ = data
    full = X[GAPS].fillna({"lab": 0.3})
    pipe = with_gaps().fit(full, y)
    result = fa.aif(pipe, full, y)
    plain = fa.aif(pipe[-1], pipe[:-1].transform(full), y)
    assert_close(result.influence, plain.influence, 1e-12)
    other = X[GAPS][:30]
    assert result.sensitivity(0.05, other, y[:30]) == pytest.approx(
        plain.sensitivity(0.05, pipe[:-1].transform(other), y[:30]), rel=1e-9
    )


# --- several features of an input --------------------------------------------------------------


@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_mixed_features_by_differences_of_robust_optima(data, p):
    X, y, _ = data
    X = X[NUMBERS]
    union = FeatureUnion([("scaled", StandardScaler()), ("turned", PCA(2))])
    pipe = make_pipeline(union, Ridge(2.0)).fit(X, y)
    result = fa.aif(pipe, X, y, p=p, attack_space="raw")
    eps = min(1e-5, result.validity_radius / 4)
    one, half = (
        (fa.robust_fit(pipe, X, y, e, p=p, attack_space="raw").params - result.params) / e
        for e in (eps, eps / 2)
    )
    assert_close(2 * half - one, result.influence, 1e-5)


def test_turning_all_components_changes_nothing(data):
    """A whole PCA is another name of the same linear model: predictions move alike."""
    X, y, _ = data
    X = X[NUMBERS].to_numpy()
    turned = make_pipeline(PCA(), fa.LinearRegression()).fit(X, y)
    plain = fa.LinearRegression().fit(X, y)
    for p in (1, 2, np.inf):
        one, two = fa.aif(turned, X, y, p=p, attack_space="raw"), fa.aif(plain, X, y, p=p)
        axes = turned[0].components_
        assert_close(one.influence[:-1] @ axes, two.influence[:-1], 1e-8)
    a, b = (fa.robust_fit(model, X, y, 0.05, attack_space="raw") for model in (turned, plain))
    np.testing.assert_allclose(a.estimator.predict(X), b.estimator.predict(X), atol=1e-5)


def test_accumulators_take_frames(data):
    X, y, _ = data
    for pipe in (
        make_pipeline(prepared(), Ridge(1.0)), make_pipeline(prepared(PCA(2)), Ridge(1.0)),
    ):  # fmt: skip
        pipe.fit(X[COLUMNS], y)
        parts = [
            fa.InfluenceAccumulator(pipe).update(X[COLUMNS][rows], y[rows])
            for rows in (slice(0, 40), slice(40, None))
        ]
        found = parts[0].merge(parts[1]).result()
        assert_close(found.influence, fa.aif(pipe, X[COLUMNS], y).influence, 1e-10)


def test_what_missing_cells_take_away_is_said():
    X, y = np.random.default_rng(0).normal(size=(2, 60, 3))
    y, X[::7, 1] = y[:, 0] + X[:, 0], np.nan
    pipe = make_pipeline(SimpleImputer(), StandardScaler(), Ridge(1.0)).fit(X, y)
    called = r"linear model \(missing cells are not attacked\)"
    for call in (
        lambda: fa.zero_radius(pipe, X, y), lambda: fa.aif(pipe, X, y, at=0.1),
        lambda: fa.robustness_radius(pipe, X, y, change=0.1),
    ):
        with pytest.raises(ValueError, match=called):
            call()
    for call in (
        lambda: fa.InfluenceAccumulator(pipe).update(X, y),
        lambda: fa.aif(pipe, iter([(X, y)]), None),
    ):
        with pytest.raises(ValueError, match="X has missing cells in x1"):
            call()


def test_kernels_and_networks_behind_categories(data):
    X, y, _ = data
    V = by_hand(X)
    mask = np.arange(V.shape[1]) < 3
    for step in (KernelRidge(kernel="rbf", gamma=0.2), fa.KernelRegression(alpha=0.1)):
        pipe = make_pipeline(prepared(), step).fit(X[COLUMNS], y)
        wanted = fa.aif(pipe[-1], pipe[:-1].transform(X[COLUMNS]), y, attackable=mask)
        assert_close(fa.aif(pipe, X[COLUMNS], y).influence, wanted.influence, 1e-9)
    with pytest.raises(TypeError, match="PCA before a KernelRidge"):
        fa.aif(make_pipeline(PCA(2), KernelRidge()).fit(V, y), V, y)


# --- what is wrong with the data ---------------------------------------------------------------


def test_columns_are_named_in_refusals(data):
    X, y, _ = data
    X = X[COLUMNS]
    pipe = make_pipeline(prepared(), Ridge(1.0)).fit(X, y)
    for change, kind, message in (
        ({"bmi": np.where(np.arange(len(y)) == 7, np.nan, X["bmi"])}, ValueError,
         r"column 'bmi' \(the first in row 7\).*SimpleImputer"),
        ({"dose": np.where(np.arange(len(y)) == 3, np.inf, X["dose"])}, ValueError,
         r"infinity in column 'dose' \(the first in row 3"),
        ({"age": X["city"]}, TypeError, r"column 'age' of type .*OneHotEncoder"),
        ({"age": X["when"]}, TypeError, r"column 'age' of dates or durations"),
    ):  # fmt: skip
        with pytest.raises(kind, match=message):
            fa.aif(pipe, X.assign(**change), y)
    with pytest.raises(ValueError, match=r"lack \['grade'\]"):
        fa.aif(pipe, X.drop(columns="grade"), y)
    with pytest.raises(ValueError, match="X has 3 features, but the model was fitted to 6"):
        fa.aif(pipe, X.to_numpy()[:, :3], y)
    only = make_pipeline(OneHotEncoder(drop="first"), Ridge()).fit(X[["city"]], y)
    with pytest.raises(ValueError, match="all categories, or dropped"):
        fa.aif(only, X[["city"]], y)


def test_unfitted_and_wrapped(data):
    X, y, _ = data
    with pytest.raises(NotFittedError):
        fa.aif(make_pipeline(prepared(), Ridge()), X[COLUMNS], y)
    pipe = make_pipeline(prepared(), Ridge()).fit(X[COLUMNS], y)
    smooth = fa.RandomizedSmoothing(Ridge(), 0.1)
    smooth.estimator_, smooth.seed_ = pipe, 0
    with pytest.raises(TypeError, match="RandomizedSmoothing around a model that does not"):
        fa.aif(smooth, X[COLUMNS], y)


def test_arrays_of_objects_and_polars(data):
    pl = pytest.importorskip("polars")
    X, y, _ = data
    X = X[["city", "age", "bmi"]]
    steps = ColumnTransformer([
        ("n", StandardScaler(), [1, 2]), ("c", OneHotEncoder(drop="first"), [0])
    ])  # fmt: skip
    pipe = make_pipeline(steps, Ridge(1.0)).fit(X.to_numpy(), y)
    found = fa.aif(pipe, X.to_numpy(), y)
    assert found.attackable.tolist() == [False, True, True]
    moved = fa.attack(pipe, X.to_numpy(), y, 0.1)
    assert moved.dtype == object
    assert (moved[:, 0] == X["city"]).all()
    named = make_pipeline(
        ColumnTransformer([
            ("n", StandardScaler(), ["age", "bmi"]), ("c", OneHotEncoder(drop="first"), ["city"])
        ]), Ridge(1.0),
    )  # fmt: skip
    table = pl.DataFrame({name: X[name].to_numpy() for name in X.columns})
    named.fit(table, y)
    assert_close(fa.aif(named, table, y).influence, found.influence, 1e-12)
    assert fa.attack(named, table, y, 0.1).columns == ["city", "age", "bmi"]


def test_our_bases_behind_categories(data):
    X, y, _ = data
    waves = fa.BasisRegression(fa.bases.Fourier(5, 0.3, 0), alpha=0.1)
    pipe = make_pipeline(prepared(), waves).fit(X[COLUMNS], y)
    V = pipe[:-1].transform(X[COLUMNS])
    wanted = fa.aif(pipe[-1], V, y, attackable=np.arange(V.shape[1]) < 3)
    assert_close(fa.aif(pipe, X[COLUMNS], y).influence, wanted.influence, 1e-9)
    cubic = make_pipeline(StandardScaler(), PolynomialFeatures(3), waves).fit(X[["age"]], y)
    with pytest.raises(TypeError, match="PolynomialFeatures before a BasisRegression"):
        fa.aif(cubic, X[["age"]], y)
