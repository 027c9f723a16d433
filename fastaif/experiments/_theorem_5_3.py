"""Theorem 5.3: the sensitivity of basis models, and the bound on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import theory
from ..api.aif import aif
from ..bases import builtin
from ..data.blas import single_threaded_blas
from ..plotting.style import (
    BLUE,
    FEATURES,
    GREEN,
    ORANGE,
    SENSITIVITY,
    mark_steps,
    new_figure,
    points,
)
from ..reports import text
from ..utils import validation
from . import _simulation
from ._result import Experiment

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

_VALUES = ("sensitivity", "bound", "mean", "standard_error")


@dataclass(frozen=True, eq=False)
class Theorem53Result(Experiment):
    """S/ε² of models with m features, and Theorem 5.3's bound, for several norms.

    Attributes
    ----------
    p : array (j,)
        The attack's norms.
    n_features : array (k,)
        m.
    sensitivity, bound : array (j, k)
        The theorem's first line and its bound, for the loss (f − y)².
    mean, standard_error : array (j, k)
        Of the samples' S/ε².
    mean_abs_residual : array (k,)
        E|η|.
    n_samples, n_repetitions : int
    sigma_noise : float
    """


    p: Array
    n_features: Array
    sensitivity: Array
    bound: Array
    mean: Array
    standard_error: Array
    mean_abs_residual: Array
    n_samples: int
    n_repetitions: int
    sigma_noise: float

    def to_frame(self) -> pd.DataFrame:
        """A row for each p and m.

        Columns: p, n_features, sensitivity, bound, mean, standard_error.
        """
        import pandas as pd

        columns = {
            "p": np.repeat(self.p, len(self.n_features)),
            "n_features": np.tile(self.n_features, len(self.p)),
        }
        return pd.DataFrame(columns | {name: getattr(self, name).ravel() for name in _VALUES})

    def summary(self) -> str:
        """The table as text, at most 80 columns wide."""
        head = (
            f"Theorem 5.3: v = (x, x^2) of m features, n = {self.n_samples}, "
            f"{self.n_repetitions} repetitions"
        )
        slack = self.bound / self.sensitivity
        notes = [
            "S/eps^2 for the loss (f - y)^2: the theorem's first line, its bound, samples.",
            "The first two are averages over inputs themselves, and about 1 % off.",
            f"bound / sensitivity is {slack.min():.3g} to {slack.max():.3g}.",
        ]
        frame = self.to_frame()
        frame["p"] = [text.norm_name(p) for p in frame["p"]]
        return _simulation.text(head, frame, notes)

    def _draw(self, figure: Any) -> Any:
        return plot_theorem_5_3(self, figure)


def theorem_5_3(
    p: Any = (1.0, 1.5, 2.0, 3.0, np.inf),
    n_features: Any = (2, 4, 6, 8, 10),
    n_samples: int = 10_000,
    n_repetitions: int = 20,
    sigma_noise: float = 1.0,
    n_population: int = 50_000,
    random_state: Any = 0,
    progress: bool = True,
) -> Theorem53Result:
    """Theorem 5.3's first line and bound beside the influence in samples.

    Example 5.1's basis, v = (x, x²) of the first m features, uniform on (−1, 1), without an
    intercept; but y = Σ_j (x_j ± x_j²) + ξ with the signs of the squares in turn. With an
    even m the left-out squares then come in pairs of opposite signs, so that the residual is
    symmetric and independent of the features in the model, as the theorem asks. (In Example
    5.1 itself it has a mean above zero.) The attack is on the m features of the model, with
    s their mean norm.

    Parameters
    ----------
    p : increasing floats in [1, inf]
        The attack's norms.
    n_features : increasing even ints
        The m to try; y depends on the largest of them.
    n_samples : int above twice the largest m, default 10000
    n_repetitions : int of at least 2, default 20
    sigma_noise : float above 0, default 1
        σξ, in units of y.
    n_population : int of at least 1000, default 50000
        Inputs from which the expectations in the theorem are taken: their relative errors
        are of order 1/√n_population: about 1 % of the theory at 50,000.
    random_state : int, Generator or None, default 0
    progress : bool, default True
        Show a progress bar on stderr.

    Returns
    -------
    Theorem53Result

    Raises
    ------
    ValueError, TypeError
        For sizes, norms or scales out of range, or an odd m.
    """
    norms = _simulation.increasing(p, "p", low=1.0, infinite=True)
    m = _simulation.feature_counts(n_features, low=2)
    if np.any(m % 2):
        raise ValueError(f"n_features must be even: so are residuals symmetric; not {n_features!r}")
    most = int(m[-1])
    samples = validation.count(n_samples, "n_samples", 2 * most + 1)
    reps = _simulation.repetitions(n_repetitions)
    noise = _simulation.positive(sigma_noise, "sigma_noise")
    population = validation.count(n_population, "n_population", 1000)
    seed = validation.seed(random_state)

    def work(rng: np.random.Generator) -> Array:
        X = rng.uniform(-1.0, 1.0, (samples, most))
        y = X @ np.ones(most) + X**2 @ _signs(most) + noise * rng.standard_normal(samples)
        return np.array([_sample(X[:, :k], y, norms) for k in m]).T

    found = _simulation.repeat(work, reps, seed, progress, "theorem 5.3")
    X = np.random.default_rng(seed).uniform(-1.0, 1.0, (population, most))
    residuals = np.array([_mean_abs_residual(X, int(k), noise) for k in m])
    models = list(zip(m, residuals, strict=True))
    with single_threaded_blas():
        sides = [[_sides(X[:, :k], norm, float(r)) for k, r in models] for norm in norms]
    value, bound = np.moveaxis(np.array(sides), 2, 0)
    return Theorem53Result(norms, m, value, bound, *found, residuals, samples, reps, noise)


def _signs(m: int) -> Array:
    """Coefficients of the squares: 1, −1, 1, −1, …"""
    return np.resize([1.0, -1.0], m)


def _sample(X: Array, y: Array, norms: Array) -> list[float]:
    """S/ε² in one sample, for each norm."""
    from ..models.basis import BasisRegression

    model = BasisRegression(builtin.Powers(2), fit_intercept=False).fit(X, y)
    return [float(aif(model, X, y, p=p).sensitivity_coefficient) for p in norms]


def _sides(X: Array, p: float, mean_abs_residual: float) -> tuple[float, float]:
    """The theorem's first line and its bound."""
    m = X.shape[1]
    moments = theory.basis_moments(builtin.Powers(2), np.append(np.ones(m), _signs(m)), X, p)
    value = theory.basis_sensitivity(moments, mean_abs_residual)
    return value, theory.basis_sensitivity_bound(moments, mean_abs_residual)


