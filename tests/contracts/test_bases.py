"""What every basis promises: names, sizes, and derivatives of its features."""

from __future__ import annotations

import numpy as np
import pytest
from support.makers import about

import fastaif as fa
from fastaif import bases
from fastaif.bases.builtin import BuiltIn

# Those whose defaults are no example; a new basis is made by its own.
EXAMPLES = {
    "Linear": lambda: bases.Linear(np.array([0.5, -1.0, 0.0]), np.array([2.0, 0.7, 1.0])),
    "Fourier": lambda: bases.Fourier(6, 0.4, random_state=3),
    "Custom": lambda: bases.Custom(
        lambda X: np.column_stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2]]),
        lambda X, P: np.column_stack(
            [np.cos(X[:, 0]) * P[:, 0], X[:, 1] * P[:, 2] + X[:, 2] * P[:, 1]]
        ),
        lambda X, t: np.column_stack([t[0] * np.cos(X[:, 0]), t[1] * X[:, 2], t[1] * X[:, 1]]),
    ),
}


def test_every_compiled_basis_is_public():
    assert {kind.__name__ for kind in BuiltIn.__subclasses__()} <= set(bases.__all__)


@pytest.fixture(params=bases.__all__)
def basis(request, X):
    return EXAMPLES.get(request.param, getattr(bases, request.param))().bind(3, X)


@pytest.fixture
def X(rng):
    return rng.normal(size=(9, 3))


def test_sizes_and_names(engine, basis, X):
    d = basis.n_outputs(3)
    assert basis.features(X).shape == (9, d)
    assert len(set(basis.names(("a", "b", "c")))) == d
    penalized = basis.penalized(3)
    assert penalized.shape == (d,)
    assert set(penalized) <= {0.0, 1.0}
    assert basis.bind(3, X).n_outputs(3) == d


def test_derivatives(engine, basis, X):
    h, P = 1e-5, np.cos(np.arange(X.size)).reshape(X.shape)
    wanted = (basis.features(X + h * P) - basis.features(X - h * P)) / (2.0 * h)
    np.testing.assert_allclose(basis.jac_vec(X, P), wanted, rtol=1e-6, atol=1e-8)
    theta = np.linspace(-1.0, 1.5, basis.n_outputs(3))
    along = np.einsum("ik,ik->i", basis.jac_t_vec(X, theta), P)
    np.testing.assert_allclose(along, basis.jac_vec(X, P) @ theta, rtol=1e-11, atol=1e-12)


def test_a_row_does_not_depend_on_its_neighbours(engine, basis, X):
    np.testing.assert_allclose(basis.features(X)[4:6], basis.features(X[4:6]), rtol=1e-13)


def test_inputs_are_not_written_to(engine, basis, X):
    before = X.copy()
    X.setflags(write=False)
    basis.features(X)
    basis.jac_vec(X, X)
    basis.jac_t_vec(X, np.ones(basis.n_outputs(3)))
    np.testing.assert_array_equal(X, before)


@pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning")
def test_compiled_passes_agree_with_its_own_features(engine, basis, rng):
    """Fit, influence and products with H, of the basis and of one that calls its methods."""
    X = rng.normal(size=(60, 3))
    y = np.sin(X @ [1.0, -0.5, 0.3]) + 0.1 * rng.normal(size=60)
    plain = bases.Custom(basis.features, basis.jac_vec, basis.jac_t_vec)
    found = [fa.BasisRegression(each).fit(X, y) for each in (basis, plain)]
    wanted = found[1].predict(X)
    np.testing.assert_allclose(found[0].predict(X), wanted, rtol=1e-8, atol=1e-9)
    attack = {"p": 1.5, "attack_space": "raw"}
    wanted = fa.aif(found[1], X, y, **attack).sensitivity(0.1, expansion="quadratic")
    for solver in ("cholesky", "cg"):
        mine = fa.aif(found[0], X, y, solver=solver, **attack)
        assert mine.sensitivity(0.1, expansion="quadratic") == about(wanted, 1e-7)
