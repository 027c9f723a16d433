"""How often intervals of the influence cover: the bootstrap's and Remark 2's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..api.aif import aif
from ..data.blas import single_threaded_blas
from ..norms import dual_direction, lp_norm
from ..plotting.style import BLUE, ORANGE, finish, new_figure
from ..reports import text
from ..utils import validation
from ._figure1 import COEFFICIENTS, NOISE
from ._result import Experiment

if TYPE_CHECKING:
    import pandas as pd

    from ..influence.result import InfluenceResult

Array = NDArray[Any]

_LABELS = {"bootstrap": "Bayesian bootstrap", "clt": "Remark 2 (clt)"}

METHODS = ("bootstrap", "clt")
_COEFFICIENT = "S/eps^2"


@dataclass(frozen=True, eq=False)
class CoverageResult(Experiment):
    """The share of samples whose intervals cover what is true of the population.

    Attributes
    ----------
    names : tuple of str, length 3
        The two coefficients' influences, and "S/eps^2" for the sensitivity coefficient.
    methods : tuple of str, length 2
        "bootstrap" and "clt".
    truth : array (3,)
        In the population.
    mean, scatter : array (3,)
        Of the samples' estimates: mean and standard deviation.
    coverage : array (2, 3)
        By method: the share of intervals that hold the truth.
    standard_error : array (2, 3)
        Of these shares, for the number of repetitions.
    half_width : array (2, 3)
        Mean half-lengths of the intervals.
    level : float
        The nominal coverage.
    n_samples, n_repetitions, n_draws : int
    p : float
        The attack's norm.
    """


    names: tuple[str, ...]
    methods: tuple[str, ...]
    truth: Array
    mean: Array
    scatter: Array
    coverage: Array
    standard_error: Array
    half_width: Array
    level: float
    n_samples: int
    n_repetitions: int
    n_draws: int
    p: float

    def to_frame(self) -> pd.DataFrame:
        """A row for each method and quantity.

        Columns: method, name, truth, mean, scatter, half_width, coverage, standard_error.
        """
        import pandas as pd

        k = len(self.methods)
        columns: dict[str, Any] = {
            "method": np.repeat(self.methods, len(self.names)),
            "name": np.tile(self.names, k),
        }
        columns |= {name: np.tile(getattr(self, name), k) for name in ("truth", "mean", "scatter")}
        columns |= {
            name: getattr(self, name).ravel()
            for name in ("half_width", "coverage", "standard_error")
        }
        return pd.DataFrame(columns)

    def summary(self) -> str:
        """The table as text, at most 80 columns wide."""
        head = (
            f"Coverage at {self.level:.4g}: Figure 1's model, n = {self.n_samples}, "
            f"p = {text.norm_name(self.p)},\n"
            f"{self.n_repetitions} samples, {self.n_draws} draws each"
        )
        frame = self.to_frame().rename(columns={"standard_error": "s.e."})
        table = frame.to_string(index=False, float_format="{:.4f}".format)
        notes = [
            "truth is the population's; mean and scatter (s.d.) are the samples' estimates'.",
            "clt is Remark 2's normal limit, which takes the fit as given.",
            "S/eps^2 is a square: in samples it lies above the population's.",
        ]
        return "\n".join([head, "", table, "", *notes])

    def _draw(self, figure: Any) -> Any:
        return plot_coverage(self, figure)


def coverage(
    n_samples: int = 500,
    n_repetitions: int = 1000,
    n_draws: int = 200,
    level: float = 0.95,
    p: float = 2.0,
    random_state: Any = 0,
    progress: bool = True,
) -> CoverageResult:
    """Measure the coverage of `InfluenceResult.conf_int` on Figure 1's model.

    x ~ N(0, I₂), y = 2 x₁ − 3.4 x₂ + 0.1 z and least squares without an intercept, whose
    influence in the population is ``I = −s E|0.1 z| φ(β)`` with s = E‖x‖_p, and S/ε² = ‖I‖²,
    for the covariance of x is the identity. In samples ‖β‖_q E_n[sgn(r) x], which is zero in
    the population, makes most of I's scatter.

    Parameters
    ----------
    n_samples : int of at least 3, default 500
    n_repetitions : int of at least 2, default 1000
        Samples.
    n_draws : int of at least 2, default 200
        Of the bootstrap, in each sample.
    level : float in (0, 1), default 0.95
    p : float in [1, inf], default 2
        The attack's norm.
    random_state : int, Generator or None, default 0
    progress : bool, default True
        Show a progress bar on stderr.

    Returns
    -------
    CoverageResult

    Raises
    ------
    ValueError, TypeError
        For sizes, a level or a norm out of range.
    """
    from tqdm import tqdm

    n = validation.count(n_samples, "n_samples", 3)
    reps = validation.count(n_repetitions, "n_repetitions", 2)
    draws = validation.count(n_draws, "n_draws", 2)
    p = validation.number(p, "p", low=1.0, infinite=True)
    truth = population_influence(p)
    truth = np.append(truth, truth @ truth)
    streams = np.random.SeedSequence(validation.seed(random_state)).spawn(reps)
    bar = tqdm(streams, desc="coverage", unit="sample", disable=not progress, leave=False)
    estimate = partial(_estimates, n=n, draws=draws, level=level, p=p)
    with single_threaded_blas():
        found = np.array([estimate(np.random.default_rng(stream)) for stream in bar])
    values, ends = found[:, 0, :, 0], found[:, 1:]
    covered = (ends[..., 0] <= truth) & (truth <= ends[..., 1])
    share = covered.mean(axis=0)
    return CoverageResult(
        names=("x0", "x1", _COEFFICIENT),
        methods=METHODS,
        truth=truth,
        mean=values.mean(axis=0),
        scatter=values.std(axis=0, ddof=1),
        coverage=share,
        standard_error=np.sqrt(share * (1.0 - share) / reps),
        half_width=0.5 * (ends[..., 1] - ends[..., 0]).mean(axis=0),
        level=float(level),
        n_samples=n,
        n_repetitions=reps,
        n_draws=draws,
        p=p,
    )


def population_influence(p: float) -> Array:
    """I of Figure 1's model for infinitely many samples, shape (2,)."""
    beta = np.array(COEFFICIENTS)
    return -_mean_norm(p) * NOISE * np.sqrt(2.0 / np.pi) * dual_direction(beta, p)


