"""Kernels: values and derivatives against plain formulas, other libraries, differences."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.gaussian_process.kernels import Matern as GaussianProcessMatern
from sklearn.metrics.pairwise import polynomial_kernel, rbf_kernel
from support.kernel_makers import KERNELS

import fastaif as fa
from fastaif._compute import get
from fastaif._compute import types as c
from fastaif.kernels import NTK, RBF, Linear, Matern, Polynomial

APART = -(1 << 60)
NAMES = sorted(KERNELS)
# Of the distance: K(x, x) is 1 wherever x is.
STATIONARY = [
    kernel
    for kernel in (make() for make, _ in KERNELS.values())
    if (kernel.diagonal([[1.0, 2.0], [3.0, -1.0]]) == 1.0).all()
]


def both(name):
    make, plain = KERNELS[name]
    return make(), plain


def rows(rng, n=7, k=5, m=3):
    return rng.normal(size=(n, m)), rng.normal(size=(k, m))


@pytest.mark.parametrize(("n", "k", "m"), [(7, 5, 3), (1, 1, 1), (2, 600, 2), (530, 3, 40)])
@pytest.mark.parametrize("name", NAMES)
def test_plain_formulas(name, n, k, m, rng):
    kernel, plain = both(name)
    X, Z = rows(rng, n, k, m)
    V, B = rng.normal(size=k), rng.normal(size=(n, m))
    gradients = plain.gradients(X, Z)
    # An arccosine near 1 costs the plain formula digits.
    off = 1e-9 if "ntk" in name else 1e-12
    np.testing.assert_allclose(kernel(X, Z), plain.values(X, Z), rtol=off, atol=off)
    off *= 100.0
    close = {"rtol": off, "atol": off * max(1.0, np.abs(gradients).max())}
    expected = np.einsum("ijk,j->ik", gradients, V)
    np.testing.assert_allclose(kernel.gradient(X, Z, V), expected, **close)
    expected = np.einsum("ijk,ik,j->i", gradients, B, V)
    np.testing.assert_allclose(kernel.directional(X, Z, B, V), expected, **close)


@pytest.mark.parametrize("name", NAMES)
def test_finite_differences(name, rng):
    kernel, _ = both(name)
    X, Z = rows(rng)
    V, B, step = rng.normal(size=5), rng.normal(size=(7, 3)), 1e-5
    quotient = (kernel(X + step * B, Z) - kernel(X - step * B, Z)) @ V / (2 * step)
    np.testing.assert_allclose(kernel.directional(X, Z, B, V), quotient, rtol=1e-7, atol=1e-8)
    along = np.einsum("ij,ij->i", kernel.gradient(X, Z, V), B)
    np.testing.assert_allclose(along, quotient, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_with_itself(name, rng):
    """Its own term is half the gradient of x ↦ K(x, x)."""
    kernel, _ = both(name)
    X, B, step = rng.normal(size=(6, 3)), rng.normal(size=(6, 3)), 1e-5
    diagonal = kernel.diagonal(X)
    np.testing.assert_allclose(np.diagonal(kernel(X)), diagonal, rtol=1e-14)
    slopes = (kernel.diagonal(X + step * B) - kernel.diagonal(X - step * B)) / (2 * step)
    own = [kernel.directional(X, X, B, e)[i] for i, e in enumerate(np.eye(6))]
    np.testing.assert_allclose(own, 0.5 * slopes, rtol=1e-8, atol=1e-9)
    own = [kernel.gradient(X, None, e)[i] @ B[i] for i, e in enumerate(np.eye(6))]
    np.testing.assert_allclose(own, 0.5 * slopes, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_gram_matrices(name, rng):
    kernel, plain = both(name)
    X = rng.normal(size=(400, 3))
    K = kernel(X)
    np.testing.assert_allclose(K, K.T, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(K, plain.values(X, X), rtol=1e-11, atol=1e-7)
    values = np.linalg.eigvalsh(K)
    assert values[0] >= -1e-12 * values[-1]
    V = rng.normal(size=400)
    apart = kernel.gradient(X, X.copy(), V)
    np.testing.assert_allclose(kernel.gradient(X, None, V), apart, rtol=1e-9, atol=1e-9)


def test_scikit_learn(rng):
    X, Z = rows(rng, 40, 30, 5)
    np.testing.assert_allclose(RBF(0.3)(X, Z), rbf_kernel(X, Z, 0.3), rtol=1e-12)
    expected = polynomial_kernel(X, Z, degree=4, gamma=0.3, coef0=0.7)
    np.testing.assert_allclose(Polynomial(4, 0.3, 0.7)(X, Z), expected, rtol=1e-11, atol=1e-14)
    for nu in (1.5, 2.5):
        expected = GaussianProcessMatern(length_scale=2.0, nu=nu)(X, Z)
        np.testing.assert_allclose(Matern(nu, 0.5)(X, Z), expected, rtol=1e-12)


def test_the_paper_s_tangent_kernel(rng):
    X, Z = rows(rng)
    inner = X @ Z.T
    norms = np.outer(np.linalg.norm(X, axis=1), np.linalg.norm(Z, axis=1))
    expected = inner * (np.pi - np.arccos(inner / norms)) / (2 * np.pi)
    np.testing.assert_allclose(NTK()(X, Z), expected, rtol=1e-12, atol=1e-13)


# --- close, equal and parallel rows -----------------------------------------------------------


@pytest.mark.parametrize("kernel", STATIONARY, ids=str)
def test_duplicates(kernel, rng):
    X = 50.0 + rng.normal(size=(9, 4))
    doubled = np.vstack([X, X[::-1]])
    K = kernel(doubled)
    assert (np.diagonal(K) == 1.0).all()
    assert (np.diagonal(K[:, ::-1]) == 1.0).all()
    assert (np.diagonal(kernel(X, X.copy())) == 1.0).all()
    pieces = [kernel.gradient(doubled, None, e)[17 - j] for j, e in enumerate(np.eye(18))]
    np.testing.assert_array_equal(pieces, np.zeros((18, 4)))


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("output_layer", [False, True])
def test_parallel_rows_are_kinks(depth, output_layer, rng):
    X = rng.normal(size=(6, 4))
    Z = np.vstack([X, 3.0 * X, -X, -0.1 * X, X + 1e-9 * rng.normal(size=(6, 4))])
    xs, zs = np.einsum("ij,ij->i", X, X), np.einsum("ij,ij->i", Z, Z)
    values = X @ Z.T
    slopes = np.empty_like(values)
    kernel = NTK(depth, output_layer)
    found = get("kernel_tile")(kernel.compiled(), X, Z, xs, zs, APART, values, slopes)
    assert found == 24
    values = X @ Z.T
    found = get("kernel_tile")(kernel.compiled(), X, Z, xs, zs, 0, values, slopes)
    assert found == 18  # the first six columns are the rows of X themselves
    place = np.arange(6)
    norms = np.sqrt(xs)[:, None] * np.sqrt(zs)
    for block in range(4):
        j = place + 6 * block
        assert (slopes[place, j] == 0.0).all()
        for i in place:
            gradient = kernel.gradient(X[i : i + 1], Z[j[i] : j[i] + 1], [1.0])
            np.testing.assert_allclose(gradient[0], values[i, j[i]] / xs[i] * X[i], rtol=1e-13)
    aligned = 0.5 * (depth + output_layer)
    np.testing.assert_allclose((values / norms)[place, place + 6], aligned, rtol=1e-14)
    assert (slopes[place, place + 24] > 1e6).all()


@pytest.mark.parametrize("kernel", [NTK(), NTK(3, True)], ids=str)
def test_a_single_feature_is_all_kinks(kernel):
    X = np.array([[1.0], [-2.0], [0.3]])
    K = kernel(X)
    same = X * X.T > 0
    aligned = 0.5 * (kernel.depth + kernel.output_layer)
    np.testing.assert_allclose(K[same], (aligned * X * X.T)[same], rtol=1e-14)
    np.testing.assert_allclose(kernel.gradient(X, None, np.ones(3)), (K / X).sum(1)[:, None])


@pytest.mark.parametrize("name", NAMES)
def test_nan_is_not_hidden(name, rng):
    kernel, _ = both(name)
    X, Z = rows(rng)
    X[2, 1] = np.nan
    bad = np.isnan(kernel(X, Z)).all(axis=1)
    assert bad.tolist() == [i == 2 for i in range(7)]


@given(
    st.sampled_from(NAMES),
    st.lists(st.lists(st.floats(-50, 50), min_size=2, max_size=2), min_size=1, max_size=6),
)
def test_finite_and_symmetric(name, points):
    kernel, _ = both(name)
    X = np.array(points)
    X[np.abs(X).max(axis=1) < 1e-30] = 1.0  # no zero vectors, nor powers that underflow
    K = kernel(X)
    roots = np.sqrt(kernel.diagonal(X))
    scale = np.outer(roots, roots)
    assert np.isfinite(K).all()
    assert (np.abs(K - K.T) <= 1e-13 * scale).all()
    assert (np.abs(K) <= (1 + 1e-13) * scale).all()
    assert np.isfinite(kernel.gradient(X, None, np.ones(len(X)))).all()


# --- curvature ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", [*STATIONARY, Linear(), Polynomial(1, 0.4, 2.0)], ids=str)
def test_lipschitz_gradient(kernel, rng):
    """Second derivatives along and across z − x reach the bound at 0 and stay below it."""
    bound, step = kernel.lipschitz_gradient, 1e-4
    X = np.concatenate([[0.0], np.linspace(step, 12.0, 500)])[:, None] * [[1.0, 0.0]]
    largest = 0.0
    for B in np.eye(2):
        moves = np.broadcast_to(B, X.shape)
        ahead, behind = (
            kernel.directional(X + s * step * B, np.zeros((1, 2)), moves, [1.0]) for s in (1, -1)
        )
        largest = max(largest, np.abs(ahead - behind).max() / (2 * step))
    assert largest <= bound * (1 + 1e-6) + 1e-9
    assert largest >= bound * (1 - 1e-3)
    assert all(k.lipschitz_gradient is None for k in (NTK(), Polynomial(2)))


# --- descriptions ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_descriptions_are_values(name):
    kernel, _ = both(name)
    assert kernel == both(name)[0]
    assert hash(kernel) == hash(both(name)[0])
    written = eval(repr(kernel), dict(vars(fa.kernels)))
    for again in (copy.deepcopy(kernel), pickle.loads(pickle.dumps(kernel)), written):
        assert again == kernel
        assert again.compiled() == kernel.compiled()
    assert clone(kernel, safe=False) == kernel
    assert kernel.is_smooth == ("ntk" not in name)
    assert len({both(other)[0] for other in NAMES}) == len(NAMES)


def test_numpy_numbers_are_understood():
    assert repr(RBF(np.float32(0.5))) == "RBF(gamma=0.5)"
    assert repr(NTK(np.int64(2), np.True_)) == "NTK(depth=2, output_layer=True)"
    assert Polynomial(2, 1, 0).compiled() == c.Kernel(c.POLYNOMIAL, 2, 1.0, 0.0, 0)
    assert isinstance(Matern(2.5, 1).gamma, float)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RBF(0.0), "gamma must be a number above 0, but is 0.0"),
        (lambda: RBF(np.inf), "gamma must be a number above 0, but is inf"),
        (lambda: RBF("scale"), "gamma must be a number above 0, but is 'scale'"),
        (lambda: Matern(0.5), "nu must be 1.5 or 2.5, but is 0.5"),
        (lambda: Matern(1.5, -1.0), "gamma must be a number above 0, but is -1.0"),
        (lambda: Polynomial(0), "degree must be an integer of at least 1, but is 0"),
        (lambda: Polynomial(2.0), "degree must be an integer of at least 1, but is 2.0"),
        (lambda: Polynomial(2, 1.0, -1.0), "coef0 must be a number of at least 0, but is -1.0"),
        (lambda: NTK(0), "depth must be an integer of at least 1, but is 0"),
        (lambda: NTK(1, "yes"), "output_layer must be True or False, but is 'yes'"),
    ],
)
def test_refused_descriptions(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_refused_inputs(rng):
    X, Z = rows(rng)
    ones, moves = np.ones(5), np.ones((7, 3))
    for call, message in [
        (lambda: RBF()(X[0]), r"X must be two-dimensional .* shape \(3,\)"),
        (lambda: RBF()(X, Z[:, :2]), "Z has 2 columns, but X has 3"),
        (lambda: RBF()(X * 1j), "X must hold real numbers"),
        (lambda: RBF()(X[:0]), "X is empty"),
        (lambda: RBF().gradient(X, Z, moves), r"V must have shape \(5,\) as Z has rows"),
        (lambda: RBF().gradient(X, None, ones), r"V must have shape \(7,\) as X has rows"),
        (lambda: RBF().gradient(X, Z, ones * 1j), "V must hold real numbers"),
        (lambda: RBF().directional(X, Z, moves[1:], ones), r"B must have X's shape \(7, 3\)"),
    ]:
        with pytest.raises((TypeError, ValueError), match=message):
            call()
    X[3] = 0.0
    message = "NTK is not defined at a zero vector, as row 3 of {} is"
    for call, name in [
        (lambda: NTK()(X), "X"),
        (lambda: NTK().gradient(Z, X, np.ones(7)), "Z"),
        (lambda: NTK().diagonal(X), "X"),
        (lambda: NTK().check_inputs(X, "centers"), "centers"),
    ]:
        with pytest.raises(ValueError, match=message.format(name)):
            call()
    assert fa.kernels.Linear().check_inputs(X) is None


@pytest.mark.parametrize("name", NAMES)
def test_types_and_layouts(name, rng):
    kernel, _ = both(name)
    X, Z = (v.astype(np.float32) for v in rows(rng))
    V, B = rng.normal(size=5), rng.normal(size=(7, 3))
    plain = X.astype(float), Z.astype(float)
    locked = plain[0].copy(), plain[1].copy()
    for array in locked:
        array.setflags(write=False)
    strided = np.repeat(plain[0], 2, axis=1)[:, ::2], np.asfortranarray(plain[1])
    expected = kernel(*plain), kernel.gradient(*plain, V), kernel.directional(*plain, B, V)
    for x, z in [(X, Z), locked, strided, (plain[0].tolist(), plain[1].tolist())]:
        np.testing.assert_array_equal(kernel(x, z), expected[0])
        np.testing.assert_array_equal(kernel.gradient(x, z, V.tolist()), expected[1])
        np.testing.assert_array_equal(kernel.directional(x, z, B, V), expected[2])
    integers = np.arange(1, 13).reshape(4, 3)
    np.testing.assert_array_equal(kernel(integers), kernel(integers.astype(float)))


@pytest.mark.parametrize("nu", [1.5, 2.5])
@pytest.mark.parametrize(("gamma", "far"), [(1.0, 1e153), (1e60, 1e100)])
def test_matern_is_zero_far_away(engine, nu, gamma, far):
    values = fa.kernels.Matern(nu, gamma)(np.array([[0.0]]), np.array([[far], [0.0]]))
    np.testing.assert_array_equal(values, [[0.0, 1.0]])
