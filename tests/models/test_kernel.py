"""`KernelRegression` as an estimator: fits, predictions, options, and memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from oracles import gram
from oracles.kernels import RBF
from scipy import sparse
from sklearn.base import clone
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks
from support import kernel_makers as makers
from support.kernel_makers import CASES, CENTERS, KERNELS, PENALTIES, Case, fitted, make
from support.makers import about, assert_close, relative_error

import fastaif as fa

# --- fits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_fits_are_the_twins(case, weighted):
    found = fitted(case, make(weighted=weighted))
    assert_close(found.theta, found.twin.fit(found.data.X), 1e-10)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_direction_leads_down(case):
    found = fitted(case, make(weighted=True))
    X, theta = found.data.X, found.theta
    least = found.twin.objective(theta, X)
    rng = np.random.default_rng(0)
    for size in (1e-4, 1e-2, 1.0):
        for d in rng.normal(size=(10, theta.size)):
            assert found.twin.objective(theta + size * d, X) >= least * (1.0 - 1e-12)


def test_fitted_attributes():
    X, y, _ = make()
    for centers, count in (("moving", 24), ("fixed", 24), ("drawn", 3)):
        model = makers.estimator(Case("rbf", "l2", centers)).fit(X, y)
        assert model.dual_coef_.shape == (count,)
        assert model.X_fit_.shape == (count, 3)
        assert model.n_features_in_ == 3
        rows = {tuple(row) for row in X}
        assert all(tuple(row) in rows for row in model.X_fit_)
        assert len({tuple(row) for row in model.X_fit_}) == count
    np.testing.assert_array_equal(makers.estimator(Case("rbf")).fit(X, y).X_fit_, X)


def test_what_the_fit_keeps_is_its_own():
    """Later changes of the caller's array change nothing."""
    X, y, _ = make()
    given = X.copy()
    model = makers.estimator(Case("rbf")).fit(given, y)
    before = model.predict(X[:5])
    given[:] = 0.0
    np.testing.assert_array_equal(model.predict(X[:5]), before)


def test_drawn_centers_depend_on_the_seed_alone():
    X, y, _ = make()

    def centers(seed, **options):
        case = Case("rbf", "l2", "drawn")
        return makers.estimator(case, random_state=seed, **options).fit(X, y).X_fit_

    np.testing.assert_array_equal(centers(1), centers(1))
    assert not np.array_equal(centers(1), centers(2))
    assert len(centers(1, n_centers=24)) == 24


def test_defaults():
    model = fa.KernelRegression()
    assert isinstance(model.kernel, fa.kernels.RBF)
    given = model.get_params(deep=False)
    assert given.pop("kernel").gamma == 1.0
    assert given == {
        "alpha": 1e-3, "penalty": "l2", "centers": "moving", "n_centers": None,
        "random_state": None,
    }  # fmt: skip


@pytest.mark.parametrize("centers", CENTERS)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_clones_fit_alike(penalty, centers):
    X, y, w = make(weighted=True)
    model = makers.estimator(Case("rbf", penalty, centers)).fit(X, y, w)
    again = clone(model).fit(X, y, w)
    np.testing.assert_array_equal(again.dual_coef_, model.dual_coef_)


def test_grid_search_over_alpha():
    X, y, _ = make(n=60)
    search = GridSearchCV(fa.KernelRegression(fa.kernels.RBF(0.7)), {"alpha": [1e-4, 1e-2, 1.0]})
    assert search.fit(X, y).best_params_["alpha"] in (1e-4, 1e-2, 1.0)
    assert np.isfinite(cross_val_score(fa.KernelRegression(), X, y)).all()


def test_frames():
    X, y, _ = make()
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model = makers.estimator(Case("rbf")).fit(frame, y)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    result = fa.aif(model, frame, y, attackable=["c"])
    plain = makers.estimator(Case("rbf")).fit(X, y)
    wanted = fa.aif(plain, X, y, attackable=[False, False, True])
    assert_close(result.influence, wanted.influence, 1e-14)
    assert len(result.to_frame()) == 24
    assert "influence" in result.to_frame().columns


@pytest.mark.parametrize("centers", CENTERS)
def test_reports_and_plots(centers):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    X, y, _ = make()
    model = makers.estimator(Case("rbf", "rkhs", centers)).fit(X, y)
    result = fa.aif(model, X, y)
    for text in (result.summary(), str(result), str(result.verify(1e-4))):
        assert len(text.splitlines()) > 2
    assert result.plot() is not None
    assert {"condition_number", "ties", "zero_gradients", "newton_step"} <= set(result.diagnostics)
    assert result.diagnostics["newton_step"] <= 1e-8
    assert result.diagnostics["zero_gradients"] == 0


