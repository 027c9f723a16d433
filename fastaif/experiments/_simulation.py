"""What the simulations share: streams of random numbers, averages, tables as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..api.aif import aif
from ..data.blas import single_threaded_blas
from ..utils import validation

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

NORMAL_SHARE, LAPLACE_SHARE = 1.0 - 2.0 / np.pi, 1.0  # k of `excess`


class Average(NamedTuple):
    """A mean over repetitions and its standard error, shaped alike."""

    mean: Array
    standard_error: Array


def repeat(
    work: Callable[[np.random.Generator], Any],
    n_repetitions: int,
    random_state: Any,
    progress: bool,
    name: str,
) -> Average:
    """Average ``work(rng)`` over repetitions; each has a random stream of its own."""
    from tqdm import tqdm

    streams = np.random.SeedSequence(validation.seed(random_state)).spawn(n_repetitions)
    bar = tqdm(streams, desc=name, unit="sample", disable=not progress, leave=False)
    # Matrices are small: threads of BLAS would mostly wait for one another.
    with single_threaded_blas():
        draws = np.array([work(np.random.default_rng(stream)) for stream in bar])
    spread = draws.std(axis=0, ddof=1) / np.sqrt(n_repetitions)
    return Average(draws.mean(axis=0), spread)


def coefficient(estimator: Any, X: Array, y: Array, p: float = 2.0) -> float:
    """S/ε² of the estimator fitted to (X, y), by eq. 4 on the same data."""
    return float(aif(estimator.fit(X, y), X, y, p=p).sensitivity_coefficient)


def excess(mean_norm: Any, beta_squared: Any, m: Any, share: Any, n_samples: int) -> Any:
    """What a sample of n adds to S/ε² of linear regression, to first order in 1/n.

    In a sample a = ‖β‖₂ E_n[sgn(r) x] is not zero but has variance σx² ‖β‖² k/n in each
    entry, so that s² ‖a‖²/σx² adds s² ‖β‖² m k/n. The fit moves residuals across zero, by
    which k = E(sgn η − 2 f_η(0) η)²: 1 − 2/π for normal residuals, 1 for Laplace's.
    """
    return np.square(mean_norm) * beta_squared * m * share / n_samples


def repetitions(n_repetitions: Any) -> int:
    """At least two: a standard error needs them."""
    return validation.count(n_repetitions, "n_repetitions", 2)


def positive(value: Any, name: str) -> float:
    """A finite number above 0."""
    return validation.number(value, name, low=0.0, strict=True)


def increasing(
    values: Any, name: str, *, low: float, strict: bool = False, infinite: bool = False
) -> Array:
    """Numbers of at least (or, if strict, above) `low` in increasing order; a scalar will do."""
    array = np.atleast_1d(np.asarray(values, dtype=float))
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must be a list of numbers, but is {values!r}")
    enough = array[0] > low if strict else array[0] >= low
    if not (enough and np.all(array[1:] > array[:-1])):  # so that NaN fails
        least = "above" if strict else "at least"
        raise ValueError(f"{name} must increase from {least} {low:g}, but is {values!r}")
    if np.isinf(array[-1]) and not infinite:
        raise ValueError(f"{name} must be finite, but is {values!r}")
    return array


def feature_counts(values: Any, *, low: int = 1, most: float = np.inf) -> Array:
    """Increasing numbers of features, from `low` to `most`."""
    array = increasing(values, "n_features", low=low)
    if np.any(array != np.round(array)) or array[-1] > most:
        above = "" if np.isinf(most) else f" and at most {most:g}"
        raise ValueError(f"n_features must hold integers of at least {low}{above}: {values!r}")
    return array.astype(int)


def text(head: str, frame: pd.DataFrame, notes: Iterable[str]) -> str:
    """A summary: what was run, the table, what to make of it."""
    table = frame.to_string(index=False, float_format="{:.4g}".format)
    return "\n".join([head, "", table, "", *notes])
