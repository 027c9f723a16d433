"""The peers of kernel regression: against derivatives of the loss, and against fastaif."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench import kernels
from bench.peers import jax_expert, jax_kernel, numpy_kernel
from bench.peers.numpy_kernel import Kernel, Plan, Regression

Array = NDArray[np.float64]
ALPHA, STEP = 0.03, 1e-30
KERNELS = (Kernel("ntk"), Kernel("rbf", 0.7))
PENALTIES = ("l2", "rkhs")
PLANS = (None, Plan(block=7, tile=3, threads=1), Plan(block=4, tile=50, threads=2))
needs_jax = pytest.mark.skipif(jax_expert.missing() is not None, reason=str(jax_expert.missing()))
every_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.kind)


def values(kernel: Kernel, X: Any, Z: Any) -> Any:
    """K, also of complex inputs, straight from its definition."""
    products = X @ Z.T
    squares, z_squares = (X * X).sum(axis=1), (Z * Z).sum(axis=1)
    if kernel.kind == "rbf":
        return np.exp(kernel.gamma * (2.0 * products - squares[:, None] - z_squares))
    with np.errstate(invalid="ignore"):  # of x and itself; `gram` puts it right
        angles = np.arccos(products / np.sqrt(squares[:, None] * z_squares))
    return products * (np.pi - angles) / (2.0 * np.pi)


def gram(kernel: Kernel, X: Any) -> Any:
    K = values(kernel, X, X)
    K[np.diag_indices(len(X))] = 1.0 if kernel.kind == "rbf" else 0.5 * (X * X).sum(axis=1)
    return K


def by_definition(kernel: Kernel, X: Array, y: Array, theta: Array, penalty: str) -> Array:
    """Influence from complex-step derivatives in the inputs, of the loss and of its gradient."""
    n, m = X.shape

    def loss(inputs: Any) -> Any:
        K = gram(kernel, inputs)
        r = K @ theta - y
        size = theta @ theta if penalty == "l2" else theta @ (K @ theta)
        return r @ r / n + ALPHA * size

    def gradient(inputs: Any) -> Any:
        K = gram(kernel, inputs)
        shrink = theta if penalty == "l2" else K @ theta
        return 2.0 * (K @ (K @ theta - y) / n + ALPHA * shrink)

    steps = 1j * STEP * np.eye(n * m).reshape(-1, n, m)
    pull = np.array([loss(X + step).imag / STEP for step in steps]).reshape(n, m)
    radius = np.linalg.norm(X, axis=1).mean()
    attack = radius * pull / np.linalg.norm(pull, axis=1, keepdims=True)
    K = gram(kernel, X)
    hessian = 2.0 * K @ K / n + 2.0 * ALPHA * (np.eye(n) if penalty == "l2" else K)
    return -np.linalg.solve(hessian, gradient(X + 1j * STEP * attack).imag / STEP)


def _case(kernel: Kernel, n: int, m: int, penalty: str) -> tuple[Array, Array, Array]:
    """Rows of different lengths, and the minimiser, at which alone rkhs has its short formula."""
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((n, m)) * rng.uniform(0.5, 2.0, (n, 1)), rng.standard_normal(n)
    K, shift = gram(kernel, X), n * ALPHA * np.eye(n)
    if penalty == "rkhs":
        return X, y, np.linalg.solve(K + shift, y)
    return X, y, np.linalg.solve(K @ K + shift, K @ y)


@every_kernel
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("size", [(12, 3), (21, 5)])
def test_numpy_influence(kernel: Kernel, penalty: str, size: tuple[int, int]) -> None:
    X, y, theta = _case(kernel, *size, penalty)
    expected = by_definition(kernel, X, y, theta, penalty)
    arguments = (Regression(kernel, ALPHA, penalty), X, y, theta)
    for result in (
        numpy_kernel.influence_whole(*arguments),
        *(numpy_kernel.influence_blocked(*arguments, plan) for plan in PLANS),
    ):
        assert kernels.disagreement(result, expected) < 1e-10


@needs_jax
@every_kernel
@pytest.mark.parametrize("penalty", PENALTIES)
def test_jax_influence(kernel: Kernel, penalty: str) -> None:
    X, y, theta = _case(kernel, 14, 4, penalty)
    result = jax_kernel.runner(kernel, X, y, penalty)(theta, ALPHA)
    assert kernels.disagreement(result, by_definition(kernel, X, y, theta, penalty)) < 1e-10


def _direction() -> tuple[Array, ...]:
    rng = np.random.default_rng(2)
    return (*(rng.standard_normal((n, 6)) for n in (23, 31, 23)), rng.standard_normal(31))


@every_kernel
def test_numpy_directional(kernel: Kernel) -> None:
    X, Z, B, V = _direction()
    expected = values(kernel, X + 1j * STEP * B, Z).imag / STEP @ V
    for result in (
        numpy_kernel.directional_whole(kernel, X, Z, B, V),
        *(numpy_kernel.directional_blocked(kernel, X, Z, B, V, plan) for plan in PLANS),
    ):
        assert kernels.disagreement(result, expected) < 1e-12


@needs_jax
@every_kernel
@pytest.mark.parametrize("autodiff", [False, True])
def test_jax_directional(kernel: Kernel, autodiff: bool) -> None:
    X, Z, B, V = _direction()
    expected = values(kernel, X + 1j * STEP * B, Z).imag / STEP @ V
    result = jax_kernel.directional_runner(kernel, X, Z, B, V, autodiff)()
    assert kernels.disagreement(result, expected) < 1e-12


@every_kernel
@pytest.mark.parametrize("workload", [*PENALTIES, kernels.DIRECTIONAL])
@pytest.mark.parametrize("n", [50, 201])
def test_fastaif_and_every_peer_agree(kernel: Kernel, workload: str, n: int) -> None:
    runs = kernels.runs(kernels.Case(kernel, workload, n))
    results = {name: run() for name, run in runs.items()}
    for result in results.values():
        assert kernels.disagreement(result, results[kernels.WHOLE]) < 1e-9
