"""Pipelines fitted to frames with categories, gaps and dates: what is attacked, and how."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from oracles import pipelines as twin
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import HuberRegressor, Lasso, LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import LinearSVC
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


def of_present_cells(pipe, X, y, p, eps):
    """The adversarial loss, squared, row by row of the coefficients of cells that are there."""
    q = {1: np.inf, 2: 2.0, np.inf: 1.0}[p]
    step, V = pipe[-1], pipe[:-1].transform(X)
    there = np.where(X.isna(), 0.0, V)
    s = np.linalg.norm(there, ord=p, axis=1).mean()
    reach = eps * s * np.linalg.norm(np.where(X.isna(), 0.0, step.coef_), ord=q, axis=1)
    return np.mean((np.abs(y - V @ step.coef_ - step.intercept_) + reach) ** 2)


@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_robust_fits_with_missing_cells_are_exact(data, p):
    X, y, _ = data
    X, y = X[GAPS][:60].copy(), y[:60]
    X.iloc[7, 1] = X["lab"].median()  # what is filled in, but not missing
    X.iloc[9] = np.nan
    pipe = make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), Ridge(1.0)).fit(X, y)
    eps, alpha = 0.1, 1.0 / len(y)
    loss = fa.adversarial_loss(pipe, X, y, eps, p=p)
    assert loss == pytest.approx(of_present_cells(pipe, X, y, p, eps), rel=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fa.InfluenceWarning)  # one row is all missing
        verified = fa.aif(pipe, X, y, p=p).verify(eps)
    fit = fa.robust_fit(pipe, X, y, eps, p=p)
    assert verified.method == "exact"
    np.testing.assert_array_equal(verified.robust.params, fit.params)
    assert fit.converged
    assert fit.gap < 1e-9

    def objective(theta):
        other = fit.estimator[-1]
        other.coef_, other.intercept_ = theta[:-1], theta[-1]
        return of_present_cells(fit.estimator, X, y, p, eps) + alpha * theta[:-1] @ theta[:-1]

    assert fit.objective == pytest.approx(objective(fit.params), rel=1e-12)
    best = minimize(objective, fit.params, method="Nelder-Mead", options={"fatol": 1e-13})
    assert best.fun >= fit.objective * (1.0 - 1e-9)
    moved = fa.attack(pipe, X, y, eps, p=p)
    assert moved.isna().equals(X.isna())
    assert moved.iloc[7, 1] != X.iloc[7, 1] or p == 1
    path = fa.robust_path(pipe, X, y, [eps], p=p)
    assert_close(path.params_at(eps), fit.params, 1e-8)


@pytest.mark.parametrize(
    "step",
    [LinearSVC(), Lasso(0.05), LogisticRegression(), HuberRegressor(),
     MLPClassifier((4,), activation="tanh", alpha=1.0, solver="lbfgs", tol=1e-10, max_iter=5000,
                   random_state=0)],
    ids=lambda step: type(step).__name__,
)  # fmt: skip
def test_missing_cells_before_models_of_every_kind(data, step):
    """What is not there neither counts in s nor gains, as in a frame with such rows' budgets."""
    X, y, _ = data
    X = X[GAPS]
    if hasattr(step, "predict_proba") or hasattr(step, "decision_function"):
        edges = np.quantile(y, [0.4, 0.7]) if type(step) is LogisticRegression else [np.median(y)]
        y = np.digitize(y, edges)
    pipe = make_pipeline(SimpleImputer(), StandardScaler(), clone(step)).fit(X, y)
    result = fa.aif(pipe, X, y)
    V = pipe[:-1].transform(X)
    assert result.radius == pytest.approx(
        np.linalg.norm(np.where(X.isna(), 0.0, V), axis=1).mean(), rel=1e-12
    )
    eps = 1e-4
    raw = fa.attack(pipe, X, y, eps, radius=result.radius)
    assert raw.isna().equals(X.isna())
    gained = fa.adversarial_loss(pipe, X, y, eps) - fa.adversarial_loss(pipe, X, y, 0.0)
    assert gained / eps == pytest.approx(result.value_derivative, rel=1e-2)
    assert_close(result.per_sample().mean(axis=0), result.influence, 1e-8)
    full = fa.aif(pipe[-1], V, y, radius=result.radius)  # of an attack on every cell
    assert result.value_derivative < 0.999 * full.value_derivative


def test_bounds_beside_missing_cells(data):
    X, y, _ = data
    X = X[GAPS]
    pipe = with_gaps().fit(X, y)
    wide, plain = (fa.aif(pipe, X, y, **more) for more in ({"bounds": (-1e6, 1e6)}, {}))
    assert_close(wide.influence, plain.influence, 1e-12)
    lab = X["lab"].min(), X["lab"].max()
    ends = [-np.inf, lab[0]], [np.inf, lab[1]]
    moved = fa.attack(pipe, X, y, 0.5, bounds=ends)
    assert moved["lab"].min() >= lab[0]
    assert moved["lab"].max() <= lab[1]
    assert moved["lab"].isna().equals(X["lab"].isna())
    tight = fa.robust_fit(pipe, X, y, 0.5, bounds=ends)
    assert tight.converged
    constant = make_pipeline(
        SimpleImputer(strategy="constant", fill_value=lab[1]), StandardScaler(), Ridge(1.0)
    ).fit(X, y)  # what is filled in is the bound, and a cell's own value
    moved = fa.attack(constant, X, y, 0.5, bounds=ends)
    assert moved["lab"].max() <= lab[1]
    assert (moved["lab"] < lab[1]).any()
    assert tight.objective < fa.robust_fit(pipe, X, y, 0.5).objective


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
    for call, message in (
        (lambda **p: fa.zero_radius(pipe, X, y, **p), "the zero radius is known of linear"),
        (lambda **p: fa.aif(pipe, X, y, at=0.1, **p), "at=0.1 is for linear predictors"),
        (lambda **p: fa.robustness_radius(pipe, X, y, change=0.1, **p), "missing cells"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
        with pytest.raises(ValueError, match=r"linear model \(missing cells are not attacked\)"):
            call(p=3.0)
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