def _mean_abs_residual(X: Array, m: int, sigma_noise: float) -> float:
    """E|η| of the model of the first m features; the mean over the noise is exact."""
    from scipy.special import erf

    rest = X[:, m:]
    mean = rest.sum(axis=1) + rest**2 @ _signs(rest.shape[1])
    u = mean / (np.sqrt(2.0) * sigma_noise)
    folded = sigma_noise * np.sqrt(2.0 / np.pi) * np.exp(-u * u) + mean * erf(u)
    return float(folded.mean())


def plot_theorem_5_3(result: Theorem53Result, figure: Any = None) -> Any:
    """Draw S/ε² of basis models and its bound on logarithmic axes, a panel for each p.

    Arguments, result and errors are as in `plot_figure1`.
    """
    panels = len(result.p)
    figure = new_figure(figure, 2.2 + 2.5 * panels, 4.4)
    axes = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
    for row, ax in enumerate(axes):
        m = result.n_features
        ax.plot(m, result.bound[row], "^--", color=GREEN, markersize=4, label="bound")
        ax.plot(m, result.sensitivity[row], color=BLUE, label="theory")
        points(ax, m, result.mean[row], result.standard_error[row], ORANGE, "o", "samples")
        ax.set(yscale="log", xticks=m)
        mark_steps(ax, float(np.min(result.sensitivity)), float(np.max(result.bound)))
        ax.set_title(f"p = {text.norm_name(float(result.p[row]))}", fontsize="medium")
        ax.grid(alpha=0.3)
    axes[0].set_ylabel(SENSITIVITY)
    axes[0].legend(fontsize="small")
    figure.supxlabel(FEATURES, fontsize="medium")
    figure.suptitle(
        f"Least squares on (x, x²), n = {result.n_samples}   "
        f"(samples: mean ± 2 s.e. of {result.n_repetitions})"
    )
    return figure
