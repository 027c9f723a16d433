"""fastaif as its user calls it: the only place of these benchmarks that knows the library."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
T = TypeVar("T")

FIT_ROWS = 20_000


def fitted(X: Array, y: Array, alpha: float, loss: str = "logistic") -> Any:
    """A model fitted on the first rows only: the fit is not what is timed."""
    import fastaif as fa

    models = {
        "logistic": fa.LogisticRegression,
        "squared_error": fa.LinearRegression,
        "poisson": fa.PoissonRegression,
    }
    return models[loss](alpha=alpha).fit(X[:FIT_ROWS], y[:FIT_ROWS])


def influence(
    model: Any, X: Array, y: Array, p: float = 2.0, n_threads: int | None = None
) -> Array:
    """The influence, shape (m + 1,): coefficients, then the intercept."""
    import fastaif as fa

    with warnings.catch_warnings():  # a fit on some rows is not stationary on all of them
        warnings.simplefilter("ignore", fa.InfluenceWarning)
        return np.asarray(fa.aif(model, X, y, p=p, n_threads=n_threads).influence)


def on_numba(run: Callable[[], T]) -> T:
    """Run something without the C extension."""
    from fastaif import _compute

    before = _compute.chosen_backend()
    _compute.set_backend("numba")
    try:
        return run()
    finally:
        _compute.set_backend(before)


def set_backend(name: str) -> None:
    """``"auto"``, ``"native"`` or ``"numba"``."""
    if name != "auto":
        import fastaif as fa

        fa.set_backend(name)


def quadratic(X: Array, y: Array, alpha: float) -> Any:
    """A quadratic regression fitted on all rows."""
    import fastaif as fa

    return fa.QuadraticRegression(alpha=alpha).fit(X, y)


def figure2a(n_samples: int, n_repetitions: int, n_threads: int | None = None) -> Array:
    """Sensitivities (n_repetitions, 10) of Figure 2(a)'s models."""
    import fastaif as fa

    result = fa.experiments.figure2a(n_samples, n_repetitions, progress=False, n_threads=n_threads)
    return np.asarray(result.sensitivities)


def figure2a_sample(n_samples: int, repetition: int) -> tuple[Array, Array]:
    """The inputs (10, n) and targets that `figure2a` drew in one of its repetitions."""
    from fastaif._compute.numba_ops.jit import callable_part
    from fastaif._compute.numba_ops.nested_powers import draw_powers
    from fastaif.utils import validation

    X, y, ones = np.empty((10, n_samples)), np.empty(n_samples), np.ones(10)
    callable_part(draw_powers)(validation.seed(0), repetition, ones, ones, 0.1, X, y)
    return X, y


def fitted_result(kind: str, X: Array, y: Array, alpha: float) -> Any:
    """The `InfluenceResult` of a linear or logistic regression fitted on all rows."""
    import fastaif as fa

    classes = {"linear": fa.LinearRegression, "logistic": fa.LogisticRegression}
    return fa.aif(classes[kind](alpha=alpha).fit(X, y), X, y)


def bootstrap(result: Any, n_draws: int, seed: int) -> Array:
    """Influences (n_draws, d) of the Bayesian bootstrap, computed anew."""
    result._kept_draws.clear()  # a result keeps its draws; what is timed is making them
    return np.asarray(result.bootstrap(n_draws, seed).influence)


def bootstrap_weights(seed: int, n_draws: int, n: int) -> list[Array]:
    """The weights (n,) of each of these draws."""
    from fastaif.families.linear.bootstrap import draw_weights
    from fastaif.utils import validation

    return [draw_weights(validation.seed(seed), draw, n) for draw in range(n_draws)]


def softmax_sums(model: Any, X: Array, y: NDArray[np.int64]) -> Callable[[], None]:
    """The one pass of a softmax model's influence, anew at each call."""
    import fastaif as fa

    result = fa.aif(model, X, y, p=2)
    return lambda: result.problem.at(result.params).begin()
