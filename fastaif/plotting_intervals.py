"""The figure of the intervals' coverage."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from .plotting.results import _new_figure
from .plotting_experiments import _BLUE, _ORANGE, _finish
from .reports import text

if TYPE_CHECKING:
    from .experiments import CoverageResult

_LABELS = {"bootstrap": "Bayesian bootstrap", "clt": "Remark 2 (clt)"}


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
    figure = _new_figure(figure, 9.0, 4.4)
    left, right = figure.subplots(1, 2)
    place = np.arange(len(result.names), dtype=float)
    z = NormalDist().inv_cdf(0.5 + 0.5 * result.level)
    lower, upper = score_interval(result.coverage, result.n_repetitions)
    for row, method in enumerate(result.methods):
        style = {"color": (_BLUE, _ORANGE)[row], "label": _LABELS[method]}
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
        _finish(ax, "lower right")
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
