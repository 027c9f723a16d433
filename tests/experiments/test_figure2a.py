"""Figure 2(a): the compiled loop against NumPy, and the curve that the paper describes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import fastaif as fa
from fastaif import _compute
from fastaif._compute.numba_ops.jit import callable_part
from fastaif._compute.numba_ops.nested_powers import draw_powers
from fastaif.experiments import Figure2aResult, figure2a
from fastaif.utils import validation as _validate
from fastaif.utils.arrays import read_only

Array = npt.NDArray[np.float64]

LISTED = [95, 55, 34, 23, 16, 12, 8.8, 7.7, 11, 0.15]  # 60 repetitions


def sample(
    seed: int, repetition: int, n: int, b: Array, c: Array, noise: float
) -> tuple[Array, Array]:
    """Inputs (n, M) and targets of one repetition."""
    x, y = np.empty((b.size, n)), np.empty(n)
    callable_part(draw_powers)(seed, repetition, read_only(b), read_only(c), noise, x, y)
    return x.T, y


def by_numpy(X: Array, y: Array, m: int) -> float:
    """S/ε² of the model of the first m features: Theorem 4.1 and eq. 4, term by term."""
    n, x = len(X), X[:, :m]
    V = np.hstack([x, x**2])
    theta = np.linalg.lstsq(V, y, rcond=None)[0]
    residual = V @ theta - y
    gradient = theta[:m] + 2 * theta[m:] * x
    norm = np.linalg.norm(gradient, axis=1)
    phi = gradient / norm[:, None]
    moved = np.hstack([phi, 2 * x * phi])
    s = np.mean(np.linalg.norm(X, axis=1))
    mixed = s * (2 * (np.sign(residual) * norm) @ V + 2 * np.abs(residual) @ moved) / n
    H = 2 * V.T @ V / n
    influence = -np.linalg.solve(H, mixed)
    return float(0.5 * influence @ H @ influence)


@pytest.mark.parametrize(
    ("n", "features"),
    [pytest.param(5000, 10, marks=pytest.mark.long), (257, 3), (40, 1), (21, 10), (512, 2)],
)
def test_compiled_loop_against_numpy(n: int, features: int, rng: np.random.Generator) -> None:
    b, c = rng.normal(size=features), rng.normal(size=features)
    out = np.empty((3, features))
    _compute.get("nested_powers")(77, 5, n, b, c, 0.3, out)
    for r, row in enumerate(out):
        X, y = sample(77, 5 + r, n, b, c, 0.3)
        wanted = [by_numpy(X, y, m) for m in range(1, features + 1)]
        np.testing.assert_allclose(row, wanted, rtol=1e-10)


def test_library_agrees() -> None:
    seed, m = _validate.seed(3), 4
    X, y = sample(seed, 1, 300, np.ones(6), np.ones(6), 0.1)
    result = figure2a(300, 2, 6, random_state=3, progress=False)
    model = fa.BasisRegression(fa.bases.Powers(2), fit_intercept=False).fit(X[:, :m], y)
    s = np.mean(np.linalg.norm(X, axis=1))
    found = fa.aif(model, X[:, :m], y, radius=s).sensitivity_coefficient
    assert result.sensitivities[1, m - 1] == pytest.approx(found, rel=1e-10)


def test_draws_have_their_distributions() -> None:
    b, c = np.array([1.0, -2.0, 0.5]), np.array([0.3, 0.0, 2.0])
    X, y = sample(1, 0, 200_000, b, c, 0.5)
    assert -1 < X.min() < -0.9999
    assert 0.9999 < X.max() < 1
    np.testing.assert_allclose(X.mean(axis=0), 0.0, atol=0.005)
    np.testing.assert_allclose(np.cov(X.T), np.eye(3) / 3, atol=0.004)
    xi = y - X @ b - X**2 @ c
    assert np.mean(xi) == pytest.approx(0.0, abs=0.005)
    assert np.std(xi) == pytest.approx(0.5, rel=0.01)
    assert np.mean(xi**4) == pytest.approx(3 * 0.5**4, rel=0.03)
    np.testing.assert_allclose(X.T @ xi / len(X), 0.0, atol=0.003)
    other, _ = sample(1, 1, 200_000, b, c, 0.5)
    assert abs(np.mean(X[:, 0] * other[:, 0])) < 0.003


@pytest.fixture(scope="module")
def result() -> Figure2aResult:
    return figure2a(n_repetitions=200, progress=False)


def test_sensitivity_falls_as_listed(result: Figure2aResult) -> None:
    frame = result.to_frame()
    assert list(frame.columns) == ["n_features", "sensitivity_mean", "sensitivity_sd"]
    assert list(frame["n_features"]) == list(range(1, 11))
    # Both means are of samples: the listed ones of 60, and rounded to two digits.
    error = frame["sensitivity_sd"] * np.sqrt(1 / 60 + 1 / 200)
    rounding = 0.5 * 10.0 ** (np.floor(np.log10(LISTED)) - 1)
    assert np.all(np.abs(frame["sensitivity_mean"] - LISTED) < 3 * error + rounding)
    assert list(np.diff(frame["sensitivity_mean"]) < 0) == [True] * 7 + [False, True]
    assert "except at m = 9." in result.summary()


def test_threads_and_blocks_do_not_change_a_bit(result: Figure2aResult) -> None:
    for threads, repetitions in ((1, 200), (3, 45), (2, 2)):
        found = figure2a(n_repetitions=repetitions, n_threads=threads, progress=False)
        np.testing.assert_array_equal(found.sensitivities, result.sensitivities[:repetitions])


def test_seed_decides_the_data() -> None:
    first, again, other = (figure2a(50, 3, 2, random_state=s, progress=False) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.sensitivities, again.sensitivities)
    assert np.all(first.sensitivities != other.sensitivities)


def test_summary_and_progress_bar(
    result: Figure2aResult, capsys: pytest.CaptureFixture[str]
) -> None:
    assert max(map(len, result.summary().splitlines())) <= 80
    figure2a(50, 3, 2, progress=True)
    assert "figure 2(a)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"n_samples": 20}, "n_samples must be an integer of at least 21"),
        ({"n_repetitions": 1}, "n_repetitions"),
        ({"n_features": 0}, "n_features"),
        ({"noise": 0.0}, "noise"),
        ({"beta1": [1.0, 2.0]}, "beta1 must be a finite number or 10"),
        ({"beta2": np.nan}, "beta2"),
        ({"n_threads": 0}, "n_threads"),
        ({"random_state": -1}, "random_state"),
    ],
)
def test_bad_arguments(options: dict[str, object], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        figure2a(progress=False, **options)
