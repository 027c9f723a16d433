"""Figure 2(a) of the paper: the sensitivity against the number of features."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._compute import get
from ..data.parallel import for_each, resolve_threads
from ..plotting.style import BLUE, FEATURES, SENSITIVITY, finish, new_figure
from ..utils import validation
from . import _simulation
from ._result import Experiment

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

_REPETITIONS_A_TASK = 8


@dataclass(frozen=True, eq=False)
class Figure2aResult(Experiment):
    """The curve of Figure 2(a).

    Attributes
    ----------
    n_features : array (M,)
        m = 1 … M, features in the model.
    sensitivities : array (n_repetitions, M)
        S/ε² of every sample and model, for the loss (f − y)².
    n_samples : int
    noise : float
        σξ, in units of y.
    """


    n_features: Array
    sensitivities: Array
    n_samples: int
    noise: float

    @property
    def sensitivity_mean(self) -> Array:
        """The mean over repetitions, shape (M,)."""
        return np.asarray(self.sensitivities.mean(axis=0))

    @property
    def sensitivity_sd(self) -> Array:
        """The standard deviation of one repetition (not of the mean), shape (M,)."""
        return np.asarray(self.sensitivities.std(axis=0, ddof=1))

    def to_frame(self) -> pd.DataFrame:
        """A row per m. Columns: n_features, sensitivity_mean (of S/ε²), sensitivity_sd."""
        import pandas as pd

        return pd.DataFrame(
            {
                "n_features": self.n_features,
                "sensitivity_mean": self.sensitivity_mean,
                "sensitivity_sd": self.sensitivity_sd,
            }
        )

    def summary(self) -> str:
        """The table as text, at most 80 columns wide."""
        repetitions, largest = self.sensitivities.shape
        rises = [int(m) for m in self.n_features[1:][np.diff(self.sensitivity_mean) > 0]]
        head = (
            f"Figure 2(a): (x, x^2) of m of {largest} features, n = {self.n_samples}, "
            f"{repetitions} repetitions"
        )
        where = f", except at m = {', '.join(map(str, rises))}" if rises else ""
        notes = ["sensitivity = S/eps^2 for the loss (f - y)^2, p = 2.", f"It falls with m{where}."]
        return _simulation.text(head, self.to_frame(), notes)

    def _draw(self, figure: Any) -> Any:
        return plot_figure2a(self, figure)


def figure2a(
    n_samples: int = 5000,
    n_repetitions: int = 1000,
    n_features: int = 10,
    noise: float = 0.1,
    beta1: Any = 1.0,
    beta2: Any = 1.0,
    random_state: Any = 0,
    progress: bool = True,
    n_threads: int | None = None,
) -> Figure2aResult:
    """Figure 2(a): S/ε² of Example 5.1's models against the number of features in them.

    Features are uniform on (−1, 1) and y = Σ_j (β₁ⱼ x_j + β₂ⱼ x_j²) + ξ over all M of them,
    ξ ~ N(0, σξ²). Model m is least squares on v = (x_1 … x_m, x_1² … x_m²) without an
    intercept. Its sensitivity is eq. 4 on the sample of the fit, for the loss (f − y)² (the
    ½ that section 5 puts before it would halve every number), p = 2 and s = E‖x‖₂ of all M
    features: the attack is as large for a model of few features as for one of all.

    The paper names no coefficients; with ones, as here, S falls with m, though not at every m.

    Parameters
    ----------
    n_samples : int, default 5000
        Above 2 `n_features`, the parameters of the largest model.
    n_repetitions : int, default 1000
        Samples; all M models are fitted to each.
    n_features : int, default 10
        M.
    noise : float above 0, default 0.1
        σξ, in units of y.
    beta1, beta2 : float or array (M,), default 1
    random_state : int, Generator or None, default 0
    progress : bool, default True
        Show a progress bar on stderr.
    n_threads : int, optional
        All cores by default; the result is the same on any number.

    Returns
    -------
    Figure2aResult

    Raises
    ------
    ValueError, TypeError
        For sizes or numbers out of range, or coefficients of the wrong shape.

    Examples
    --------
    >>> from fastaif.experiments import figure2a
    >>> frame = figure2a(n_repetitions=20, progress=False).to_frame()
    >>> bool(frame["sensitivity_mean"].iloc[0] > 100 * frame["sensitivity_mean"].iloc[-1])
    True
    """
    from tqdm import tqdm

    features = validation.count(n_features, "n_features")
    samples = validation.count(n_samples, "n_samples", 2 * features + 1)
    repetitions = _simulation.repetitions(n_repetitions)
    sigma = _simulation.positive(noise, "noise")
    linear, square = _effects(beta1, "beta1", features), _effects(beta2, "beta2", features)
    seed, threads = validation.seed(random_state), validation.threads(n_threads)
    out = np.empty((repetitions, features))
    operation = get("nested_powers")
    lock = threading.Lock()
    bar = tqdm(
        total=repetitions, desc="figure 2(a)", unit="sample", disable=not progress, leave=False
    )

    def work(task: int) -> None:
        first = task * _REPETITIONS_A_TASK
        part = out[first : first + _REPETITIONS_A_TASK]
        operation(seed, first, samples, linear, square, sigma, part)
        with lock:
            bar.update(len(part))

    with bar:
        tasks = -(-repetitions // _REPETITIONS_A_TASK)
        for_each(tasks, work, resolve_threads(threads, out.size * samples))
    return Figure2aResult(np.arange(1, features + 1), out, samples, sigma)


def _effects(value: Any, name: str, size: int) -> Array:
    array = np.asarray(value, dtype=float)
    if array.shape not in ((), (size,)) or not np.isfinite(array).all():
        raise ValueError(f"{name} must be a finite number or {size} of them, but is {value!r}")
    return np.array(np.broadcast_to(array, (size,)))


def plot_figure2a(result: Figure2aResult, figure: Any = None) -> Any:
    """Draw Figure 2(a): S/ε² against the number of features, on a logarithmic axis.

    Bars are the standard deviation of one repetition. Arguments, result and errors are as in
    `plot_figure1`.
    """
    figure = new_figure(figure, 6.4, 4.4)
    ax = figure.subplots()
    spread = result.sensitivity_sd
    ax.errorbar(
        result.n_features, result.sensitivity_mean, spread, fmt="o-", color=BLUE, markersize=4,
        capsize=3, label="mean ± standard deviation of a repetition",
    )  # fmt: skip
    ax.set(xlabel=FEATURES, ylabel=SENSITIVITY, yscale="log", xticks=result.n_features)
    ax.set_title(
        f"Least squares on (x, x²) of m of {len(result.n_features)} features\n"
        f"n = {result.n_samples}, {len(result.sensitivities)} repetitions, p = 2",
        fontsize="medium",
    )
    finish(ax)
    return figure