def _mean_norm(p: float) -> float:
    """E‖x‖_p for x ~ N(0, I₂): E‖x‖₂ times the mean of ‖·‖_p over the unit circle."""
    from scipy.integrate import quad

    # An eighth of the circle: ‖·‖_p is smooth there for every p.
    mean, _ = quad(
        lambda t: float(lp_norm(np.array([np.cos(t), np.sin(t)]), p)), 0.0, np.pi / 4,
        epsabs=0.0, epsrel=1e-12,
    )  # fmt: skip
    return float(np.sqrt(np.pi / 2) * mean / (np.pi / 4))


def _estimates(
    rng: np.random.Generator, *, n: int, draws: int, level: float, p: float
) -> Array:
    """The estimates (twice) and both methods' intervals in one sample, shape (3, 3, 2)."""
    from ..models.linear import LinearRegression

    X = rng.standard_normal((n, len(COEFFICIENTS)))
    y = X @ np.array(COEFFICIENTS) + NOISE * rng.standard_normal(n)
    result = aif(LinearRegression(fit_intercept=False).fit(X, y), X, y, p=p)
    values = np.append(result.influence, result.sensitivity_coefficient)
    options = {"level": level, "n_draws": draws, "random_state": int(rng.integers(2**31))}
    return np.stack(
        [np.stack([values, values], axis=-1)]
        + [_ends(result, method=method, **options) for method in METHODS]
    )


def _ends(result: InfluenceResult, **options: Any) -> Array:
    """Intervals of the influence and of the coefficient, (3, 2), from the same draws."""
    sensitivity = result.conf_int(**options, of="sensitivity_coefficient")
    return np.vstack([result.conf_int(**options), sensitivity])


def plot_coverage(result: CoverageResult, figure: Any = None) -> Any:
    """Draw measured coverage beside the nominal, and the intervals' lengths.

    Two panels: the share of intervals that cover, with its score interval at two standard errors
    (which stays within 0 and 1); and their mean half-length over z times the estimates' own
    standard deviation (1 is right).

    Parameters
    ----------
    result : CoverageResult
        Of `fastaif.experiments.coverage`.
    figure : matplotlib.figure.Figure, optional
        An empty figure to draw in; a new pyplot figure by default.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        matplotlib is not installed.
    """
    figure = new_figure(figure, 9.0, 4.4)
    left, right = figure.subplots(1, 2)
    place = np.arange(len(result.names), dtype=float)
    z = NormalDist().inv_cdf(0.5 + 0.5 * result.level)
    lower, upper = score_interval(result.coverage, result.n_repetitions)
    for row, method in enumerate(result.methods):
        style = {"color": (BLUE, ORANGE)[row], "label": _LABELS[method]}
        x = place + 0.16 * (row - 0.5)
        share = result.coverage[row]
        bars = np.maximum([share - lower[row], upper[row] - share], 0.0)  # but for rounding
        left.errorbar(x, share, bars, fmt="os"[row], capsize=3, **style)
        right.plot(x, result.half_width[row] / (z * result.scatter), "os"[row], **style)
    left.axhline(result.level, color="0.6", linestyle=":", label=f"nominal {result.level:.4g}")
    right.axhline(1.0, color="0.6", linestyle=":", label="as the estimates scatter")
    low = min(result.level, float(lower.min()))
    # Room for the legend below what is shown.
    left.set(ylabel="share of intervals that cover", ylim=(low - 0.4 * (1.01 - low), 1.01))
    right.set(ylabel="length of the intervals / what it should be", ylim=(0.0, None))
    for ax, title in ((left, "Coverage"), (right, "Length")):
        ax.set_xticks(place, [*result.names[:-1], r"$S/\varepsilon^2$"])
        ax.set(xlabel="influence on, or sensitivity", xlim=(-0.5, len(place) - 0.5))
        ax.set_title(title, fontsize="medium")
        finish(ax, "lower right")
    figure.suptitle(
        f"Intervals of the influence: n = {result.n_samples}, p = {text.norm_name(result.p)}, "
        f"{result.n_repetitions} samples, {result.n_draws} draws"
    )
    return figure


def score_interval(share: Any, n: int, z: float = 2.0) -> tuple[Any, Any]:
    """Wilson's interval of a share of n: the q with |share − q| ≤ z √(q (1 − q)/n)."""
    center = share + z**2 / (2.0 * n)
    reach = z * np.sqrt(share * (1.0 - share) / n + (z / (2.0 * n)) ** 2)
    return (center - reach) / (1.0 + z**2 / n), (center + reach) / (1.0 + z**2 / n)
