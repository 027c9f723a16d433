"""Theorem 5.1: more capacity can mean more sensitivity, or less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import theory
from ..plotting.style import BLUE, ORANGE, SENSITIVITY, finish, new_figure, points
from ..reports import text
from ..utils import validation
from . import _simulation
from ._result import Experiment

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

_VALUES = ("linear", "linear_mean", "linear_se", "quadratic", "quadratic_mean", "quadratic_se")
_NORMS = (1, 2, np.inf)
_SAME = 1e-9


@dataclass(frozen=True, eq=False)
class Theorem51Result(Experiment):
    """S/ε² of linear (L) and quadratic (Q) regression against the truth's curvature.

    Attributes
    ----------
    beta1_norms : array (j,)
        ‖β₁‖₂: the slope of the truth.
    beta2_norms : array (k,)
        ‖β₂‖₂: its curvature.
    linear, quadratic : array (j, k)
        Theorem 5.1's two sides, for the loss (f − y)².
    linear_mean, linear_se, quadratic_mean, quadratic_se : array (j, k)
        Means of the samples' S/ε² and their standard errors.
    crossovers : array (j,)
        The last ‖β₂‖₂ in the range at which L becomes the more sensitive of the two; NaN
        where it never becomes so.
    n_features, n_samples, n_repetitions : int
    sigma_x, sigma_noise : float
    p : float
    """


    beta1_norms: Array
    beta2_norms: Array
    linear: Array
    linear_mean: Array
    linear_se: Array
    quadratic: Array
    quadratic_mean: Array
    quadratic_se: Array
    crossovers: Array
    n_features: int
    n_samples: int
    n_repetitions: int
    sigma_x: float
    sigma_noise: float
    p: float

    def to_frame(self) -> pd.DataFrame:
        """A row for each ‖β₁‖ and ‖β₂‖.

        Columns: beta1_norm, beta2_norm, linear, linear_mean, linear_se, quadratic,
        quadratic_mean, quadratic_se.
        """
        import pandas as pd

        columns = {
            "beta1_norm": np.repeat(self.beta1_norms, len(self.beta2_norms)),
            "beta2_norm": np.tile(self.beta2_norms, len(self.beta1_norms)),
        }
        return pd.DataFrame(columns | {name: getattr(self, name).ravel() for name in _VALUES})

    def summary(self) -> str:
        """The table as text, at most 80 columns wide."""
        head = (
            f"Theorem 5.1: linear (L), quadratic (Q) regression, m = {self.n_features}, "
            f"p = {text.norm_name(self.p)},\nn = {self.n_samples}, "
            f"{self.n_repetitions} repetitions"
        )
        frame = self.to_frame()
        frame.columns = ["|beta1|", "|beta2|", "L", "L mean", "L s.e.", "Q", "Q mean", "Q s.e."]
        notes = ["S/eps^2 for the loss (f - y)^2. Where L becomes the more sensitive:"]
        for slope, place in zip(self.beta1_norms, self.crossovers, strict=True):
            where = "no such place" if np.isnan(place) else f"|beta2| = {place:.4g}"
            notes.append(f"  |beta1| = {slope:g}: {where}")
        return _simulation.text(head, frame, notes)

    def _draw(self, figure: Any) -> Any:
        return plot_theorem_5_1(self, figure)


def theorem_5_1(
    beta1_norms: Any = (0.3, 2.0),
    beta2_norms: Any = None,
    n_features: int = 3,
    n_samples: int = 10_000,
    n_repetitions: int = 20,
    sigma_x: float = 1.0,
    sigma_noise: float = 1.0,
    p: float = 2.0,
    random_state: Any = 0,
    progress: bool = True,
) -> Theorem51Result:
    """Theorem 5.1: S(L) and S(Q) against ‖β₂‖, from theory and in samples.

    y = β₁ᵀx + (β₂ᵀx)² + ξ with normal x and ξ, β₁ ∝ (1, 1, …, 1), β₂ ∝ (1, −1, 0, …, 0), and
    both models without penalty and intercept. L's residual grows with ‖β₂‖ and its S with
    it, while Q fits the truth whatever ‖β₂‖ is. But Q's gradients turn with x, and where the
    noise is large beside the slope that makes Q the more sensitive at small ‖β₂‖: the
    default slopes are one of each kind.

    Parameters
    ----------
    beta1_norms : increasing floats above 0
    beta2_norms : increasing floats of at least 0, optional
        Default 17 values from 0 to 0.8.
    n_features : int of at least 2, default 3
        m.
    n_samples : int above Q's number of coefficients, default 10000
    n_repetitions : int of at least 2, default 20
    sigma_x, sigma_noise : float above 0
        Standard deviations of each feature and of ξ.
    p : {1, 2, inf}, default 2
        The attack's norm.
    random_state : int, Generator or None, default 0
    progress : bool, default True
        Show a progress bar on stderr.

    Returns
    -------
    Theorem51Result

    Raises
    ------
    ValueError, TypeError
        For sizes, norms or scales out of range.
    """
    m = validation.count(n_features, "n_features", 2)
    samples = validation.count(n_samples, "n_samples", m + m * (m + 1) // 2 + 1)
    reps = _simulation.repetitions(n_repetitions)
    sd = _simulation.positive(sigma_x, "sigma_x")
    noise = _simulation.positive(sigma_noise, "sigma_noise")
    slopes = _simulation.increasing(beta1_norms, "beta1_norms", low=0.0, strict=True)
    default = np.linspace(0.0, 0.8, 17) if beta2_norms is None else beta2_norms
    curves = _simulation.increasing(default, "beta2_norms", low=0.0)
    if p not in _NORMS:
        raise ValueError(f"p must be 1, 2 or inf, for which E‖x‖_p is known, but is {p!r}")
    first, second = np.full(m, m**-0.5), np.repeat([0.5**0.5, -(0.5**0.5), 0.0], [1, 1, m - 2])

    def sides(slope: float, curve: float) -> Array:
        return np.array(theory.quadratic_vs_linear(slope * first, curve * second, sd, noise, p=p))

    def work(rng: np.random.Generator) -> Array:
        X = sd * rng.standard_normal((samples, m))
        xi, line, square = noise * rng.standard_normal(samples), X @ first, (X @ second) ** 2
        return np.array(
            [[_both(X, b1 * line + b2**2 * square + xi, p) for b2 in curves] for b1 in slopes]
        )

    found = _simulation.repeat(work, reps, random_state, progress, "theorem 5.1")
    closed = np.array([[sides(b1, b2)[:2] for b2 in curves] for b1 in slopes])
    crossovers = np.array([_crossover(partial(sides, float(b1)), curves) for b1 in slopes])
    values = (array[..., side] for side in (0, 1) for array in (closed, *found))
    return Theorem51Result(
        **dict(zip(_VALUES, values, strict=True)), beta1_norms=slopes, beta2_norms=curves,
        crossovers=crossovers, n_features=m, n_samples=samples, n_repetitions=reps, sigma_x=sd,
        sigma_noise=noise, p=float(p),
    )  # fmt: skip


def _both(X: Array, y: Array, p: float) -> tuple[float, float]:
    """S/ε² of L and Q in one sample."""
    from ..models.basis import QuadraticRegression
    from ..models.linear import LinearRegression

    models = LinearRegression(fit_intercept=False), QuadraticRegression(0.0, fit_intercept=False)
    linear, quadratic = (_simulation.coefficient(model, X, y, p) for model in models)
    return linear, quadratic


def _crossover(sides: Callable[[float], Array], curves: Array) -> float:
    """The last place where S(Q) falls to S(L), or NaN."""
    from scipy.optimize import brentq

    def lead(curve: float) -> float:
        linear, quadratic = sides(curve)[:2]
        return float(linear / quadratic - 1.0)

    leads = np.array([lead(curve) for curve in curves])
    # Without curvature both are equal, up to the quadrature's error.
    falls = np.flatnonzero((leads[:-1] < -_SAME) & (leads[1:] >= 0))
    if not falls.size:
        return float("nan")
    return float(brentq(lead, curves[falls[-1]], curves[falls[-1] + 1]))


def plot_theorem_5_1(result: Theorem51Result, figure: Any = None) -> Any:
    """Draw S/ε² of linear and quadratic regression against ‖β₂‖, a panel for each ‖β₁‖.

    Arguments, result and errors are as in `plot_figure1`.
    """
    panels = len(result.beta1_norms)
    figure = new_figure(figure, 1.0 + 4.8 * panels, 4.4)
    axes = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
    for row, ax in enumerate(axes):
        for name, color, mark in (("linear", BLUE, "o"), ("quadratic", ORANGE, "s")):
            value, mean, error = (
                getattr(result, name + part)[row] for part in ("", "_mean", "_se")
            )
            ax.plot(result.beta2_norms, value, color=color, label=f"{name} model, theory")
            points(ax, result.beta2_norms, mean, error, color, mark, f"{name} model, samples")
        if not np.isnan(result.crossovers[row]):
            ax.axvline(
                result.crossovers[row], color="0.6", linestyle=":",
                label=f"equal at ‖β₂‖ = {result.crossovers[row]:.3g}",
            )  # fmt: skip
        ax.set_xlabel("curvature of the truth, ‖β₂‖₂")
        ax.set_title(f"slope ‖β₁‖₂ = {result.beta1_norms[row]:g}", fontsize="medium")
        finish(ax)
    axes[0].set_ylabel(SENSITIVITY)
    figure.suptitle(
        f"y = β₁ᵀx + (β₂ᵀx)² + ξ, m = {result.n_features}, p = {text.norm_name(result.p)}, "
        f"n = {result.n_samples}   (samples: mean ± 2 s.e. of {result.n_repetitions})"
    )
    return figure
