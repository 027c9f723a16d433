"""Theorem 5.4: what noise added to the inputs does to linear regression's sensitivity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import theory
from ..plotting.style import BARS, finish, new_figure, points
from ..utils import validation
from . import _simulation
from ._result import Experiment

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Theorem54Result(Experiment):
    """The ratio of S with randomized smoothing to S without.

    Attributes
    ----------
    signals : array (j,)
        σx² ‖β‖² / ση², the signal-to-noise ratios.
    sigma_r : array (k,)
        The noise added, in the units of x.
    closed_form : array (j, k)
        Theorem 5.4's ratio.
    mean, standard_error : array (j, k)
        Of the samples' ratios.
    n_features, n_samples, n_repetitions : int
    sigma_x, sigma_noise : float
    """


    signals: Array
    sigma_r: Array
    closed_form: Array
    mean: Array
    standard_error: Array
    n_features: int
    n_samples: int
    n_repetitions: int
    sigma_x: float
    sigma_noise: float

    def to_frame(self) -> pd.DataFrame:
        """A row for each signal and σr: signal, sigma_r, closed_form, mean, standard_error."""
        import pandas as pd

        columns = {
            "signal": np.repeat(self.signals, len(self.sigma_r)),
            "sigma_r": np.tile(self.sigma_r, len(self.signals)),
        }
        values = ("closed_form", "mean", "standard_error")
        return pd.DataFrame(columns | {name: getattr(self, name).ravel() for name in values})

    def summary(self) -> str:
        """The table as text, at most 80 columns wide."""
        head = (
            f"Theorem 5.4: randomized smoothing, m = {self.n_features}, n = {self.n_samples}, "
            f"{self.n_repetitions} repetitions"
        )
        notes = [
            "S with noise of sigma_r on the inputs over S without, by eq. 4 on clean data;",
            "signal = sigma_x^2 |beta|^2 / sigma_noise^2; above 2 the ratio first exceeds 1.",
        ]
        return _simulation.text(head, self.to_frame(), notes)

    def _draw(self, figure: Any) -> Any:
        return plot_theorem_5_4(self, figure)


def theorem_5_4(
    signals: Any = (1.0, 5.0),
    sigma_r: Any = None,
    n_features: int = 5,
    n_samples: int = 10_000,
    n_repetitions: int = 20,
    sigma_x: float = 1.0,
    sigma_noise: float = 1.0,
    random_state: Any = 0,
    progress: bool = True,
) -> Theorem54Result:
    """Theorem 5.4's ratio beside that of influences in samples, for p = 2.

    y = βᵀx + η with normal x and η and β ∝ (1, …, 1), fitted without an intercept to x and
    to one noisy copy x + N(0, σr² I) of each sample. Both sensitivities are eq. 4 on the
    clean inputs, with their scale s. Little noise raises the sensitivity where the signal
    σx² ‖β‖² is more than 2 ση², since the noise feeds the residual before it shrinks the
    coefficients; much noise always lowers it.

    Parameters
    ----------
    signals : increasing floats above 0
        σx² ‖β‖² / ση²; the default has one on either side of 2.
    sigma_r : increasing floats above 0, optional
        Default 15 values from 0.2 to 3 times σx.
    n_features : int, default 5
    n_samples : int above `n_features`, default 10000
    n_repetitions : int of at least 2, default 20
    sigma_x, sigma_noise : float above 0
        Standard deviations of each feature and of η.
    random_state : int, Generator or None, default 0
    progress : bool, default True
        Show a progress bar on stderr.

    Returns
    -------
    Theorem54Result

    Raises
    ------
    ValueError, TypeError
        For sizes or scales out of range.
    """
    m = validation.count(n_features, "n_features")
    samples = validation.count(n_samples, "n_samples", m + 1)
    reps = _simulation.repetitions(n_repetitions)
    sd = _simulation.positive(sigma_x, "sigma_x")
    noise = _simulation.positive(sigma_noise, "sigma_noise")
    ratios = _simulation.increasing(signals, "signals", low=0.0, strict=True)
    default = sd * np.linspace(0.2, 3.0, 15) if sigma_r is None else sigma_r
    added = _simulation.increasing(default, "sigma_r", low=0.0, strict=True)
    betas = [np.full(m, np.sqrt(r / m) * noise / sd) for r in ratios]

    def work(rng: np.random.Generator) -> Array:
        X = sd * rng.standard_normal((samples, m))
        eta = noise * rng.standard_normal(samples)
        return np.array([_ratios(X, X @ beta + eta, added, rng) for beta in betas])

    found = _simulation.repeat(work, reps, random_state, progress, "theorem 5.4")
    closed = np.array([theory.smoothing_ratio(beta, sd, added, noise) for beta in betas])
    return Theorem54Result(ratios, added, closed, *found, m, samples, reps, sd, noise)


def _ratios(X: Array, y: Array, added: Array, rng: np.random.Generator) -> list[float]:
    """S with each noise over S without, in one sample."""
    from ..models.linear import LinearRegression
    from ..models.smoothing import RandomizedSmoothing

    plain = LinearRegression(fit_intercept=False)
    without = _simulation.coefficient(plain, X, y)
    seeds = (int(seed) for seed in rng.integers(2**31, size=added.size))
    smoothed = (
        RandomizedSmoothing(plain, float(sigma), n_copies=1, random_state=seed)
        for sigma, seed in zip(added, seeds, strict=True)
    )
    return [_simulation.coefficient(estimator, X, y) / without for estimator in smoothed]


def plot_theorem_5_4(result: Theorem54Result, figure: Any = None) -> Any:
    """Draw the ratio of sensitivities against the noise added to the inputs.

    Arguments, result and errors are as in `plot_figure1`.
    """
    figure = new_figure(figure, 6.4, 4.4)
    ax = figure.subplots()
    marks = "os^vDP"
    for row, signal in enumerate(result.signals):
        color = f"C{row}"
        ax.plot(
            result.sigma_r, result.closed_form[row], color=color,
            label=rf"theory, $\sigma_x^2 \|\beta\|^2 / \sigma_\eta^2$ = {signal:.3g}",
        )  # fmt: skip
        points(
            ax, result.sigma_r, result.mean[row], result.standard_error[row], color,
            marks[row % len(marks)], BARS,
        )  # fmt: skip
    ax.axhline(1.0, color="0.6", linestyle=":", label="no smoothing")
    ax.set(
        xlabel=r"noise added to each feature, $\sigma_r$ (units of x)",
        ylabel="sensitivity with smoothing / without", xlim=(0.0, None), ylim=(0.0, None),
    )  # fmt: skip
    ax.set_title(
        f"Randomized smoothing of linear regression, p = 2\nm = {result.n_features}, "
        f"n = {result.n_samples}, {result.n_repetitions} repetitions",
        fontsize="medium",
    )
    finish(ax)
    return figure
