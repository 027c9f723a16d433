"""The peers are right: each against derivatives of the loss itself, at awkward shapes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bench import data, logistic
from bench.peers import jax_expert, numpy_expert

Array = NDArray[np.float64]
ALPHA, STEP = 0.03, 1e-30


def by_definition(X: Array, y: Array, theta: Array, p: float) -> Array:
    """Influence from complex-step derivatives of the gradient and of E<grad_x l, phi>."""
    phi, _ = numpy_expert.dual_direction(theta[:-1], p)
    directions = -y[:, None] * phi  # the direction of grad_x l, held fixed
    radius = np.linalg.norm(X, ord=p, axis=1).mean()
    design, penalised = np.column_stack((X, np.ones(len(y)))), np.append(np.ones(X.shape[1]), 0)

    def slope(t: NDArray[np.complex128]) -> NDArray[np.complex128]:
        return -y / (1.0 + np.exp(y * (design @ t)))

    def gradient(t: NDArray[np.complex128]) -> NDArray[np.complex128]:
        return design.T @ slope(t) / len(y) + 2.0 * ALPHA * penalised * t

    def gain(t: NDArray[np.complex128]) -> np.complex128:
        return radius * (slope(t) * (directions @ t[:-1])).mean()

    steps = theta + 1j * STEP * np.eye(len(theta))
    hessian = np.array([gradient(t).imag / STEP for t in steps])
    mixed = np.array([gain(t).imag / STEP for t in steps])
    return -np.linalg.solve(hessian, mixed)


def robust_gradient(X: Array, y: Array, theta: Array, eps: float) -> Array:
    """Of E log(1 + exp(-y f + eps s ||beta||_2)) + alpha ||beta||^2: the exact inner maximum."""
    beta, n = theta[:-1], len(y)
    radius = eps * np.linalg.norm(X, axis=1).mean()
    norm = np.linalg.norm(beta)
    slope = 1.0 / (1.0 + np.exp(y * (X @ beta + theta[-1]) - radius * norm))
    top = -X.T @ (slope * y) / n + slope.mean() * radius * beta / norm + 2.0 * ALPHA * beta
    return np.append(top, -(slope @ y) / n)


def robust_optimum(X: Array, y: Array, eps: float) -> Array:
    from scipy.optimize import root

    start = np.full(X.shape[1] + 1, 0.1)
    return root(lambda theta: robust_gradient(X, y, theta, eps), start, tol=1e-13).x


def test_influence_is_the_slope_of_the_exact_robust_optimum() -> None:
    X, y = data.logistic(400, 4)
    natural = robust_optimum(X, y, 0.0)
    slope = (robust_optimum(X, y, 1e-5) - natural) / 1e-5
    result = numpy_expert.influence_whole(X, y, natural[:-1], float(natural[-1]), ALPHA)
    assert logistic.disagreement(result, slope) < 1e-4


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 4.0, np.inf])
@pytest.mark.parametrize("size", [(50, 1), (999, 7), (1001, 33)])
def test_numpy(size: data.Size, p: float) -> None:
    X, y, theta = _case(size)
    expected = by_definition(X, y, theta, p)
    arguments = (X, y, theta[:-1], float(theta[-1]), ALPHA, p)
    for result in (
        numpy_expert.influence_whole(*arguments),
        numpy_expert.influence_blocked(*arguments),
        numpy_expert.influence_blocked(*arguments, block=100),
    ):
        assert logistic.disagreement(result, expected) < 1e-11


@pytest.mark.skipif(jax_expert.missing() is not None, reason=str(jax_expert.missing()))
@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf])
@pytest.mark.parametrize("n", [50, jax_expert.BLOCK, 2 * jax_expert.BLOCK + 7])
def test_jax(n: int, p: float) -> None:
    X, y, theta = _case((n, 5))
    result = jax_expert.runner(X, y, p)(theta[:-1], float(theta[-1]), ALPHA)
    assert logistic.disagreement(result, by_definition(X, y, theta, p)) < 1e-11


def _case(size: data.Size) -> tuple[Array, Array, Array]:
    theta = np.random.default_rng(1).standard_normal(size[1] + 1)
    return *data.logistic(*size), theta
