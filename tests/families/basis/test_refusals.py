"""Bad input to basis models is refused with one clear sentence: a test a row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import linear_model as sk
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from support.basis_makers import BASES, estimator, make

import fastaif as fa

X, Y, _ = make("linear", n=60)
LABELS = np.where(Y > 0, "yes", "no")


def _with(array, index, value):
    changed = array.copy()
    changed[index] = value
    return changed


DATA = {
    "nan in X": (_with(X, (4, 1), np.nan), Y, ValueError, "X contains NaN.*row 4, column 1"),
    "inf in X": (_with(X, (4, 1), np.inf), Y, ValueError, "X contains NaN or infinity"),
    "nan in y": (X, _with(Y, 3, np.nan), ValueError, "y contains NaN.*row 3"),
    "one-dimensional X": (X[:, 0], Y, ValueError, "X must be two-dimensional"),
    "two-dimensional y": (X, X, ValueError, "y must be one-dimensional"),
    "lengths differ": (X, Y[:-1], ValueError, "y has 59 entries, but X has 60 rows"),
    "no rows": (X[:0], Y[:0], ValueError, "X is empty"),
    "complex X": (X + 0j, Y, TypeError, "X must hold real numbers"),
    "missing y": (X, None, TypeError, "y is None"),
    "other feature count": (X[:, :2], Y, ValueError, "X has 2 features.*fitted to 3"),
    "all-zero X": (0.0 * X, Y, ValueError, "zero"),
}


@pytest.fixture(scope="module", params=["quadratic", "powers 3", "fourier", "custom"])
def model(request):
    return estimator(request.param, "linear").fit(X, Y)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # in the user's own features
@pytest.mark.parametrize("row", DATA)
def test_data_are_refused(model, row):
    data, target, error, message = DATA[row]
    with pytest.raises(error, match=message):
        fa.aif(model, data, target)


@pytest.mark.parametrize("row", ["nan in X", "one-dimensional X", "lengths differ", "complex X",
                                 "other feature count"])  # fmt: skip
@pytest.mark.parametrize(
    "function", [fa.attack, fa.adversarial_loss, fa.robust_fit, fa.sensitivity]
)
def test_every_function_refuses(model, row, function):
    data, target, error, message = DATA[row]
    with pytest.raises(error, match=message):
        function(model, data, target, 0.1)


@pytest.mark.parametrize("name", BASES)
@pytest.mark.parametrize("row", ["nan in X", "inf in X", "nan in y", "one-dimensional X"])
def test_fits_refuse(name, row):
    data, target, error, _ = DATA[row]
    with pytest.raises(error):
        estimator(name, "linear").fit(data, target)
    with pytest.raises(error):
        fa.QuadraticRegression().fit(data, target)


OPTIONS = {
    "p below one": ({"p": 0.5}, "p must be a number of at least 1"),
    "radius zero": ({"radius": 0.0}, "radius must be a number above 0"),
    "weights negative": ({"sample_weight": -np.ones(60)}, "sample_weight has a neg"),
    "mask of wrong length": ({"attackable": [True, False]}, "attackable must have"),
    "mask of the features of v": ({"attackable": [True] * 9}, "attackable must have"),
    "unknown names": ({"attackable": ["x0", "age"]}, "unknown features: age"),
    "scale too short": ({"feature_scale": [1, 1]}, "feature_scale must have shape"),
    "scale all zero": ({"feature_scale": [0, 0, 0]}, "feature_scale is zero"),
    "unknown space": ({"attack_space": "x"}, "attack_space must be one of 'scaled'"),
}


@pytest.mark.parametrize("row", OPTIONS)
def test_options_are_refused(model, row):
    options, message = OPTIONS[row]
    with pytest.raises(ValueError, match=message):
        fa.aif(model, X, Y, **options)


@pytest.mark.parametrize("eps", [-0.1, np.nan, np.inf, "a", None])
def test_bad_eps_is_refused(model, eps):
    for function in (fa.robust_fit, fa.attack, fa.adversarial_loss):
        with pytest.raises((ValueError, TypeError), match="eps must be"):
            function(model, X, Y, eps)


# --- bases --------------------------------------------------------------------------------


def fit_basis(make_basis):
    """Parameters may be checked at construction or at the fit, as scikit-learn has it."""
    return fa.BasisRegression(make_basis()).fit(X, Y)


@pytest.mark.parametrize("degree", [0, -1, 2.5, "two", None, np.nan, True])
def test_degrees_are_positive_integers(degree):
    with pytest.raises((ValueError, TypeError), match="degree must be an integer of at least 1"):
        fit_basis(lambda: fa.bases.Powers(degree))


@pytest.mark.parametrize("n_components", [0, -3, 1.5, "a", None])
def test_component_counts_are_positive_integers(n_components):
    with pytest.raises((ValueError, TypeError), match="n_components must be an integer"):
        fit_basis(lambda: fa.bases.Fourier(n_components, 1.0, 0))


@pytest.mark.parametrize("gamma", [0.0, -1.0, np.nan, np.inf, "a", None])
def test_gamma_is_positive(gamma):
    with pytest.raises((ValueError, TypeError), match="gamma must be a number above 0"):
        fit_basis(lambda: fa.bases.Fourier(5, gamma, 0))


def test_a_seed_is_checked():
    with pytest.raises(ValueError, match="random_state must be"):
        fit_basis(lambda: fa.bases.Fourier(5, 1.0, -1))


@pytest.mark.parametrize("basis", ["quadratic", None, 3, fa.bases.Quadratic])
def test_a_basis_is_an_instance_of_one(basis):
    with pytest.raises((ValueError, TypeError), match="basis"):
        fa.BasisRegression(basis).fit(X, Y)


@pytest.mark.parametrize("loss", ["squared", "hinge", None, 3])
def test_unknown_losses_are_refused(loss):
    with pytest.raises((ValueError, TypeError), match="loss"):
        fa.BasisRegression(fa.bases.Quadratic(), loss=loss).fit(X, Y)


@pytest.mark.parametrize("alpha", [-1.0, np.nan, np.inf, "a"])
def test_alpha_is_not_negative(alpha):
    for model in (fa.QuadraticRegression(alpha), fa.BasisRegression(fa.bases.Powers(2),
                                                                   alpha=alpha)):  # fmt: skip
        with pytest.raises((ValueError, TypeError), match="alpha must be"):
            model.fit(X, Y)


# --- methods, fits, pipelines ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["powers 2", "fourier", "custom"])
def test_exact_is_refused_where_it_is_not_known(name):
    model = estimator(name, "linear").fit(X, Y)
    for function in (fa.robust_fit, fa.attack, fa.adversarial_loss):
        with pytest.raises(ValueError, match="exact"):
            function(model, X, Y, 0.1, method="exact")


@pytest.mark.parametrize("p", [1, 1.5, 3, np.inf])
def test_exact_quadratic_attacks_are_for_p_two(p):
    for model in (estimator("quadratic", "linear"), fa.QuadraticRegression()):
        model.fit(X, Y)
        for function in (fa.robust_fit, fa.attack, fa.adversarial_loss):
            with pytest.raises(ValueError, match="exact"):
                function(model, X, Y, 0.1, p=p, method="exact")


def test_unfitted_models_are_refused():
    for model in (*(estimator(name, "linear") for name in BASES), fa.QuadraticRegression()):
        with pytest.raises(NotFittedError, match="call fit"):
            fa.aif(model, X, Y)
        with pytest.raises(NotFittedError):
            model.predict(X)


def test_unfitted_pipelines_are_refused():
    with pytest.raises(NotFittedError):
        fa.aif(make_pipeline(PolynomialFeatures(2), sk.LinearRegression()), X, Y)


def test_three_classes_and_negative_counts_are_refused():
    with pytest.raises(ValueError, match="class"):
        estimator("quadratic", "logistic").fit(X, np.arange(60) % 3)
    with pytest.raises(ValueError, match="negative"):
        estimator("quadratic", "poisson").fit(X, -np.ones(60))


def test_columns_in_another_order_are_refused():
    frame = pd.DataFrame(X, columns=list("abc"))
    for fitted in (
        fa.QuadraticRegression().fit(frame, Y),
        make_pipeline(PolynomialFeatures(2), sk.LinearRegression()).fit(frame, Y),
    ):
        with pytest.raises(ValueError, match="columns of X"):
            fa.aif(fitted, frame[["b", "a", "c"]], Y)


PIPELINES = {
    "penalised intercept": (
        [PolynomialFeatures(2), sk.Ridge(fit_intercept=False)], "include_bias|intercept",
    ),
    "penalised intercept, logistic": (
        [PolynomialFeatures(2), sk.LogisticRegression(fit_intercept=False)],
        "include_bias|intercept",
    ),
    "our basis behind a scaler": ([StandardScaler(), fa.QuadraticRegression()], None),
}  # fmt: skip


@pytest.mark.parametrize("row", PIPELINES)
def test_pipelines_are_refused(row):
    steps, message = PIPELINES[row]
    target = LABELS if isinstance(steps[-1], sk.LogisticRegression) else Y
    pipe = make_pipeline(*steps).fit(X, target)
    if message is None:  # refused by name, or understood
        try:
            fa.aif(pipe, X, target)
        except TypeError as error:
            message = str(error)
        assert message is None or "QuadraticRegression" in message
        return
    with pytest.raises((ValueError, TypeError), match=message):
        fa.aif(pipe, X, target)
