"""Bad input to kernel regressions is refused with one clear sentence: a test a row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from support.kernel_makers import CENTERS, KERNELS, PENALTIES, Case, estimator, make

import fastaif as fa
from fastaif.utils.warnings import StationarityWarning, TieWarning

X, Y, _ = make(n=30)
CASES = [Case("rbf", penalty, centers) for penalty in PENALTIES for centers in CENTERS]
FUNCTIONS = [fa.attack, fa.adversarial_loss, fa.robust_fit, fa.sensitivity]


def _with(array, index, value):
    changed = array.copy()
    changed[index] = value
    return changed


@pytest.fixture(scope="module", params=CASES, ids=str)
def model(request):
    return estimator(request.param).fit(X, Y)


DATA = {
    "nan in X": (_with(X, (4, 1), np.nan), Y, ValueError, "X contains NaN.*row 4, column 1"),
    "inf in X": (_with(X, (4, 1), np.inf), Y, ValueError, "X contains NaN or infinity"),
    "nan in y": (X, _with(Y, 3, np.nan), ValueError, "y contains NaN.*row 3"),
    "one-dimensional X": (X[:, 0], Y, ValueError, "X must be two-dimensional"),
    "three-dimensional X": (X[None], Y, ValueError, "X must be two-dimensional"),
    "two-dimensional y": (X, X, ValueError, "y must be one-dimensional"),
    "lengths differ": (X, Y[:-1], ValueError, "y has 29 entries, but X has 30 rows"),
    "no rows": (X[:0], Y[:0], ValueError, "X is empty"),
    "no columns": (X[:, :0], Y, ValueError, "X is empty"),
    "complex X": (X + 0j, Y, TypeError, "X must hold real numbers"),
    "object X": (X.astype(object), Y, TypeError, "X must hold real numbers"),
    "complex y": (X, Y + 0j, TypeError, "y must be real"),
    "missing X": (None, Y, TypeError, "X is None"),
    "missing y": (X, None, TypeError, "y is None"),
    "other feature count": (X[:, :2], Y, ValueError, "X has 2 features.*fitted to 3"),
}


@pytest.mark.parametrize("row", DATA)
def test_data_are_refused(model, row):
    data, target, error, message = DATA[row]
    with pytest.raises(error, match=message):
        fa.aif(model, data, target)


@pytest.mark.parametrize("row", ["nan in X", "one-dimensional X", "lengths differ", "complex X",
                                 "missing y", "other feature count"])  # fmt: skip
@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_refuses(model, row, function):
    data, target, error, message = DATA[row]
    with pytest.raises(error, match=message):
        function(model, data, target, 0.1)


@pytest.mark.parametrize("row", ["nan in X", "inf in X", "nan in y", "one-dimensional X",
                                 "lengths differ", "no rows", "complex X"])  # fmt: skip
@pytest.mark.parametrize("case", CASES, ids=str)
def test_fits_refuse(case, row):
    """As scikit-learn words it."""
    data, target, _, _ = DATA[row]
    with pytest.raises((ValueError, TypeError)):
        estimator(case).fit(data, target)


OPTIONS = {
    "p below one": ({"p": 0.5}, ValueError, "p must be a number of at least 1"),
    "p is nan": ({"p": np.nan}, ValueError, "p must be"),
    "order below one": ({"order": 0.5}, ValueError, "order must be"),
    "order below 1": ({"order": 0.5}, ValueError, "order"),
    "radius zero": ({"radius": 0.0}, ValueError, "radius must be a number above 0"),
    "radius unknown": ({"radius": "max"}, ValueError, "radius must be 'mean_norm' or a number"),
    "weights negative": ({"sample_weight": -np.ones(30)}, ValueError, "sample_weight has a neg"),
    "weights all zero": ({"sample_weight": np.zeros(30)}, ValueError, "sample_weight is zero"),
    "weights nan": ({"sample_weight": np.full(30, np.nan)}, ValueError, "sample_weight contains"),
    "weights too short": ({"sample_weight": np.ones(29)}, ValueError, "sample_weight has 29"),
    "mask of wrong length": ({"attackable": [True, False]}, ValueError, "attackable must have"),
    "mask of the centres": ({"attackable": [True] * 30}, ValueError, "attackable must have"),
    "mask all false": ({"attackable": [False] * 3}, ValueError, "attackable is False"),
    "unknown names": ({"attackable": ["x0", "age"]}, ValueError, "unknown features: age"),
    "scale negative": ({"feature_scale": [1, -1, 1]}, ValueError, "feature_scale must be"),
    "scale too short": ({"feature_scale": [1, 1]}, ValueError, "feature_scale must have shape"),
    "scale all zero": ({"feature_scale": [0, 0, 0]}, ValueError, "feature_scale is zero"),
    "unknown space": ({"attack_space": "x"}, ValueError, "attack_space must be one of 'scaled'"),
    "unknown solver": ({"solver": "qr"}, ValueError, "solver must be one of"),
    "unknown formula": ({"formula": "x"}, ValueError, "formula must be one of"),
    "negative damping": ({"damping": -1.0}, ValueError, "damping must be"),
    "no threads": ({"n_threads": 0}, ValueError, "n_threads must be"),
}  # fmt: skip


@pytest.mark.parametrize("row", OPTIONS)
def test_options_are_refused(model, row):
    options, error, message = OPTIONS[row]
    with pytest.raises(error, match=message):
        fa.aif(model, X, Y, **options)


@pytest.mark.parametrize("eps", [-0.1, np.nan, np.inf, "a", None])
def test_bad_eps_is_refused(model, eps):
    for function in FUNCTIONS:
        with pytest.raises((ValueError, TypeError), match="eps must be"):
            function(model, X, Y, eps)


@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_exact_inner_maxima_are_not_known(model, p):
    for function in (fa.robust_fit, fa.attack, fa.adversarial_loss):
        with pytest.raises(ValueError, match=r"exact.*pgd|pgd.*exact"):
            function(model, X, Y, 0.1, p=p, method="exact")
        with pytest.raises(ValueError, match="method must be one of 'auto', 'exact', 'pgd'"):
            function(model, X, Y, 0.1, p=p, method="fgsm")


def test_evaluation_data_are_checked(model):
    result = fa.aif(model, X, Y)
    with pytest.raises(ValueError, match="X has 2 features"):
        result.sensitivity(1e-4, X[:, :2], Y)
    with pytest.raises(TypeError, match="y is None"):
        result.sensitivity(1e-4, X)
    with pytest.raises(ValueError, match="X contains NaN"):
        result.sensitivity(1e-4, _with(X, (0, 0), np.nan), Y)


# --- the estimator's own parameters -----------------------------------------------------------

PARAMETERS = {
    "alpha negative": ({"alpha": -1.0}, "alpha must be"),
    "alpha nan": ({"alpha": np.nan}, "alpha must be"),
    "alpha text": ({"alpha": "a"}, "alpha must be"),
    "alpha array": ({"alpha": np.ones(30)}, "alpha must be"),
    "penalty unknown": ({"penalty": "l1"}, "penalty must be one of 'l2', 'rkhs'"),
    "centers unknown": ({"centers": "all"}, "centers must be one of 'moving', 'fixed'"),
    "kernel text": ({"kernel": "rbf"}, "kernel must be"),
    "kernel class": ({"kernel": fa.kernels.RBF}, "kernel must be"),
    "kernel missing": ({"kernel": None}, "kernel must be"),
    "n_centers zero": ({"centers": "fixed", "n_centers": 0}, "n_centers must be"),
    "n_centers half": ({"centers": "fixed", "n_centers": 2.5}, "n_centers must be"),
    "n_centers too many": ({"centers": "fixed", "n_centers": 31}, "n_centers.*31"),
    "n_centers that move": ({"centers": "moving", "n_centers": 5}, "n_centers.*fixed"),
    "seed": ({"centers": "fixed", "n_centers": 5, "random_state": -1}, "random_state|seed"),
}


@pytest.mark.parametrize("row", PARAMETERS)
def test_parameters_are_refused_by_the_fit(row):
    options, message = PARAMETERS[row]
    given = {"kernel": fa.kernels.RBF(0.7)} | options
    with pytest.raises((ValueError, TypeError), match=message):
        fa.KernelRegression(**given).fit(X, Y)


def test_unfitted_models_are_refused():
    for case in CASES:
        with pytest.raises(NotFittedError, match="call fit"):
            fa.aif(estimator(case), X, Y)
        with pytest.raises(NotFittedError):
            estimator(case).predict(X)


# --- what has no influence --------------------------------------------------------------------

OTHERS = {
    "one value": _with(X, (4, 1), 9.0),
    "order of rows": X[::-1].copy(),
    "fewer rows": X[:20],
    "held out": make(n=30, seed=9).X,
}


@pytest.mark.parametrize("row", OTHERS)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_moving_centers_are_the_inputs_of_the_fit(penalty, row):
    given = OTHERS[row]
    moving = estimator(Case("rbf", penalty)).fit(X, Y)
    with pytest.raises(
        ValueError, match=r"X.*centers='fixed'|centers='fixed'.*X|inputs of the fit"
    ):
        fa.aif(moving, given, Y[: len(given)])
    with pytest.raises(ValueError, match=r"X.*fit"):
        fa.robust_fit(moving, given, Y[: len(given)], 0.1)


def test_fixed_centers_are_attacked_at_other_inputs():
    """They are a basis model like any other, though one that is not stationary there."""
    other = make(n=20, seed=9)
    fixed = estimator(Case("rbf", "l2", "drawn")).fit(X, Y)
    with pytest.warns(StationarityWarning, match="not stationary"):
        result = fa.aif(fixed, other.X, other.y)
    assert np.isfinite(result.influence).all()
    assert fa.attack(fixed, other.X, other.y, 0.1).shape == other.X.shape


@pytest.mark.parametrize("kernel", [k for k in KERNELS if "ntk" in k])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_ntk_has_kinks_at_fixed_centers(penalty, kernel):
    model = estimator(Case(kernel, penalty, "fixed")).fit(X, Y)
    assert np.isfinite(model.predict(X)).all()
    with pytest.raises(ValueError, match=r"NTK.*kink|kink.*NTK"):
        fa.aif(model, X, Y)
    drawn = estimator(Case(kernel, penalty, "drawn")).fit(X, Y)
    with pytest.warns(TieWarning, match="3 pairs"):
        fa.aif(drawn, X, Y)
    many = estimator(Case(kernel, penalty, "drawn"), n_centers=20).fit(X, Y)
    with pytest.raises(ValueError, match=r"NTK.*kink|kink.*NTK"):
        fa.aif(many, X, Y)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_ntk_at_zero_is_refused(penalty):
    zero = _with(X, 7, 0.0)
    model = estimator(Case("ntk", penalty))
    with pytest.raises(ValueError, match=r"(zero|row 7)"):
        model.fit(zero, Y)
    model.fit(X, Y)
    with pytest.raises(ValueError, match=r"(zero|row 7)"):
        model.predict(zero)
    with pytest.raises(ValueError, match="zero"):
        fa.aif(model, X, Y).sensitivity(1e-4, zero, Y)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_constant_function_cannot_be_attacked(case):
    """All dual coefficients zero: no input gradient at all."""
    model = estimator(case).fit(X, 0.0 * Y)
    with pytest.raises(ValueError, match="gradient is zero"):
        fa.aif(model, X, 0.0 * Y)


def test_singular_systems_are_refused_with_advice():
    """Without a penalty repeated samples share one function."""
    doubled, target = np.concatenate([X, X[:3]]), np.concatenate([Y, Y[:3] + 0.1])
    model = fa.KernelRegression(fa.kernels.RBF(0.7), alpha=0.0)
    with pytest.warns(UserWarning, match="singular"):
        model.fit(doubled, target)
    with pytest.raises(np.linalg.LinAlgError, match=r"least eigenvalue.*damping"):
        fa.aif(model, doubled, target)


def test_singular_penalties_are_refused_with_advice():
    """More fixed centres than the kernel has functions: 30 of 3."""
    model = estimator(Case("linear", "rkhs", "fixed")).fit(X, Y)
    with pytest.raises(np.linalg.LinAlgError, match=r"singular.*damping"):
        fa.aif(model, X, Y)
    assert np.isfinite(fa.aif(model, X, Y, damping=1e-3).influence).all()


def test_other_targets_are_noticed():
    for case in CASES:
        with pytest.warns(StationarityWarning, match="not stationary"):
            fa.aif(estimator(case).fit(X, Y), X, Y[::-1].copy())


def test_columns_in_another_order_are_refused():
    frame = pd.DataFrame(X, columns=list("abc"))
    for case in CASES:
        fitted = estimator(case).fit(frame, Y)
        with pytest.raises(ValueError, match="columns of X"):
            fa.aif(fitted, frame[["b", "a", "c"]], Y)
