"""The pass over rows of basis models: storage types, threads, blocks and shapes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from support.makers import assert_close

import fastaif as fa
from fastaif._compute import types as c
from fastaif.bases import Custom, Fourier, Powers, Quadratic
from fastaif.bases.expansion import Expansion
from fastaif.data.rows import RowSource
from fastaif.losses import Huber
from fastaif.passes.basis import BasisSweep
from fastaif.passes.executor import Executor
from fastaif.threat.ball import make_ball

NEED = c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_NORM | c.NEED_MIXED
SHAPES = [(1, 1), (7, 2), (255, 3), (257, 9), (2600, 11)]


def powers_as_custom(degree, m):
    """The compiled powers as a user would write them."""

    def jac_t_vec(X, theta):
        return sum((r + 1) * X**r * theta[r * m : (r + 1) * m] for r in range(degree))

    return Custom(
        lambda X: np.hstack([X ** (r + 1) for r in range(degree)]),
        lambda X, P: np.hstack([(r + 1) * X**r * P for r in range(degree)]),
        jac_t_vec,
    )


def sweep_of(basis, n, m, *, dtype=np.float64, weighted=False, scaled=False, threads=1):
    rng = np.random.default_rng(n * 31 + m)
    X = rng.normal(size=(n, m)).astype(dtype)
    y, w = rng.normal(size=n), rng.integers(0, 3, size=n) + 0.0 if weighted else None
    bound = basis.bind(m, X)
    expansion = Expansion(bound, np.zeros(m), np.ones(m))
    d = expansion.n_outputs(m)
    if scaled:
        expansion = Expansion(bound, 0.1 * np.arange(m), 1.0 + np.arange(m))
        expansion = expansion.rescaled(rng.normal(size=d), rng.uniform(0.5, 2, size=d))
    ball = make_ball(
        expansion, m, p=1.5, radius=None, feature_scale=None, attackable=None,
        attack_space="scaled",
    )  # fmt: skip
    source = RowSource(X, y, w, lambda values: values.astype(float))
    sweep = BasisSweep(source, Huber(0.7), expansion, True, ball, Executor(threads))
    return sweep, rng.normal(size=d + 1)


BASES = {
    "quadratic": lambda m: Quadratic(),
    "powers": lambda m: Powers(3),
    "fourier": lambda m: Fourier(2 * m + 1, 0.5, 0),
}


def raw(sums):
    return np.concatenate([part.ravel() for part in sums.raw])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", BASES)
@pytest.mark.parametrize("weighted", [False, True])
def test_same_bits_on_any_number_of_threads(name, shape, weighted):
    n, m = shape
    one, theta = sweep_of(BASES[name](m), n, m, weighted=weighted, scaled=True)
    two, _ = sweep_of(BASES[name](m), n, m, weighted=weighted, scaled=True, threads=2)
    np.testing.assert_array_equal(raw(one.run(theta, NEED)), raw(two.run(theta, NEED)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scaled", [False, True])
def test_a_custom_basis_gives_the_compiled_ones_sums(shape, scaled):
    n, m = shape
    ours, theta = sweep_of(Powers(3), n, m, weighted=True, scaled=scaled)
    theirs, _ = sweep_of(powers_as_custom(3, m), n, m, weighted=True, scaled=scaled)
    for need in (NEED, c.NEED_GRADIENT | c.NEED_LOSS | c.NEED_YARDSTICK):
        found, wanted = theirs.run(theta, need), ours.run(theta, need)
        if found.weight == 0.0:
            continue
        assert_close(raw(found), raw(wanted), 1e-11)
    assert_close(theirs.predictions(theta), ours.predictions(theta), 1e-11)


@pytest.mark.parametrize("name", BASES)
def test_single_precision_is_storage_alone(name):
    single, theta = sweep_of(BASES[name](4), 300, 4, dtype=np.float32)
    double, _ = sweep_of(BASES[name](4), 300, 4)
    rows = double.source._replace(x=single.source.x.astype(np.float64))
    double = BasisSweep(rows, *list(vars(double).values())[1:])
    assert_close(raw(single.run(theta, NEED)), raw(double.run(theta, NEED)), 1e-13)


@pytest.mark.parametrize("name", BASES)
def test_layouts_and_read_only_rows(name):
    plain, theta = sweep_of(BASES[name](5), 200, 5)
    X = plain.source.x
    strided = np.zeros((400, 10))
    strided[::2, ::2] = X
    locked = X.copy()
    locked.setflags(write=False)
    for other in (np.asfortranarray(X), strided[::2, ::2], locked):
        sweep = BasisSweep(plain.source._replace(x=other), *list(vars(plain).values())[1:])
        np.testing.assert_array_equal(raw(sweep.run(theta, NEED)), raw(plain.run(theta, NEED)))


@pytest.mark.parametrize("name", BASES)
def test_weights_are_repetitions(name):
    sweep, theta = sweep_of(BASES[name](3), 150, 3, weighted=True)
    source = sweep.source
    times = np.asarray(source.weight).astype(int)
    repeated = source._replace(
        x=np.repeat(source.x, times, axis=0), y=np.repeat(source.y, times), weight=None
    )
    other = BasisSweep(repeated, *list(vars(sweep).values())[1:])
    found, wanted = sweep.run(theta, NEED), other.run(theta, NEED)
    assert_close(found.hessian, wanted.hessian, 1e-12)
    assert_close(found.mixed, wanted.mixed, 1e-12)
    assert_close(found.input_slope, wanted.input_slope, 1e-12)
    assert_close(found.mean_norm, wanted.mean_norm, 1e-12)


def test_sums_of_unlike_passes_are_not_merged():
    plain, theta = sweep_of(Quadratic(), 40, 3)
    scaled, _ = sweep_of(Quadratic(), 40, 3, scaled=True)
    again = BasisSweep(*vars(scaled).values())
    basis = scaled.basis
    wider = dataclasses.replace(basis, out_scale=2 * basis.out_scale)
    moved = dataclasses.replace(scaled, basis=wider)
    first = scaled.run(theta, NEED)
    first.merge(again.run(theta, NEED))
    for other in (plain, moved):
        with pytest.raises(ValueError, match="cannot be merged"):
            first.merge(other.run(theta, NEED))


def test_a_closed_inner_maximum_is_refused():
    sweep, theta = sweep_of(Quadratic(), 20, 2)
    with pytest.raises(ValueError, match="linear predictors"):
        sweep.run(theta, NEED, kappa=0.1)


def test_nothing_is_written_to():
    X = np.random.default_rng(0).normal(size=(50, 3))
    y = X[:, 0] ** 2
    before = X.copy(), y.copy()
    model = fa.QuadraticRegression(0.1).fit(X, y + X[:, 1])
    fa.aif(model, X, y + X[:, 1])
    fa.robust_fit(model, X, y + X[:, 1], 0.01)
    fa.attack(model, X, y, 0.1)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])


@pytest.mark.parametrize("name", BASES)
def test_public_methods_check_shapes(name):
    basis = BASES[name](4).bind(4)
    X = np.ones((5, 4))
    for call, argument in [
        (lambda: basis.features(X[0]), "X must"),
        (lambda: basis.jac_vec(X, X[:, :2]), "P must"),
        (lambda: basis.jac_vec(X, X[:3]), "P must"),
        (lambda: basis.jac_vec(X, X[0]), "P must"),
        (lambda: basis.jac_t_vec(X, np.ones(3)), "theta must"),
    ]:
        with pytest.raises(ValueError, match=argument):
            call()
    if name == "fourier":
        with pytest.raises(ValueError, match="bound to 4"):
            basis.features(X[:, :3])
