"""User-defined bases: what they return is checked, and on request their Jacobians are."""

from __future__ import annotations

import numpy as np
import pytest
from support.basis_makers import WAVES, make

import fastaif as fa

X, Y, _ = make("linear", n=60)


def custom(features=WAVES.features, jac_vec=WAVES.jac_vec, jac_t_vec=WAVES.jac_t_vec, **options):
    return fa.bases.Custom(features, jac_vec, jac_t_vec, **options)


def use(basis):
    """Fit, then everything that needs a Jacobian."""
    model = fa.BasisRegression(basis, alpha=0.01).fit(X, Y)
    return fa.aif(model, X, Y).influence


SHAPES = {
    "features": ({"features": lambda X: WAVES.features(X)[:-1]}, "features"),
    "features, one-dimensional": ({"features": lambda X: X[:, 0]}, "features"),
    "jac_vec": ({"jac_vec": lambda X, P: WAVES.jac_vec(X, P)[:, :2]}, "jac_vec"),
    "jac_vec, a row": ({"jac_vec": lambda X, P: WAVES.jac_vec(X, P)[:1]}, "jac_vec"),
    "jac_t_vec": ({"jac_t_vec": lambda X, t: WAVES.jac_t_vec(X, t)[:, :2]}, "jac_t_vec"),
    "jac_t_vec, transposed": ({"jac_t_vec": lambda X, t: WAVES.jac_t_vec(X, t).T}, "jac_t_vec"),
}


@pytest.mark.parametrize("row", SHAPES)
@pytest.mark.parametrize("check", [False, True])
def test_wrong_shapes_are_refused(row, check):
    functions, message = SHAPES[row]
    with pytest.raises(ValueError, match=message):
        use(custom(**functions, check=check))


WRONG = {
    "jac_vec: sign": {"jac_vec": lambda X, P: -WAVES.jac_vec(X, P)},
    "jac_vec: one per mille": {"jac_vec": lambda X, P: 1.001 * WAVES.jac_vec(X, P)},
    "jac_vec: a column": {"jac_vec": lambda X, P: WAVES.jac_vec(X, P) * [1.0, 1.0, 1.0, 0.9]},
    "jac_t_vec: sign": {"jac_t_vec": lambda X, t: -WAVES.jac_t_vec(X, t)},
    "jac_t_vec: one per mille": {"jac_t_vec": lambda X, t: 1.001 * WAVES.jac_t_vec(X, t)},
    "jac_t_vec: an input": {"jac_t_vec": lambda X, t: WAVES.jac_t_vec(X, t) * [1.0, 0.9, 1.0]},
    "both": {
        "jac_vec": lambda X, P: 2.0 * WAVES.jac_vec(X, P),
        "jac_t_vec": lambda X, t: 2.0 * WAVES.jac_t_vec(X, t),
    },
}


@pytest.mark.parametrize("row", WRONG)
def test_check_catches_a_wrong_jacobian(row):
    with pytest.raises(ValueError, match=r"jac_(t_)?vec"):
        use(custom(**WRONG[row], check=True))


def test_check_passes_a_right_jacobian():
    np.testing.assert_array_equal(use(custom(check=True)), use(custom()))


@pytest.mark.parametrize("which", ["features", "jac_vec", "jac_t_vec"])
def test_functions_are_callable(which):
    with pytest.raises((ValueError, TypeError), match=which):
        use(custom(**{which: None}))


def spoilt(V, value):
    V[0, 0] = value
    return V


@pytest.mark.filterwarnings("ignore")  # of the arithmetic on the way
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_are_finite(value):
    with pytest.raises((ValueError, FloatingPointError)):
        use(custom(features=lambda X: spoilt(WAVES.features(X), value)))