@pytest.mark.filterwarnings("ignore::UserWarning")  # of a singular Hessian
@pytest.mark.parametrize("penalty", PENALTIES)
def test_without_a_penalty_a_singular_fit_is_finite(penalty):
    X, y, _ = make()
    X, y = np.concatenate([X, X[:3]]), np.concatenate([y, y[:3]])
    model = fa.KernelRegression(fa.kernels.RBF(0.7), alpha=0.0, penalty=penalty).fit(X, y)
    assert np.isfinite(model.dual_coef_).all()
    assert_close(model.predict(X), y, 1e-6)


# --- predictions ----------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("n", [1, 7, 600])
def test_predictions_in_tiles_are_the_product(kernel, n):
    """More rows, and more centres, than a tile has."""
    X, y, _ = make(n=270)
    model = makers.estimator(Case(kernel), alpha=1e-2).fit(X, y)
    held_out = make(n=n, seed=8).X
    K = KERNELS[kernel][1].values(held_out, model.X_fit_)
    scale = np.abs(K) @ np.abs(model.dual_coef_)
    assert np.max(np.abs(model.predict(held_out) - K @ model.dual_coef_) / scale) <= 1e-13


def test_predictions_with_more_centers_than_a_tile_has_columns():
    rng = np.random.default_rng(0)
    model = makers.estimator(Case("rbf")).fit(*make(n=10)[:2])
    model.X_fit_, model.dual_coef_ = rng.normal(size=(4500, 3)), rng.normal(size=4500)
    X = make(n=20).X
    K = KERNELS["rbf"][1].values(X, model.X_fit_)
    scale = np.abs(K) @ np.abs(model.dual_coef_)
    assert np.max(np.abs(model.predict(X) - K @ model.dual_coef_) / scale) <= 1e-13


@pytest.mark.parametrize("case", [Case("rbf"), Case("cubic", "rkhs"), Case("rbf", "l2", "drawn")])
def test_score_is_r_squared(case):
    X, y, w = make(weighted=True)
    model = makers.estimator(case).fit(X, y, w)
    assert model.score(X, y) == about(r2_score(y, model.predict(X)))
    assert model.score(X, y, sample_weight=w) == about(
        r2_score(y, model.predict(X), sample_weight=w)
    )


# --- scikit-learn ---------------------------------------------------------------------------

