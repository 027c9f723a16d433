"""The figure of attacks whose budget samples share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .plotting.results import _EPS_LABEL, _new_figure
from .plotting_experiments import _BLUE, _ORANGE, _finish
from .reports import text

if TYPE_CHECKING:
    from .experiments import WassersteinResult

Array = NDArray[Any]

_RELATIVE = r"relative error of $I$"
_SHOWN = (1.0, 2.0, np.inf)


def plot_wasserstein(result: WassersteinResult, figure: Any = None) -> Any:
    """Draw both formulas' errors and the influence itself against the order u.

    Three panels: the relative errors at the smallest ε; those of u = 1, 2 and ∞ against ε
    (theory: slope 1); ‖I‖ and the largest share of a single sample in what the attack gains.

    Parameters
    ----------
    result : WassersteinResult
        Of `fastaif.experiments.wasserstein`.
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
    figure = _new_figure(figure, 13.0, 4.4)
    first, second, third = figure.subplots(1, 3)
    # Evenly spaced names: orders crowd near 1, and the last is infinite.
    places, names = np.arange(len(result.orders)), [text.norm_name(u) for u in result.orders]
    smallest = int(np.argmin(result.eps))
    first.semilogy(places, result.error[:, smallest], "o-", color=_BLUE, label="corrected")
    finite = np.isfinite(result.orders)  # at u = inf there is one formula only
    first.semilogy(
        places[finite], result.error_paper[finite, smallest], "s--", color=_ORANGE,
        label="as printed",
    )  # fmt: skip
    first.set(ylabel=f"{_RELATIVE} at ε = {result.eps[smallest]:g}")
    first.set_title("Theorem 6.1, corrected and as printed", fontsize="medium")
    for order, mark in zip(_SHOWN, "os^", strict=True):
        for k in np.flatnonzero(result.orders == order):
            label = f"u = {text.norm_name(order)}"
            second.loglog(result.eps, result.error[k], f"{mark}-", color=_BLUE, label=label)
            if np.isfinite(order):
                second.loglog(
                    result.eps, result.error_paper[k], f"{mark}--", color=_ORANGE,
                    label=f"{label}, as printed", markerfacecolor="none",
                )  # fmt: skip
    second.set(xlabel=_EPS_LABEL, ylabel=_RELATIVE)
    second.set_title("Against ε (theory: slope 1)", fontsize="medium")
    third.plot(places, result.influence_norm, "o-", color=_BLUE, label=r"$\|I\,\|_2$")
    third.set(ylabel=r"$\|I\,\|_2$   (units of θ)", ylim=(0.0, None))
    other = third.twinx()
    other.plot(places, result.largest_share, "s--", color="0.5")
    other.set(ylabel="largest share of a sample in the gain (dashed)", ylim=(0.0, 1.05))
    third.set_title("The influence, and who is attacked", fontsize="medium")
    for ax in (first, third):
        ax.set_xticks(places, names)
        ax.set_xlabel("order u")
    for ax in (first, second):
        _finish(ax, loc="best")
    figure.suptitle(
        f"Budgets shared by samples: linear regression, n = {result.n_samples}, "
        f"p = {text.norm_name(result.p)}"
    )
    return figure
