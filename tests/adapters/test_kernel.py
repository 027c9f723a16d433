"""scikit-learn's KernelRidge, alone and behind a scaler: the same influence as ours."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from oracles import gram
from sklearn.exceptions import NotFittedError
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, StandardScaler
from support import kernel_makers as makers
from support.kernel_makers import KERNELS, Case, make, twin_of
from support.makers import Data, about, assert_close

import fastaif as fa

A = 0.7
THEIRS = {
    "rbf": {"kernel": "rbf", "gamma": 0.7},
    "cubic": {"kernel": "poly", "gamma": 0.2, "degree": 3, "coef0": 1.0},
    "squares": {"kernel": "polynomial", "gamma": 0.5, "degree": 2, "coef0": 0.0},
    "linear": {"kernel": "linear"},
}


def ridge(kernel, alpha=A):
    return KernelRidge(alpha=alpha, **THEIRS[kernel])


def problem(kernel, weighted):
    """Theirs and ours, fitted to the same data, and theirs as the twin has it."""
    data = make(weighted=weighted)
    X, y, w = data
    alpha = A / (len(y) if w is None else w.sum())
    theirs = ridge(kernel).fit(X, y, sample_weight=w)
    case = Case(kernel, "rkhs")
    ours = makers.estimator(case, alpha).fit(X, y, w)
    return theirs, ours, data, twin_of(case, ours, data, alpha)


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kernel", THEIRS)
def test_same_influence_as_ours(kernel, weighted, p):
    theirs, ours, (X, y, w), twin = problem(kernel, weighted)
    found = fa.aif(theirs, X, y, p=p, sample_weight=w)
    wanted = fa.aif(ours, X, y, p=p, sample_weight=w)
    np.testing.assert_array_equal(found.params, theirs.dual_coef_)
    assert_close(found.params, wanted.params, 1e-10)
    assert_close(found.influence, wanted.influence, 1e-9)
    assert_close(found.hessian, wanted.hessian, 1e-12)
    assert found.value_derivative == about(wanted.value_derivative, 1e-9)
    assert found.sensitivity_coefficient == about(wanted.sensitivity_coefficient, 1e-9)
    plain = gram.influence(twin, X, theirs.dual_coef_, p=p)
    assert_close(found.influence, plain["influence"], 1e-9)


@pytest.mark.parametrize("kernel", THEIRS)
def test_the_objective_is_a_mean(kernel):
    """Weights count relative to one another, a / W with their sum."""
    X, y, w = makers.positive(make())
    theirs = ridge(kernel).fit(X, y, sample_weight=w)
    scaled = ridge(kernel, 5.0 * A).fit(X, y, sample_weight=5.0 * w)
    found = fa.aif(theirs, X, y, sample_weight=w)
    wanted = fa.aif(scaled, X, y, sample_weight=5.0 * w)
    assert_close(found.influence, wanted.influence, 1e-9)


def test_default_gammas_are_one_over_the_features():
    X, y, _ = make()
    for kernel, options in (("rbf", {}), ("poly", {"degree": 2})):
        implicit = KernelRidge(alpha=A, kernel=kernel, **options).fit(X, y)
        explicit = KernelRidge(alpha=A, kernel=kernel, gamma=1.0 / 3.0, **options).fit(X, y)
        found, wanted = (fa.aif(model, X, y) for model in (implicit, explicit))
        assert_close(found.influence, wanted.influence, 1e-9)


@pytest.mark.parametrize("kernel", THEIRS)
def test_robust_copy_is_theirs(kernel):
    theirs, _, (X, y, _), _ = problem(kernel, False)
    verified = fa.aif(theirs, X, y).verify(1e-4)
    robust = verified.robust
    assert type(robust.estimator) is KernelRidge
    np.testing.assert_array_equal(robust.estimator.dual_coef_, robust.params)
    np.testing.assert_array_equal(robust.estimator.X_fit_, X)
    K = KERNELS[kernel][1].values(X[:4], X)
    assert_close(robust.estimator.predict(X[:4]), K @ robust.params, 1e-12)
    assert not np.array_equal(theirs.dual_coef_, robust.params)
    assert verified.params_error <= 0.05


def test_sensitivities_and_attacks():
    theirs, ours, (X, y, w), _ = problem("rbf", True)
    held_out = make(n=30, seed=7)
    given = {"sample_weight": w, "X_eval": held_out.X, "y_eval": held_out.y}
    for method in ("aif", "quadratic", "exact"):
        one, other = (fa.sensitivity(e, X, y, 1e-3, method=method, **given) for e in (theirs, ours))
        assert one == about(other, 1e-7)
    one, other = (fa.attack(e, X, y, 0.01, sample_weight=w) for e in (theirs, ours))
    np.testing.assert_allclose(one, other, rtol=1e-7)
    one, other = (fa.adversarial_loss(e, X, y, 0.01, sample_weight=w) for e in (theirs, ours))
    assert one == about(other, 1e-9)


def test_frames():
    X, y, _ = make()
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    found = fa.aif(ridge("rbf").fit(frame, y), frame, y, attackable=["b"])
    wanted = fa.aif(ridge("rbf").fit(X, y), X, y, attackable=[False, True, False])
    assert_close(found.influence, wanted.influence, 1e-12)


# --- pipelines ------------------------------------------------------------------------------

UNITS = np.array([3.0, 0.02, 40.0])


def piped(kernel, data):
    X = UNITS * data.X + 5.0
    pipe = make_pipeline(StandardScaler(), ridge(kernel))
    return pipe.fit(X, data.y, kernelridge__sample_weight=data.w), X


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kernel", THEIRS)
def test_scaled_space_is_the_last_steps_inputs(kernel, weighted, p):
    data = make(weighted=weighted)
    pipe, X = piped(kernel, data)
    found = fa.aif(pipe, X, data.y, p=p, sample_weight=data.w)
    inner = pipe[0].transform(X)
    wanted = fa.aif(pipe[-1], inner, data.y, p=p, sample_weight=data.w)
    assert_close(found.influence, wanted.influence, 1e-9)
    assert found.radius == about(wanted.radius)
    assert found.value_derivative == about(wanted.value_derivative, 1e-9)
    assert found.sensitivity_coefficient == about(wanted.sensitivity_coefficient, 1e-9)
    robust, plain = (result.verify(1e-5).robust for result in (found, wanted))
    assert_close(robust.params, plain.params, 1e-9)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("kernel", THEIRS)
def test_raw_space(kernel, p):
    """c = 1 in raw units is c = 1 / sigma in scaled ones, and s is that of the raw inputs."""
    data = make()
    pipe, X = piped(kernel, data)
    found = fa.aif(pipe, X, data.y, p=p, attack_space="raw")
    s = np.mean(np.linalg.norm(X, ord=p, axis=1))
    assert found.radius == about(s)
    wanted = fa.aif(
        pipe[-1], pipe[0].transform(X), data.y, p=p, radius=s, feature_scale=1.0 / pipe[0].scale_
    )
    assert_close(found.influence, wanted.influence, 1e-9)


def test_held_out_data_go_through_the_scaler():
    data = make()
    pipe, X = piped("rbf", data)
    held_out = make(n=11, seed=4)
    result = fa.aif(pipe, X, data.y)
    inner = fa.aif(pipe[-1], pipe[0].transform(X), data.y)
    raw = UNITS * held_out.X + 5.0
    found = result.sensitivity(1e-3, raw, held_out.y, expansion="taylor")
    wanted = inner.sensitivity(1e-3, pipe[0].transform(raw), held_out.y, expansion="taylor")
    assert found == about(wanted, 1e-9)


def test_attacks_are_in_raw_units():
    data = make()
    pipe, X = piped("rbf", data)
    adversarial = fa.attack(pipe, X, data.y, 0.01)
    inner = fa.attack(pipe[-1], pipe[0].transform(X), data.y, 0.01)
    np.testing.assert_allclose(pipe[0].transform(adversarial), inner, atol=1e-9)


def test_other_scalers_stay_refused():
    data = make()
    for step in (MinMaxScaler(clip=True), PolynomialFeatures(2)):
        pipe = make_pipeline(step, ridge("rbf")).fit(data.X, data.y)
        with pytest.raises((TypeError, ValueError), match=type(step).__name__):
            fa.aif(pipe, data.X, data.y)


# --- refusals ---------------------------------------------------------------------------------

REFUSED = {
    "laplacian": ({"kernel": "laplacian"}, "laplacian"),
    "sigmoid": ({"kernel": "sigmoid", "alpha": 99.0}, "sigmoid"),
    "cosine": ({"kernel": "cosine"}, "cosine"),
    "callable": ({"kernel": lambda x, z: float(x @ z)}, "kernel"),
    "function of pairs": ({"kernel": lambda x, z: rbf_kernel(x[None], z[None])[0, 0]}, "kernel"),
    "array alpha": ({"kernel": "rbf", "alpha": np.array([0.7, 0.8])}, "alpha|output"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_refused_with_the_reason(row):
    options, message = REFUSED[row]
    X, y, _ = make()
    target = np.column_stack([y, y]) if row == "array alpha" else y
    model = KernelRidge(**({"alpha": A} | options)).fit(X, target)
    with pytest.raises((TypeError, ValueError), match=message):
        fa.aif(model, X, y)


def test_precomputed_kernels_are_refused():
    X, y, _ = make()
    K = rbf_kernel(X)
    with pytest.raises((TypeError, ValueError), match="precomputed"):
        fa.aif(KernelRidge(alpha=A, kernel="precomputed").fit(K, y), K, y)


def test_several_outputs_are_refused():
    X, y, _ = make()
    model = ridge("rbf").fit(X, np.column_stack([y, y]))
    with pytest.raises((TypeError, ValueError), match="output"):
        fa.aif(model, X, y)


def test_unfitted_and_other_data():
    X, y, _ = make()
    with pytest.raises(NotFittedError):
        fa.aif(ridge("rbf"), X, y)
    with pytest.raises(ValueError, match=r"X.*fit"):
        fa.aif(ridge("rbf").fit(X, y), X[::-1].copy(), y)


def test_single_precision():
    """Theirs is fitted in double precision to single inputs."""
    X, y, _ = make()
    single = X.astype(np.float32)
    found, wanted = (
        fa.aif(ridge("rbf").fit(given, y), given, y, refine=True)
        for given in (single, single.astype(float))
    )
    assert_close(found.influence, wanted.influence, 1e-11)
    twin = twin_of(Case("rbf", "rkhs"), None, Data(single.astype(float), y, None), A / len(y))
    assert_close(found.params, twin.fit(single.astype(float)), 1e-11)
