"""The peers of the quadratic model and of figure 2(a): against derivatives and fastaif."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bench import data, figure2a, quadratic
from bench.peers import jax_expert, jax_quadratic, numpy_figure2a, numpy_quadratic

Array = NDArray[np.float64]
ALPHA, STEP = 0.03, 1e-30


def features(x: Array) -> Array:
    m = x.shape[-1]
    products = [x[..., j] * x[..., k] for j in range(m) for k in range(j, m)]
    return np.stack([*(x[..., j] for j in range(m)), *products, np.ones_like(x[..., 0])], axis=-1)


def by_definition(X: Array, y: Array, theta: Array) -> Array:
    """Influence with the features' derivatives along the attack by the complex step."""
    n, m = X.shape
    V = features(X)
    along = [features(X + 1j * STEP * unit).imag / STEP @ theta for unit in np.eye(m)]
    residual, gradient = V @ theta - y, np.stack(along, axis=1)
    length = np.linalg.norm(gradient, axis=1, keepdims=True)
    attack = np.sign(residual)[:, None] * gradient / length
    moved = features(X + 1j * STEP * attack).imag / STEP
    # <grad_x l, attack> = 2 r <grad f, attack>, and moved is the theta-gradient of the latter
    mixed = 2.0 * (residual @ moved + (moved @ theta) @ V) / n
    penalised = np.append(np.arange(V.shape[1] - 1) >= m, False)
    hessian = 2.0 * V.T @ V / n + 2.0 * ALPHA * np.diag(penalised)
    return -np.linalg.solve(hessian, np.linalg.norm(X, axis=1).mean() * mixed)


def _case(size: data.Size) -> tuple[Array, Array, Array, numpy_quadratic.Model]:
    X, y = data.quadratic(*size)
    m = size[1]
    theta = np.random.default_rng(1).standard_normal(numpy_quadratic.n_features(m) + 1)
    matrix = np.zeros((m, m))
    matrix[np.triu_indices(m)] = theta[m:-1]
    model = numpy_quadratic.Model(theta[:m], 0.5 * (matrix + matrix.T), float(theta[-1]))
    return X, y, theta, model


@pytest.mark.parametrize("size", [(50, 1), (999, 7), (501, 12)])
def test_numpy_influence(size: data.Size) -> None:
    X, y, theta, model = _case(size)
    expected = by_definition(X, y, theta)
    for result in (
        numpy_quadratic.influence_whole(X, y, model, ALPHA),
        numpy_quadratic.influence_blocked(X, y, model, ALPHA),
        numpy_quadratic.influence_blocked(X, y, model, ALPHA, block=64),
    ):
        assert quadratic.disagreement(result, expected) < 1e-11


@pytest.mark.skipif(jax_expert.missing() is not None, reason=str(jax_expert.missing()))
@pytest.mark.parametrize("n", [50, jax_quadratic.BLOCK, 2 * jax_quadratic.BLOCK + 7])
def test_jax_influence(n: int) -> None:
    X, y, theta, model = _case((n, 5))
    result = jax_quadratic.runner(X, y)(*model, ALPHA)
    assert quadratic.disagreement(result, by_definition(X, y, theta)) < 1e-11


@pytest.mark.parametrize("size", [(300, 1), (2000, 7)])
def test_fastaif_and_every_peer_agree(size: data.Size) -> None:
    problem = quadratic.problem(size)
    for contestants in (quadratic.CONTESTANTS, quadratic.FITS):
        names = contestants.keys() - quadratic.missing().keys()
        results = [contestants[name](problem)() for name in names]
        for result in results:
            assert quadratic.disagreement(result, results[0]) < 1e-11


@pytest.mark.parametrize("n", [100, 999])
def test_figure2a_on_the_same_samples(n: int) -> None:
    assert max(figure2a.disagreement(n).values()) < figure2a.TOLERANCE


def test_figure2a_on_own_samples() -> None:
    found = {
        name: numpy_figure2a.repetitions(method, 4, 400, 10, 0.1, seed=5)
        for name, method in figure2a.METHODS.items()
    }
    for result in found.values():
        np.testing.assert_allclose(result, found["NumPy, naive"], rtol=1e-8)
