"""Theorem 5.2: linear regression's sensitivity against the number of its features."""

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

DESIGNS = ("gaussian", "signs")


@dataclass(frozen=True, eq=False)
class Theorem52Result(Experiment):
    """S/ε² by Theorem 5.2 and in samples, for two designs.

    Attributes
    ----------
    designs : tuple of str
        "gaussian": normal features and noise; "signs": features ±σx, Laplace noise.
    n_features : array (k,)
    closed_form : array (2, k)
        A row for each design, for the loss (f − y)².
    in_sample : array (2, k)
        `closed_form` and the leading term of what a sample of n adds to it.
    mean, standard_error : array (2, k)
        Of the samples' S/ε².
    n_samples, n_repetitions : int
    sigma_x, sigma_noise : float
    """


    designs: tuple[str, ...]
    n_features: Array
    closed_form: Array
    in_sample: Array
    mean: Array
    standard_error: Array
    n_samples: int
    n_repetitions: int
    sigma_x: float
    sigma_noise: float

    def to_frame(self) -> pd.DataFrame:
        """A row for each design and m.

        Columns: design, n_features, closed_form, in_sample, mean, standard_error.
        """
        import pandas as pd

        columns = {
            "design": np.repeat(self.designs, len(self.n_features)),
            "n_features": np.tile(self.n_features, len(self.designs)),
        }
        values = ("closed_form", "in_sample", "mean", "standard_error")
        return pd.DataFrame(columns | {name: getattr(self, name).ravel() for name in values})

    def summary(self) -> str:
        """The table as text, at most 80 columns wide."""
        head = (
            f"Theorem 5.2: linear regression, n = {self.n_samples}, {self.n_repetitions} "
            "repetitions, p = 2"
        )
        notes = [
            "S/eps^2 for the loss (f - y)^2; gaussian: normal features and noise; signs:",
            "features of +-sigma_x, Laplace noise. in_sample adds the leading term in 1/n.",
        ]
        return _simulation.text(head, self.to_frame(), notes)

    def _draw(self, figure: Any) -> Any:
        return plot_theorem_5_2(self, figure)


def theorem_5_2(
    n_features: Any = (1, 2, 3, 5, 8, 12, 16, 20),
    n_samples: int = 10_000,
    n_repetitions: int = 50,
    sigma_x: float = 1.0,
    sigma_noise: float = 1.0,
    random_state: Any = 0,
    progress: bool = True,
) -> Theorem52Result:
    """Theorem 5.2 beside the influence in samples, for p = 2.

    y = βᵀx + η with ‖β‖₂ = 1, fitted without an intercept to all m features of x, which are
    uncorrelated with variance σx². Both designs have E‖x‖₂ and E|η| in closed form:
    σx √2 Γ((m+1)/2)/Γ(m/2) and ση √(2/π) for normal ones, σx √m and ση/√2 for signs with
    Laplace noise. In a sample of n, S/ε² exceeds the theorem's by s² m k/n with k = 1 − 2/π
    and 1 (from the signs of few residuals: E_n[sgn(r) x] is not zero).

    Parameters
    ----------
    n_features : increasing ints
        The m to try.
    n_samples : int, default 10000
    n_repetitions : int of at least 2, default 50
    sigma_x, sigma_noise : float above 0
        Standard deviations of each feature and of η.
    random_state : int, Generator or None, default 0
    progress : bool, default True
        Show a progress bar on stderr.

    Returns
    -------
    Theorem52Result

    Raises
    ------
    ValueError, TypeError
        For sizes or scales out of range.
    """
    samples = validation.count(n_samples, "n_samples", 2)
    m = _simulation.feature_counts(n_features, most=samples - 1)
    reps = _simulation.repetitions(n_repetitions)
    sd = _simulation.positive(sigma_x, "sigma_x")
    noise = _simulation.positive(sigma_noise, "sigma_noise")

    def work(rng: np.random.Generator) -> Array:
        return np.array([[_sample(rng, d, int(k), samples, sd, noise) for k in m] for d in DESIGNS])

    found = _simulation.repeat(work, reps, random_state, progress, "theorem 5.2")
    lengths = np.array([theory.gaussian_mean_norm(m, sd), sd * np.sqrt(m)])
    residuals = (noise * np.sqrt(2.0 / np.pi), noise / np.sqrt(2.0))
    closed = np.array(
        [
            [theory.linear_sensitivity(float(s), float(r), sd) for s in norms]
            for norms, r in zip(lengths, residuals, strict=True)
        ]
    )
    shares = np.array([[_simulation.NORMAL_SHARE], [_simulation.LAPLACE_SHARE]])
    in_sample = closed + _simulation.excess(lengths, 1.0, m, shares, samples)  # ‖β‖ = 1
    return Theorem52Result(DESIGNS, m, closed, in_sample, *found, samples, reps, sd, noise)


def _sample(
    rng: np.random.Generator, design: str, m: int, n: int, sigma_x: float, sigma_noise: float
) -> float:
    """S/ε² in one sample."""
    from ..models.linear import LinearRegression

    normal = design == "gaussian"
    X: Array = rng.standard_normal((n, m)) if normal else 2.0 * rng.integers(2, size=(n, m)) - 1.0
    noise = rng.standard_normal(n) if normal else rng.laplace(scale=np.sqrt(0.5), size=n)
    X *= sigma_x
    y = X @ np.full(m, 1.0 / np.sqrt(m)) + sigma_noise * noise
    return _simulation.coefficient(LinearRegression(fit_intercept=False), X, y)


def plot_theorem_5_2(result: Theorem52Result, figure: Any = None) -> Any:
    """Draw S/ε² of linear regression against the number of features, for both designs.

    Arguments, result and errors are as in `plot_figure1`.
    """
    figure = new_figure(figure, 6.4, 4.4)
    ax = figure.subplots()
    names = {"gaussian": "normal x and noise", "signs": r"x = $\pm\sigma_x$, Laplace noise"}
    for row, (design, color, mark) in enumerate(
        zip(result.designs, (BLUE, ORANGE), "os", strict=True)
    ):
        name = names[design]
        ax.plot(result.n_features, result.closed_form[row], color=color, label=f"{name}: theory")
        label = FINITE_LABEL if row == len(result.designs) - 1 else None
        ax.plot(result.n_features, result.in_sample[row], **FINITE, label=label)
        points(
            ax, result.n_features, result.mean[row], result.standard_error[row], color, mark,
            f"{name}: {BARS}",
        )  # fmt: skip
    ax.set(xlabel=FEATURES, ylabel=SENSITIVITY, ylim=(0.0, None), xticks=result.n_features)
    ax.set_title(
        f"Linear regression with ‖β‖ = 1, p = 2\nn = {result.n_samples}, "
        f"{result.n_repetitions} repetitions",
        fontsize="medium",
    )
    finish(ax)
    return figure
