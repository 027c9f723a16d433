"""The mean of scikit-learn's Gaussian processes: kernel ridge regressions on centred targets."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process import GaussianProcessRegressor as Process
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    DotProduct,
    ExpSineSquared,
    Matern,
    RationalQuadratic,
    WhiteKernel,
)
from sklearn.kernel_ridge import KernelRidge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.makers import about, assert_close

import fastaif as fa

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def data(n=40, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    return X, 4.0 + 3.0 * np.sin(X[:, 0]) + X[:, 1] + 0.3 * rng.normal(size=n)


KERNELS = {
    "RBF": (RBF(1.3), fa.kernels.RBF(0.5 / 1.3**2), 1.0, 0.0),
    "constant": (ConstantKernel(2.5) * RBF(0.8), fa.kernels.RBF(0.5 / 0.8**2), 2.5, 0.0),
    "noise": (RBF(1.1) * 1.7 + WhiteKernel(0.2), fa.kernels.RBF(0.5 / 1.1**2), 1.7, 0.2),
    "all of it": (
        2.0 * (1.5 * Matern(0.9, nu=1.5) + WhiteKernel(0.1)), fa.kernels.Matern(1.5, 1 / 0.9),
        3.0, 0.2,
    ),
    "Matern": (WhiteKernel(0.3) + Matern(1.2, nu=2.5), fa.kernels.Matern(2.5, 1 / 1.2), 1.0, 0.3),
    "DotProduct": (
        DotProduct(0.7) + WhiteKernel(0.3), fa.kernels.Polynomial(1, 1.0, 0.49), 1.0, 0.3
    ),
}  # fmt: skip


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("name", KERNELS)
def test_it_is_a_kernel_ridge_on_centred_targets(name, normalize):
    given, kernel, constant, noise = KERNELS[name]
    X, y = data()
    model = Process(given, alpha=0.05, optimizer=None, normalize_y=normalize).fit(X, y)
    alpha = (0.05 + noise) / constant / len(y)
    mean = y.mean() if normalize else 0.0
    same = fa.KernelRegression(kernel, alpha=alpha, penalty="rkhs", centers="moving")
    same.fit(X, y - mean)
    for p in (1, 2, np.inf):
        found, wanted = fa.aif(model, X, y, p=p), fa.aif(same, X, y - mean, p=p)
        assert_close(found.params, wanted.params, 1e-8)
        assert_close(found.influence, wanted.influence, 1e-7)
        assert found.problem.alpha == about(alpha)
        assert found.problem.newton_step() < 1e-6
    np.testing.assert_allclose(same.predict(X) + mean, model.predict(X), rtol=1e-9)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::fastaif.utils.warnings.SolverWarning")  # it is ended early
def test_fitted_hyperparameters_robust_fits_and_copies():
    X, y = data()
    model = Process(
        ConstantKernel(1.0) * RBF(1.0) + WhiteKernel(0.1), normalize_y=True, random_state=0
    ).fit(X, y)  # fmt: skip
    result = fa.aif(model, X, y)
    copy = result.problem.model.rebuild(result.params)
    np.testing.assert_allclose(copy.predict(X), model.predict(X), rtol=1e-12)
    robust = fa.robust_fit(model, X, y, 1e-4, max_iter=20)
    assert isinstance(robust.estimator, Process)
    r = model.predict(X) - y
    assert result.problem.mean_loss(result.params) == about(np.mean(r**2), 1e-9)
    again = pickle.loads(pickle.dumps(result))
    np.testing.assert_array_equal(again.influence, result.influence)


def test_behind_a_scaler_as_a_kernel_ridge():
    X, y = data()
    X = X * [3.0, 0.2] + [1.0, 5.0]
    process = make_pipeline(StandardScaler(), Process(RBF(1.3), alpha=0.1, optimizer=None))
    ridge = make_pipeline(StandardScaler(), KernelRidge(alpha=0.1, kernel="rbf", gamma=0.5 / 1.69))
    for space in ("scaled", "raw"):
        found, wanted = (
            fa.aif(each.fit(X, y), X, y, attack_space=space) for each in (process, ridge)
        )
        assert_close(found.influence, wanted.influence, 1e-8)


@pytest.mark.parametrize(
    ("kernel", "reason"),
    [(RationalQuadratic(), "RationalQuadratic"), (ExpSineSquared() * RBF(), "ExpSineSquared"),
     (RBF(1.0) + RBF(2.0), "kernel RBF"), (RBF(1.0) * DotProduct(), "kernel RBF"),
     (RBF(1.0) + ConstantKernel(1.0), "kernel RBF"), (Matern(nu=0.5), "kernel Matern"),
     (RBF([1.0, 2.0]), "only one length_scale"), (WhiteKernel(1.0), "kernel WhiteKernel"),
     (ConstantKernel(2.0) + WhiteKernel(1.0), "is not supported")],
)  # fmt: skip
def test_other_kernels_are_refused_by_name(kernel, reason):
    X, y = data()
    model = Process(kernel, alpha=10.0, optimizer=None).fit(X, y)
    with pytest.raises(ValueError, match=reason):
        fa.aif(model, X, y)


def test_what_else_is_refused():
    X, y = data()
    several = Process(RBF(), alpha=0.1, optimizer=None).fit(X, np.column_stack([y, y**2]))
    with pytest.raises(ValueError, match="has 2 outputs"):
        fa.aif(several, X, y)
    each = Process(RBF(), alpha=np.full(40, 0.1), optimizer=None).fit(X, y)
    with pytest.raises(ValueError, match="an alpha for each sample"):
        fa.aif(each, X, y)
    with pytest.raises(NotFittedError, match="GaussianProcessRegressor"):
        fa.aif(Process(), X, y)
    with pytest.raises(ValueError, match="X"):  # its centres are the inputs of the fit
        fa.aif(Process(RBF(), alpha=0.1, optimizer=None).fit(X, y), X[::-1], y)
