"""Corollary 5.1: the sensitivity of a random-effects model, a parabola in m."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import theory
from ..plotting.style import (
    BARS,
    BLUE,
    FEATURES,
    FINITE,
    FINITE_LABEL,
    ORANGE,
    SENSITIVITY,
    finish,
    new_figure,
    points,
)
from ..utils import validation
from . import _simulation
from ._result import Experiment

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Corollary51Result(Experiment):
    """S/ε² by Corollary 5.1 and in samples, averaged over effects.

    Attributes
    ----------
    n_features : array (k,)
        m, features in the model.
    closed_form : array (k,)
        For the loss (f − y)².
    in_sample : array (k,)
        `closed_form` and the leading term of what a sample of n adds to it.
    mean, standard_error : array (k,)
        Of the samples' S/ε².
    n_effects : int
        M.
    peak : float
        Where the corollary puts the peak, (M σx² + σξ²) / (2 σx²).
    n_samples, n_repetitions : int
    sigma_x, sigma_noise : float
    """


    n_features: Array
    closed_form: Array
    in_sample: Array
    mean: Array
    standard_error: Array
    n_effects: int
    peak: float
    n_samples: int
    n_repetitions: int
    sigma_x: float
    sigma_noise: float

    def to_frame(self) -> pd.DataFrame:
        """A row per m: n_features, closed_form, in_sample, mean, standard_error."""
        import pandas as pd

        names = ("n_features", "closed_form", "in_sample", "mean", "standard_error")
        return pd.DataFrame({name: getattr(self, name) for name in names})

    def summary(self) -> str:
        """The table as text, at most 80 columns wide."""
        head = (
            f"Corollary 5.1: {self.n_effects} random effects, n = {self.n_samples}, "
            f"{self.n_repetitions} repetitions, p = 2"
        )
        notes = [
            "S/eps^2 for the loss (f - y)^2, expected over the effects; in_sample adds the",
            "leading term in 1/n to the closed form.",
            f"Peak near m = {self.peak:.4g}.",
        ]
        return _simulation.text(head, self.to_frame(), notes)

    def _draw(self, figure: Any) -> Any:
        return plot_corollary_5_1(self, figure)


def corollary_5_1(
    n_features: Any = (1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20),
    n_effects: int = 20,
    n_samples: int = 5000,
    n_repetitions: int = 200,
    sigma_x: float = 1.0,
    sigma_noise: float = 1.0,
    random_state: Any = 0,
    progress: bool = True,
) -> Corollary51Result:
    """Corollary 5.1 beside the influence in samples, for p = 2.

    y = βᵀx + ξ with β ~ N(0, I_M), x ~ N(0, σx² I_M), ξ ~ N(0, σξ²). Each repetition draws
    effects and a sample, and fits the first m features without an intercept for every m. In
    a sample ‖β‖₂ E_n[sgn(r) x] is not zero; it adds (1 − 2/π) s² m²/n to S/ε², which counts
    where little noise is left: the signal of a model of all M effects is M σx²/σξ² times it.

    Parameters
    ----------
    n_features : increasing ints up to `n_effects`
        The m to try.
    n_effects : int, default 20
        M.
    n_samples : int above `n_effects`, default 5000
    n_repetitions : int of at least 2, default 200
    sigma_x, sigma_noise : float above 0
        Standard deviations of each feature and of ξ.
    random_state : int, Generator or None, default 0
    progress : bool, default True
        Show a progress bar on stderr.

    Returns
    -------
    Corollary51Result

    Raises
    ------
    ValueError, TypeError
        For sizes or scales out of range.
    """
    effects = validation.count(n_effects, "n_effects")
    m = _simulation.feature_counts(n_features, most=effects)
    samples = validation.count(n_samples, "n_samples", effects + 1)
    reps = _simulation.repetitions(n_repetitions)
    sd = _simulation.positive(sigma_x, "sigma_x")
    noise = _simulation.positive(sigma_noise, "sigma_noise")

    def work(rng: np.random.Generator) -> Array:
        return _sample(rng, m, effects, samples, sd, noise)

    found = _simulation.repeat(work, reps, random_state, progress, "corollary 5.1")
    closed = theory.random_effects_sensitivity(m, effects, sd, noise)
    lengths = theory.gaussian_mean_norm(m, sd)
    excess = _simulation.excess(lengths, m, m, _simulation.NORMAL_SHARE, samples)  # E‖β‖² = m
    peak = (effects * sd**2 + noise**2) / (2.0 * sd**2)
    return Corollary51Result(
        m, closed, closed + excess, *found, effects, peak, samples, reps, sd, noise
    )


def _sample(
    rng: np.random.Generator, m: Array, effects: int, n: int, sigma_x: float, sigma_noise: float
) -> Array:
    """S/ε² of every model in one sample, shape (k,)."""
    from ..models.linear import LinearRegression

    X = sigma_x * rng.standard_normal((n, effects))
    y = X @ rng.standard_normal(effects) + sigma_noise * rng.standard_normal(n)
    estimator = LinearRegression(fit_intercept=False)
    return np.array([_simulation.coefficient(estimator, X[:, :k], y) for k in m])


def plot_corollary_5_1(result: Corollary51Result, figure: Any = None) -> Any:
    """Draw the parabola of the random-effects model.

    Arguments, result and errors are as in `plot_figure1`.
    """
    figure = new_figure(figure, 6.4, 4.4)
    ax = figure.subplots()
    ax.plot(result.n_features, result.closed_form, color=BLUE, label="theory")
    ax.plot(result.n_features, result.in_sample, **FINITE, label=FINITE_LABEL)
    points(ax, result.n_features, result.mean, result.standard_error, ORANGE, "o", BARS)
    if result.n_features[0] < result.peak < result.n_features[-1]:
        ax.axvline(result.peak, color="0.6", linestyle=":", label=f"peak, m = {result.peak:.3g}")
    top = float(np.max(result.mean + 2 * result.standard_error))
    ax.set(xlabel=FEATURES, ylabel=SENSITIVITY, ylim=(0.0, 1.1 * top), xticks=result.n_features)
    ax.set_title(
        f"Linear regression on m of {result.n_effects} random effects, p = 2\n"
        f"n = {result.n_samples}, {result.n_repetitions} repetitions",
        fontsize="medium",
    )
    finish(ax, loc="lower center")
    return figure