THEIRS = {
    "rbf": {"kernel": "rbf", "gamma": 0.7},
    "cubic": {"kernel": "poly", "gamma": 0.2, "degree": 3, "coef0": 1.0},
    "squares": {"kernel": "polynomial", "gamma": 0.5, "degree": 2, "coef0": 0.0},
    "linear": {"kernel": "linear"},
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kernel", THEIRS)
def test_rkhs_fits_are_kernel_ridges(kernel, weighted):
    """Theirs minimises sum w (K theta - y)^2 + a theta'K theta: alpha is a / W."""
    X, y, w = make(weighted=weighted)
    total = len(y) if w is None else w.sum()
    theirs = KernelRidge(alpha=0.7, **THEIRS[kernel]).fit(X, y, sample_weight=w)
    ours = makers.estimator(Case(kernel, "rkhs"), alpha=0.7 / total).fit(X, y, w)
    assert_close(ours.dual_coef_, theirs.dual_coef_, 1e-10)
    held_out = make(n=9, seed=4).X
    assert_close(ours.predict(held_out), theirs.predict(held_out), 1e-10)


ESTIMATORS = [
    fa.KernelRegression(fa.kernels.RBF(0.3), 1e-3, penalty=penalty, centers=centers)
    for penalty in PENALTIES
    for centers in ("moving", "fixed")
] + [
    fa.KernelRegression(fa.kernels.RBF(0.3), 1e-3, centers="fixed", n_centers=1, random_state=0),
]


def expected_failures(estimator):
    """Checks that cannot pass, with the reason."""
    reason = "each copy of a sample is a centre of its own"
    weights = "check_sample_weight_equivalence_on_dense_data"
    if estimator.n_centers is not None:
        return {
            weights: "the centres are drawn from the rows given, whatever their weights",
            "check_regressors_train": "one centre explains little",
        }
    return {weights: reason} if estimator.penalty == "l2" else {}


# The checks fit to random and degenerate data, on which estimators may warn as they please.
@pytest.mark.filterwarnings("default")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_check(estimator, check):
    check(estimator)


# --- memory and digits ------------------------------------------------------------------------


@pytest.mark.parametrize("centers", ["moving", "fixed"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("kernel", ["rbf", "ntk"])
def test_memory(kernel, penalty, centers):
    """No array with an entry for each pair and feature: at most four n by n ones at a time."""
    if kernel == "ntk" and centers == "fixed":
        pytest.skip("an NTK has a kink where an attacked input meets a centre")
    n, m = 1500, 20
    X, y, _ = make(n=n, m=m)
    gamma = {"rbf": lambda: fa.kernels.RBF(0.05), "ntk": fa.kernels.NTK}[kernel]()
    model = fa.KernelRegression(gamma, 1e-2, penalty=penalty, centers=centers).fit(X, y)
    small = make(n=30, m=m)
    fa.aif(clone(model).fit(small.X, small.y), small.X, small.y)  # code that is compiled once
    tracemalloc.start()
    try:
        result = fa.aif(model, X, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.isfinite(result.influence).all()
    assert peak <= 4.3 * 8 * n * n, f"{peak / (8 * n * n):.2f} n^2 doubles"


# alpha, and the error that rounding the entries of K already costs, times ten.
CONDITIONS = {
    "l2": [(1e-8, 1.2e-8), (1e-10, 4e-7), (1e-12, 3e-5)],
    "rkhs": [(1e-8, 1e-8), (1e-10, 1e-6), (1e-12, 1e-4)],
}


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("penalty", PENALTIES)
def test_ill_conditioned_systems_keep_their_digits(penalty, place):
    """The condition number of K + sqrt(n alpha) is up to 4e6: the normal equations square that."""
    pytest.importorskip("mpmath", reason="mpmath is not installed")
    alpha, tol = CONDITIONS[penalty][place]
    data, gamma = make(n=20, m=2, seed=1), 0.05
    theta, influence = gram.exact_rbf_influence(data.X, data.y, gamma, alpha, penalty)
    model = fa.KernelRegression(fa.kernels.RBF(gamma), alpha, penalty=penalty)
    found = fa.aif(model.fit(data.X, data.y), data.X, data.y)
    assert_close(model.dual_coef_, theta, tol)
    assert_close(found.influence, influence, tol)
    if penalty == "l2":
        squared = gram.Regression(RBF(gamma), data.y, alpha)
        B = squared.directions(theta, data.X)
        assert relative_error(squared.influence(theta, data.X, B), influence) >= 3.0 * tol


# --- rows that are not an array in memory ---------------------------------------------------


@pytest.mark.parametrize("centers", ["moving", "drawn"])
def test_predictions_of_rows_that_are_read_by_blocks(centers, tmp_path):
    da = pytest.importorskip("dask.array", reason="Dask is not installed")
    dd = pytest.importorskip("dask.dataframe", reason="Dask is not installed")
    X, y, _ = make()
    model = makers.estimator(Case("rbf", "l2", centers)).fit(X, y)
    expected = model.predict(X)
    pd.DataFrame(X, columns=list("abc")).to_parquet(tmp_path / "x.parquet")
    for rows in (da.from_array(X, chunks=(7, 3)), sparse.csr_matrix(X)):
        np.testing.assert_allclose(model.predict(rows), expected, rtol=1e-12)
        assert model.score(rows, y) == pytest.approx(model.score(X, y), rel=1e-12)
    frame = pd.DataFrame(X, columns=list("abc"))
    named = makers.estimator(Case("rbf", "l2", centers)).fit(frame, y)
    np.testing.assert_allclose(named.predict(str(tmp_path / "x.parquet")), expected, rtol=1e-12)
    chunks = dd.from_pandas(frame, npartitions=3)
    again = makers.estimator(Case("rbf", "l2", centers)).fit(chunks, da.from_array(y, chunks=5))
    np.testing.assert_allclose(again.predict(chunks), expected, rtol=1e-12)
    for blocks in ([(X[:9], y[:9]), (X[9:], y[9:])], iter([(X, y)])):
        with pytest.raises(TypeError, match=r"iterable of blocks: ask for each"):
            model.predict(blocks)


@pytest.mark.parametrize(("rows", "error", "why"), [
    (lambda X, y: ([(X, y)], None), TypeError, "an iterable of blocks: give an array"),
    (lambda X, y: (iter([(X, y)]), None), TypeError, "an iterable of blocks: give an array"),
    (lambda X, y: ("x.parquet", "y"), TypeError, "the path 'x.parquet': give an array"),
    (lambda X, y: (np.ma.masked_greater(X, 1.0), y), ValueError, "X is a masked array"),
    (lambda X, y: (X, np.ma.masked_greater(y, 0.0)), ValueError, "y is a masked array"),
    (lambda X, y: (pd.DataFrame(X, columns=list("aab")), y), ValueError, "several columns"),
    (lambda X, y: (pd.DataFrame(X).assign(d=pd.Timestamp("2020")), y), TypeError, "dates"),
])  # fmt: skip
def test_rows_that_fits_refuse(rows, error, why):
    X, y, _ = make()
    with pytest.raises(error, match=why):
        fa.KernelRegression().fit(*rows(X, y))


def test_masked_inputs_of_predictions():
    X, y, _ = make()
    for model in (fa.KernelRegression(), fa.LinearRegression(), fa.QuadraticRegression()):
        with pytest.raises(ValueError, match="X is a masked array"):
            model.fit(X, y).predict(np.ma.masked_greater(X, 1.0))
