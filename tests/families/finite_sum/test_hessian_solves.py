"""H⁻¹ by products alone: conjugate gradients and LiSSA beside Cholesky, and damping="auto"."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from support.makers import assert_close, estimator, make, relative_error

import fastaif as fa
from fastaif.bases.expansion import make_expansion
from fastaif.data.rows import RowSource
from fastaif.losses import Huber, Logistic
from fastaif.passes.basis import make_sweep
from fastaif.passes.executor import Executor
from fastaif.passes.hessian_products import hessian_products
from fastaif.solvers import limits as choice
from fastaif.solvers.cg import conjugate_gradients
from fastaif.solvers.lanczos import lanczos
from fastaif.solvers.lissa import DivergenceError, lissa


def pair(model, data, **options):
    """By Cholesky and by conjugate gradients."""
    X, y, w = data
    return [
        fa.aif(model, X, y, sample_weight=w, solver=s, **options) for s in ("cholesky", "cg")
    ]


# --- products with H ------------------------------------------------------------------------


def features(basis, X):
    """v(X), written out."""
    if isinstance(basis, fa.bases.Linear):
        return X
    if isinstance(basis, fa.bases.Quadratic):
        j, k = np.triu_indices(X.shape[1])
        return np.hstack([X, X[:, j] * X[:, k]])
    if isinstance(basis, fa.bases.Powers):
        return np.hstack([X ** (r + 1) for r in range(basis.degree)])
    return np.sin(X)


BASES = [
    fa.bases.Linear(),
    fa.bases.Quadratic(),
    fa.bases.Powers(3),
    fa.bases.Custom(np.sin, lambda X, P: np.cos(X) * P, lambda X, t: np.cos(X) * t),
]


@pytest.mark.parametrize("basis", BASES, ids=lambda b: type(b).__name__)
@pytest.mark.parametrize(("n", "m"), [(7, 1), (150, 5), (700, 9)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_products_against_the_matrix(basis, n, m, dtype, fit_intercept, rng):
    X = rng.normal(size=(n, m)).astype(dtype)
    y, w = rng.choice([-1.0, 1.0], size=n), rng.integers(0, 3, size=n).astype(float)
    shift, scale = rng.normal(size=m), rng.uniform(0.5, 2.0, size=m)
    bound = make_expansion(basis.bind(m, X[:1].astype(float)), shift, scale, m)
    V = features(basis, (X.astype(float) - shift) / scale)
    out_shift, out_scale = rng.normal(size=V.shape[1]), rng.uniform(0.5, 2.0, size=V.shape[1])
    bound, V = bound.rescaled(out_shift, out_scale), (V - out_shift) / out_scale
    if fit_intercept:
        V = np.column_stack([V, np.ones(n)])
    theta = 0.1 * rng.normal(size=V.shape[1])
    e = np.exp(-y * (V @ theta))
    H = (V.T * (w * e / (1 + e) ** 2)) @ V / w.sum()
    sweep = make_sweep(RowSource(X, y, w, lambda t: t), Logistic(), bound, fit_intercept)
    products = hessian_products(sweep, theta)
    U = rng.normal(size=(len(theta), 3))
    size = np.linalg.norm(H) * np.linalg.norm(U)
    assert np.linalg.norm(products(U) - H @ U) < 1e-13 * size
    assert np.linalg.norm(products(U[:, 0]) - H @ U[:, 0]) < 1e-13 * size
    assert_close(products.diagonal(), np.diag(H), 1e-13)


def test_products_on_any_number_of_threads(rng):
    X, y = rng.normal(size=(3000, 60)), rng.normal(size=3000)
    for basis in (fa.bases.Linear(), fa.bases.Quadratic()):
        bound = make_expansion(basis.bind(60), None, None, 60)
        found = []
        for threads in (1, 2, 3):
            rows, executor = RowSource(X, y, None, lambda t: t), Executor(threads)
            sweep = make_sweep(rows, Huber(), bound, True, None, executor)
            theta = np.full(sweep.n_coefs + 1, 0.01)
            found.append(hessian_products(sweep, theta)(np.vander(theta + 0.5, 3)))
        assert np.array_equal(found[0], found[1])
        assert np.array_equal(found[0], found[2])


# --- the solvers, on matrices ---------------------------------------------------------------


def spread(rng, d=60, condition=1e6):
    """A positive definite matrix of a given condition number."""
    Q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    return (Q * np.geomspace(1.0, 1.0 / condition, d)) @ Q.T


def test_cg_solves_several_columns_and_reports_their_true_residuals(rng):
    A, b = spread(rng), rng.normal(size=(60, 4))
    b[:, 2] = 0.0
    inverse = 1.0 / np.diag(A)[:, None]
    found = conjugate_gradients(lambda U: A @ U, b, lambda r: inverse * r, max_iter=5000)
    assert_close(found.x, np.linalg.solve(A, b), 1e-8)
    rest = b - A @ found.x
    norms = np.sqrt((inverse * rest**2).sum(0) / np.maximum((inverse * b**2).sum(0), 1e-300))
    assert np.all(found.residual <= np.maximum(2 * norms, 1e-10))
    assert np.all(found.x[:, 2] == 0.0)


def test_right_hand_sides_of_very_different_scale(rng):
    A, b = spread(rng, condition=10.0), rng.normal(size=(60, 5))
    scale = np.array([1e-300, 1e-160, 1.0, 1e160, 1e300])
    wanted = np.linalg.solve(A, b)
    for found in (
        conjugate_gradients(lambda U: A @ U, scale * b, lambda r: r),
        lissa(lambda U: A @ U, lambda _, U: A @ U, scale * b, scale=2.0, tol=1e-12),
    ):
        assert_close(found.x / scale, wanted, 1e-10)
        assert np.all(found.residual <= 1e-11)


def test_cg_finds_negative_and_zero_curvature(rng):
    Q = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    values = np.linspace(1.0, 2.0, 20)
    for least in (-0.5, 0.0):
        values[0] = least
        A = (Q * values) @ Q.T
        found = conjugate_gradients(lambda U, A=A: A @ U, np.ones((20, 1)), lambda r: r)
        assert found.curvature is not None
        assert found.flat == (least == 0.0)
        assert found.curvature < 1e-10


def test_lanczos_finds_both_ends(rng):
    A = spread(rng, 200, 1e4)
    least, largest = lanczos(200, lambda v: A @ v)
    assert least == pytest.approx(1e-4, rel=2e-2)
    assert largest == pytest.approx(1.0, rel=1e-3)
    assert lanczos(1, lambda v: 3.0 * v) == pytest.approx((3.0, 3.0))


def test_lissa_raises_where_its_series_grows():
    with pytest.raises(DivergenceError):
        lissa(lambda U: 5.0 * U, lambda _, U: 5.0 * U, np.ones((3, 1)), scale=1.0)


# --- in aif ---------------------------------------------------------------------------------


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_cg_is_cholesky_for_linear_predictors(kind, fit_intercept, weighted):
    data = make(kind, weighted=weighted)
    model = estimator(kind, fit_intercept=fit_intercept).fit(*data)
    direct, found = pair(model, data)
    assert_close(found.influence, direct.influence, 1e-11)
    assert_close(found.per_sample(), direct.per_sample(), 1e-11)
    assert found.hessian is None
    assert found.sensitivity_coefficient == pytest.approx(direct.sensitivity_coefficient)
    for key in ("condition_number", "least_eigenvalue"):
        assert found.diagnostics[key] == pytest.approx(direct.diagnostics[key], rel=1e-2)
    assert found.diagnostics["solver"] == "cg"
    assert found.diagnostics["solver_iterations"] > 0
    assert found.diagnostics["solver_residual"] < 1e-10


@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_cg_is_cholesky_for_bases(p):
    data = make("linear", n=200)
    bases = (BASES[1], BASES[2], fa.bases.Fourier(20, 0.3, 0), BASES[3])
    for basis in bases:
        model = fa.BasisRegression(basis, alpha=0.01).fit(data.X, data.y)
        direct, found = pair(model, data, p=p)
        assert_close(found.influence, direct.influence, 1e-9)


@pytest.mark.parametrize("order", [1, 3])
def test_cg_is_cholesky_for_shared_budgets(order):
    data = make("linear", n=200, weighted=True)
    for model in (fa.LinearRegression(0.1), fa.QuadraticRegression(0.1)):
        direct, found = pair(model.fit(*data), data, order=order)
        assert_close(found.influence, direct.influence, 1e-10)
        assert_close(found.per_sample(), direct.per_sample(), 1e-10)


def test_cg_at_a_condition_number_of_a_million(rng):
    n, m = 400, 40
    X = rng.normal(size=(n, m)) @ np.linalg.qr(rng.normal(size=(m, m)))[0]
    X = (X * np.geomspace(1.0, 1e-3, m)) @ np.linalg.qr(rng.normal(size=(m, m)))[0]
    y = X @ np.ones(m) + rng.normal(size=n)
    model = fa.LinearRegression().fit(X, y)
    direct, found = (fa.aif(model, X, y, solver=s) for s in ("cholesky", "cg"))
    assert direct.diagnostics["condition_number"] > 1e6
    assert_close(found.influence, direct.influence, 1e-8)


def test_cg_behind_scalers_and_on_float32():
    X, y, _ = make("linear", n=200)
    X = 1000.0 * X + 1e5  # far from zero, of unlike scale
    steps = StandardScaler(), PolynomialFeatures(2, include_bias=False), Ridge(1.0)
    model = make_pipeline(*steps).fit(X, y)
    direct, found = (fa.aif(model, X, y, solver=s) for s in ("cholesky", "cg"))
    assert_close(found.influence, direct.influence, 1e-9)
    plain = fa.LinearRegression(0.1).fit(X, y)
    direct, found = (fa.aif(plain, X, y, solver=s) for s in ("cholesky", "cg"))
    assert_close(found.influence, direct.influence, 1e-7)
    X32 = X.astype(np.float32)
    model = fa.LinearRegression(0.1).fit(X32, y)
    single = fa.aif(model, X32, y, solver="cg").influence
    double = fa.aif(model, X32.astype(float), y, solver="cg").influence
    assert_close(single, double, 1e-12)


def test_cg_gives_the_same_bits_on_any_number_of_threads(rng):
    X, y = rng.normal(size=(4000, 50)), rng.normal(size=4000)
    model = fa.LinearRegression(0.1).fit(X, y)
    found = [fa.aif(model, X, y, solver="cg", n_threads=k).influence for k in (1, 2, 3)]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_cg_on_fixed_centres_and_on_noisy_copies():
    X, y, _ = make("linear", n=120)
    y = y - y.mean()
    for penalty in ("rkhs", "l2"):
        kernel = fa.kernels.RBF(0.1)
        model = fa.KernelRegression(kernel, 0.1, penalty=penalty, n_centers=15, centers="fixed")
        direct, found = pair(model.fit(X, y), (X, y, None))
        assert_close(found.influence, direct.influence, 1e-7)
    smooth = fa.RandomizedSmoothing(fa.LinearRegression(), 0.3, random_state=0).fit(X, y)
    direct, found = pair(smooth, (X, y, None))
    assert_close(found.influence, direct.influence, 1e-10)
    near = fa.aif(smooth, X, y, solver="lissa", random_state=1)
    assert relative_error(near.influence, direct.influence) < 0.02


def test_damping_is_the_same_for_both():
    X, y, _ = make("linear")
    X = X + 100.0
    model = fa.LinearRegression().fit(X, y)
    direct, found = pair(model, (X, y, None), damping=0.3)
    assert_close(found.influence, direct.influence, 1e-8)
    assert found.diagnostics["damping"] == 0.3
    assert "Damping 0.3" in direct.summary()
    assert "Solver" not in direct.summary()
    count = found.diagnostics["solver_iterations"]
    assert f"Solver cg: {count} iterations, relative residual" in found.summary()


def test_the_stationarity_check_needs_no_factor():
    X, y, _ = make("linear")
    model = fa.LinearRegression(0.1).fit(X, y)
    model.coef_ = model.coef_ + 0.05
    with pytest.warns(fa.InfluenceWarning, match="not stationary"):
        direct = fa.aif(model, X, y)
    with pytest.warns(fa.InfluenceWarning, match="not stationary"):
        found = fa.aif(model, X, y, solver="cg")
    ratio = found.diagnostics["newton_step"] / direct.diagnostics["newton_step"]
    assert 0.5 < ratio < 2.0


def test_verify_forms_the_hessian_where_it_has_room(monkeypatch):
    X, y, _ = make("linear")
    model = fa.LinearRegression(0.1).fit(X, y)
    direct, found = pair(model, (X, y, None))
    assert found.verify(1e-3).exact_cost == pytest.approx(direct.verify(1e-3).exact_cost)
    monkeypatch.setattr(choice, "LARGEST", 3)
    with pytest.raises(ValueError, match="robust fit forms the Hessian"):
        found.verify(1e-3)
    with pytest.raises(ValueError, match="robust fit forms the Hessian"):
        fa.robust_fit(model, X, y, 0.01, method="pgd")


@pytest.mark.parametrize("alpha", [0.02, 0.0])
def test_auto_fits_and_solves_without_a_hessian(kind, alpha, monkeypatch):
    X, y, _ = make(kind, n=400)
    direct = estimator(kind, alpha).fit(X, y)
    wanted = fa.aif(direct, X, y)
    assert wanted.diagnostics["solver"] == "cholesky"
    monkeypatch.setattr(choice, "LARGEST", 3)
    model = estimator(kind, alpha).fit(X, y)
    assert_close(model.coef_, direct.coef_, 1e-9)
    found = fa.aif(model, X, y)
    assert found.diagnostics["solver"] == "cg"
    assert_close(found.influence, wanted.influence, 1e-8)


def test_a_wide_fit_without_a_penalty_has_least_norm(monkeypatch, rng):
    X, y = rng.normal(size=(20, 50)), rng.normal(size=20)
    monkeypatch.setattr(choice, "LARGEST", 3)
    model = fa.LinearRegression(fit_intercept=False)
    with pytest.warns(Warning, match="singular"):
        model.fit(X, y)
    assert_close(model.coef_, np.linalg.lstsq(X, y, rcond=None)[0], 1e-9)


@pytest.mark.parametrize("solver", ["cg", "lissa"])
def test_a_singular_hessian_is_refused(solver, rng):
    X, y = rng.normal(size=(100, 3)), rng.normal(size=100)
    X = np.column_stack([X, X[:, 0]])
    with pytest.warns(Warning, match="singular"):
        model = fa.LinearRegression().fit(X, y)
    with pytest.raises(np.linalg.LinAlgError, match="damping"):
        fa.aif(model, X, y, solver=solver, random_state=0)
    wide = fa.LinearRegression(0.1).fit(X[:3], y[:3])
    wide.alpha = 0.0
    with pytest.raises(np.linalg.LinAlgError, match="damping"):
        fa.aif(wide, X[:3], y[:3], solver=solver, random_state=0)


@pytest.mark.parametrize("twin", range(1, 12))
def test_a_column_that_is_there_twice_is_refused(twin, rng):
    """Wherever it is: the probe must have a share of the difference of any two."""
    X = rng.normal(size=(60, 12))
    X[:, twin] = X[:, 0]
    y = X @ rng.normal(size=12) + rng.normal(size=60)
    with pytest.warns(Warning, match="singular"):
        model = fa.LinearRegression().fit(X, y)
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        fa.aif(model, X, y, solver="cg")


def test_lissa_is_near_and_keyed(kind):
    X, y, w = make(kind, n=1000, weighted=True)
    model = estimator(kind).fit(X, y, w)

    def run(solver, seed=0, **options):
        return fa.aif(
            model, X, y, sample_weight=w, solver=solver, random_state=seed, **options
        ).influence

    wanted, found = run("cholesky"), run("lissa")
    assert 0.0 < relative_error(found, wanted) < 0.02
    assert np.array_equal(found, run("lissa", n_threads=1))
    assert not np.array_equal(found, run("lissa", seed=1))


def test_lissa_says_where_it_does_not_serve(rng):
    X = rng.normal(size=(5000, 4))
    X[0] *= 1e4  # one row is nearly all of H
    y = X @ np.ones(4) + rng.normal(size=5000)
    model = fa.LinearRegression(0.1).fit(X, y)
    with pytest.raises(np.linalg.LinAlgError, match="solver='cg'"):
        fa.aif(model, X, y, solver="lissa", random_state=0)


@pytest.mark.parametrize("solver", ["cholesky", "cg"])
def test_automatic_damping(solver, rng):
    X, y = rng.normal(size=(100, 4)), rng.normal(size=100)
    model = fa.LinearRegression(0.1).fit(X, y)
    found = fa.aif(model, X, y, solver=solver, damping="auto")
    assert found.diagnostics["damping"] == 0.0
    assert_close(found.influence, fa.aif(model, X, y).influence, 1e-10)
    twice = np.column_stack([X, X[:, 0]])
    with pytest.warns(Warning, match="singular"):
        model = fa.LinearRegression().fit(twice, y)
    found = fa.aif(model, twice, y, solver=solver, damping="auto")
    largest = np.linalg.eigvalsh(fa.aif(model, twice, y, damping=1.0).hessian)[-1]
    assert found.diagnostics["damping"] == pytest.approx(2.0**-26 * largest, rel=1e-2)
    given = fa.aif(model, twice, y, damping=found.diagnostics["damping"])
    assert_close(found.influence, given.influence, 1e-6)


def test_automatic_damping_of_kernels():
    X, y, _ = make("linear", n=30)
    kernel = fa.KernelRegression(fa.kernels.RBF(0.1), alpha=0.1, penalty="l2").fit(X, y)
    found = fa.aif(kernel, X, y, damping="auto")
    assert found.diagnostics["damping"] == 0.0
    assert_close(found.influence, fa.aif(kernel, X, y).influence, 1e-12)
    with pytest.raises(ValueError, match="solver='cg' is not for a kernel model"):
        fa.aif(kernel, X, y, solver="cg")


def test_unknown_options_are_refused():
    X, y, _ = make("linear")
    model = fa.LinearRegression().fit(X, y)
    with pytest.raises(ValueError, match="'cholesky', 'cg', 'lissa'"):
        fa.aif(model, X, y, solver="lu")
    with pytest.raises(TypeError, match="damping"):
        fa.aif(model, X, y, damping="some")


@pytest.mark.parametrize("solver", ["cg", "lissa"])
def test_a_penalty_lost_in_rounding_is_none(solver, rng):
    """Three equal columns, two of which the right-hand side tells apart by nothing."""
    X = rng.normal(size=(60, 6))
    X[:, 4] = X[:, 5] = X[:, 1]
    y = X @ [1.0, 2.0, 0.5, -1.0, 0.0, 0.0] + rng.normal(size=60)
    with pytest.warns(Warning, match="singular"):
        model = fa.LinearRegression(alpha=1e-18).fit(X, y)
    for each in ("cholesky", solver):
        with pytest.raises(np.linalg.LinAlgError, match="damping"):
            fa.aif(model, X, y, solver=each)
    found = [fa.aif(model, X, y, solver=each, damping="auto") for each in ("cholesky", "cg")]
    assert all(result.diagnostics["damping"] > 0.0 for result in found)
    np.testing.assert_allclose(found[0].influence, found[1].influence, rtol=1e-4)
