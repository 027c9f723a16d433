"""Bad input is refused with one clear sentence that names the argument: a test a row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import OrthogonalMatchingPursuit

import fastaif as fa

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = X @ np.array([1.0, -2.0, 0.5]) + RNG.normal(size=60)
LABELS = np.where(Y > 0, "yes", "no")


@pytest.fixture(scope="module")
def model():
    return fa.LinearRegression().fit(X, Y)


@pytest.fixture(scope="module")
def classifier():
    return fa.LogisticRegression().fit(X, LABELS)


def _with(array, index, value):
    changed = array.copy()
    changed[index] = value
    return changed


DATA = {
    "nan in X": (_with(X, (4, 1), np.nan), Y, ValueError, "X contains NaN.*row 4, column 1"),
    "inf in X": (_with(X, (4, 1), np.inf), Y, ValueError, "X contains NaN or infinity"),
    "nan in y": (X, _with(Y, 3, np.nan), ValueError, "y contains NaN.*row 3"),
    "one-dimensional X": (X[:, 0], Y, ValueError, "X must be two-dimensional"),
    "three-dimensional X": (X[None], Y, ValueError, r"X.reshape\(len\(X\), -1\)"),
    "two-dimensional y": (X, X, ValueError, "y must be one-dimensional"),
    "lengths differ": (X, Y[:-1], ValueError, "y has 59 entries, but X has 60 rows"),
    "no rows": (X[:0], Y[:0], ValueError, "X is empty"),
    "no columns": (X[:, :0], Y, ValueError, "X is empty"),
    "complex X": (X + 0j, Y, TypeError, "X must hold real numbers"),
    "object X": (X.astype(object), Y, TypeError, "X must hold real numbers"),
    "text column": (
        pd.DataFrame(X, columns=list("abc")).assign(c="u"), Y, TypeError, "X has a column 'c'",
    ),
    "complex y": (X, Y + 0j, TypeError, "y must be real"),
    "text y": (X, LABELS, TypeError, "y must hold numbers"),
    "missing X": (None, Y, TypeError, "X is None"),
    "missing y": (X, None, TypeError, "y is None"),
    "other feature count": (X[:, :2], Y, ValueError, "X has 2 features.*fitted to 3"),
    "all-zero X": (0.0 * X, Y, ValueError, "every row of X is zero"),
}  # fmt: skip


@pytest.mark.parametrize("row", DATA)
def test_data_are_refused(model, row):
    data, target, error, message = DATA[row]
    with pytest.raises(error, match=message):
        fa.aif(model, data, target)


@pytest.mark.parametrize("row", ["nan in X", "one-dimensional X", "lengths differ", "complex X"])
@pytest.mark.parametrize(
    "function", [fa.attack, fa.adversarial_loss, fa.robust_fit, fa.sensitivity]
)
def test_every_function_refuses(model, row, function):
    data, target, error, message = DATA[row]
    with pytest.raises(error, match=message):
        function(model, data, target, 0.1)


OPTIONS = {
    "p below one": ({"p": 0.5}, ValueError, "p must be a number of at least 1"),
    "p not a number": ({"p": "two"}, TypeError, "p must be"),
    "p is nan": ({"p": np.nan}, ValueError, "p must be"),
    "order below one": ({"order": 0.5}, ValueError, "order must be"),
    "order below 1": ({"order": 0.5}, ValueError, "order"),
    "radius zero": ({"radius": 0.0}, ValueError, "radius must be a number above 0"),
    "radius negative": ({"radius": -1.0}, ValueError, "radius must be"),
    "radius unknown": ({"radius": "max"}, ValueError, "radius must be 'mean_norm'"),
    "weights negative": ({"sample_weight": -np.ones(60)}, ValueError, "sample_weight has a neg"),
    "weights all zero": ({"sample_weight": np.zeros(60)}, ValueError, "sample_weight is zero"),
    "weights nan": ({"sample_weight": np.full(60, np.nan)}, ValueError, "sample_weight contains"),
    "weights too short": ({"sample_weight": np.ones(59)}, ValueError, "sample_weight has 59"),
    "mask of wrong length": ({"attackable": [True, False]}, ValueError, "attackable must have"),
    "mask all false": ({"attackable": [False] * 3}, ValueError, "attackable is False"),
    "mask of numbers": ({"attackable": [1, 0, 1]}, TypeError, "attackable must be a boolean"),
    "unknown names": ({"attackable": ["x0", "age"]}, ValueError, "unknown features: age"),
    "scale negative": ({"feature_scale": [1, -1, 1]}, ValueError, "feature_scale must be"),
    "scale too short": ({"feature_scale": [1, 1]}, ValueError, "feature_scale must have shape"),
    "scale all zero": ({"feature_scale": [0, 0, 0]}, ValueError, "feature_scale is zero"),
    "scale against mask": (
        {"feature_scale": [1, 0, 0], "attackable": [False, True, True]}, ValueError,
        "leave no feature",
    ),
    "unknown space": ({"attack_space": "x"}, ValueError, "attack_space must be one of 'scaled'"),
    "unknown solver": ({"solver": "qr"}, ValueError, "solver must be one of"),
    "unknown formula": ({"formula": "x"}, ValueError, "formula must be one of"),
    "unknown hessian": ({"hessian": "x"}, ValueError, "hessian must be one of"),
    "negative damping": ({"damping": -1.0}, ValueError, "damping must be"),
    "no threads": ({"n_threads": 0}, ValueError, "n_threads must be"),
}  # fmt: skip


@pytest.mark.parametrize("row", OPTIONS)
def test_options_are_refused(model, row):
    options, error, message = OPTIONS[row]
    with pytest.raises(error, match=message):
        fa.aif(model, X, Y, **options)


@pytest.mark.parametrize("eps", [-0.1, np.nan, np.inf, "a", None, [0.1, -1]])
def test_bad_eps_is_refused(model, eps):
    result = fa.aif(model, X, Y)
    with pytest.raises((ValueError, TypeError), match="eps must be"):
        result.sensitivity(eps)
    with pytest.raises((ValueError, TypeError), match="eps must be"):
        fa.robust_fit(model, X, Y, eps)
    with pytest.raises((ValueError, TypeError), match="eps must be"):
        fa.attack(model, X, Y, eps)


PGD = {
    "n_steps": (0, "n_steps must be an integer"),
    "step": (0.0, "step must be a number above 0"),
    "n_restarts": (0, "n_restarts must be an integer"),
    "random_state": (-1, "random_state must be"),
    "method": ("fgsm", "method must be one of 'auto', 'exact', 'pgd'"),
}


@pytest.mark.parametrize("name", PGD)
def test_attack_options_are_refused(model, name):
    value, message = PGD[name]
    with pytest.raises((ValueError, TypeError), match=message):
        fa.attack(model, X, Y, 0.1, **{name: value})


def test_an_unfitted_estimator_is_refused():
    with pytest.raises(NotFittedError, match="call fit"):
        fa.aif(fa.LinearRegression(), X, Y)


def test_an_unknown_estimator_is_refused_with_the_list():
    with pytest.raises(TypeError, match=r"OrthogonalMatchingPursuit is not supported.*Ridge"):
        fa.aif(OrthogonalMatchingPursuit().fit(X, Y), X, Y)


def test_labels_that_the_model_does_not_know(classifier):
    with pytest.raises(ValueError, match=r"y contains 'maybe'.*'no' and 'yes'"):
        fa.aif(classifier, X, _with(LABELS.astype("<U5"), 5, "maybe"))


def test_negative_counts_are_refused():
    counts = np.abs(Y).round()
    model = fa.PoissonRegression(alpha=0.1).fit(X, counts)
    with pytest.raises(ValueError, match="y must not be negative"):
        fa.aif(model, X, -counts - 1)


def test_three_classes_are_refused():
    with pytest.raises(ValueError, match="Only binary classification"):
        fa.ProbitRegression().fit(X, np.arange(60) % 3)


def test_a_singular_hessian_is_refused_with_advice():
    doubled = np.column_stack([X, X[:, 0]])
    with pytest.warns(match="singular"):
        model = fa.LinearRegression().fit(doubled, Y)
    with pytest.raises(np.linalg.LinAlgError, match=r"least eigenvalue.*damping"):
        fa.aif(model, doubled, Y)
    assert np.isfinite(fa.aif(model, doubled, Y, damping=1e-6).influence).all()


def test_all_gradients_zero_is_refused(model):
    flat = fa.LinearRegression().fit(X, Y)
    flat.coef_ = np.zeros(3)
    with pytest.raises(ValueError, match="gradient is zero"):
        fa.aif(flat, X, Y)


def test_columns_in_another_order_are_refused():
    frame = pd.DataFrame(X, columns=list("abc"))
    model = fa.LinearRegression().fit(frame, Y)
    with pytest.raises(ValueError, match="columns of X"):
        fa.aif(model, frame[["b", "a", "c"]], Y)


def test_evaluation_data_are_checked(model):
    result = fa.aif(model, X, Y)
    with pytest.raises(ValueError, match="X has 2 features"):
        result.sensitivity(1e-4, X[:, :2], Y)
    with pytest.raises(TypeError, match="y is None"):
        result.sensitivity(1e-4, X)
    with pytest.raises(ValueError, match="X contains NaN"):
        result.sensitivity(1e-4, _with(X, (0, 0), np.nan), Y)


def test_the_native_backend_is_an_error_where_it_was_not_built():
    from fastaif import _compute

    if _compute.native_available():
        pytest.skip("the native extension is built here")
    with pytest.raises(RuntimeError, match="not built"):
        fa.set_backend("native")
    with pytest.raises(ValueError, match="backend must be one of"):
        fa.set_backend("cuda")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"p": "inf"}, "np.inf"),
        ({"sample_weight": "balanced"}, "a weight for each row"),
        ({"radius": "mean"}, "'mean_norm' or a number above 0"),
        ({"attackable": [0, 1]}, "np.isin"),
    ],
)
def test_refusals_say_what_to_do(model, options, expected):
    with pytest.raises((TypeError, ValueError), match=expected):
        fa.aif(model, X, Y, **options)


def test_a_class_is_no_estimator():
    with pytest.raises(TypeError, match="is a class"):
        fa.aif(fa.LinearRegression, X, Y)
