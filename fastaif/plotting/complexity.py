"""The figure of a complexity curve: clean loss and sensitivity against capacity."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..utils.short_names import short_name
from .style import new_figure

Array = NDArray[Any]

_MOST_NAMES = 12
_LONGEST_NAME = 26
_LEAST_GAP = 0.05  # between two names, as a share of the axis
_CHARACTERS = 60  # of a tick's size, along the axis
_LOG_RANGE = 50.0
_COLORS = ("#dd8452", "#c44e52", "#8172b3", "#937860", "#64b5cd", "#da8bc3")
_CLEAN = "#4c72b0"
_MARKS = "so^vDP"


class Curve(Protocol):
    """What is drawn of a `ComplexityCurve`."""

    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def complexity(self) -> Array: ...
    @property
    def n_params(self) -> Array: ...
    @property
    def eps(self) -> Array: ...
    @property
    def loss(self) -> Array: ...
    @property
    def loss_sd(self) -> Array: ...
    @property
    def sensitivity(self) -> Array: ...
    @property
    def sensitivity_sd(self) -> Array: ...
    @property
    def n_folds(self) -> int: ...
    @property
    def expansion(self) -> str: ...


def plot_complexity(curve: Curve, figure: Any = None) -> Any:
    """Draw clean loss, loss + S_ε and S_ε (eq. 4) against the complexity of the models.

    Bars are standard deviations between folds. Models of equal complexity would hide one
    another: where there are any, all stand side by side, by name.

    Parameters
    ----------
    curve : ComplexityCurve
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
    figure = new_figure(figure, 11.0, 4.8)
    left, right = figure.subplots(1, 2)
    order = np.argsort(curve.complexity, kind="stable")
    by_name = np.unique(curve.complexity).size < order.size
    places = np.arange(order.size, dtype=float) if by_name else curve.complexity[order]
    _draw_losses(left, curve, order, places)
    _draw_sensitivities(right, curve, order, places)
    for ax in (left, right):
        ax.grid(alpha=0.3)
        ax.set_axisbelow(True)
        ax.legend(fontsize="small")
        if by_name:
            _name_ticks(ax, curve, order)
        else:
            _number_axis(ax, curve, order)
    return figure


def _draw_losses(ax: Any, curve: Curve, order: Array, x: Array) -> None:
    loss = curve.loss[order]
    _bars(ax, x, loss, curve.loss_sd[order], _CLEAN)
    spread = " ± sd between folds" if np.isfinite(curve.loss_sd).any() else ""
    ax.plot(x, loss, "o-", color=_CLEAN, zorder=4, label=f"clean loss{spread}")
    for j, eps in _shown(curve):
        total = loss + curve.sensitivity[order, j]
        ax.plot(x, total, _mark(j) + "--", color=_color(j), label=f"clean loss + S, ε = {eps:g}")
    where = f"mean of {curve.n_folds} held-out folds" if curve.n_folds else "training data"
    ax.set_ylabel(f"loss (units of the loss; {where})")
    title = "Clean loss, and with its sensitivity"
    if _capped(ax, curve):
        title += " (the highest are left out)"
    ax.set_title(title, fontsize="medium")


def _capped(ax: Any, curve: Curve) -> bool:
    """Cut off what is so high that the clean losses would look alike; whether anything was."""
    spread = np.nan_to_num(curve.loss_sd)
    low, high = np.min(curve.loss - spread), np.max(curve.loss + spread)
    span = max(high - low, 0.05 * abs(high))
    if np.max(curve.loss[:, None] + curve.sensitivity) <= high + 3.0 * span:
        return False
    ax.set_ylim(low - 0.1 * span, high + 1.5 * span)
    return True


def _draw_sensitivities(ax: Any, curve: Curve, order: Array, x: Array) -> None:
    drawn = [j for j, _ in _shown(curve)]
    for j, eps in _shown(curve):
        cost = curve.sensitivity[order, j]
        _bars(ax, x, cost, curve.sensitivity_sd[order, j], _color(j))
        ax.plot(x, cost, _mark(j) + "-", color=_color(j), label=f"ε = {eps:g}")
    values = curve.sensitivity[:, drawn]
    if np.min(values, initial=np.inf) > 0:
        # Bars longer than their value end below any axis: these limits are the points'.
        ax.set_yscale("log", nonpositive="clip")
        ax.set_ylim(values.min() / 3.0, values.max() * 3.0)
    formula = r"$\varepsilon^2 I^\top H_{\mathrm{e}} I\,/\,2$"
    slope = r" + $\varepsilon\, g_{\mathrm{e}}^\top I$" if curve.expansion == "taylor" else ""
    ax.set_ylabel(f"sensitivity S = {formula}{slope}  (units of the loss)")
    ax.set_title("Predicted cost of robust training", fontsize="medium")


def _shown(curve: Curve) -> list[tuple[int, float]]:
    """The ε to draw: not 0, where S = 0, and no more than there are colours."""
    drawn = [(j, float(e)) for j, e in enumerate(curve.eps) if e > 0]
    keep = np.unique(np.linspace(0, len(drawn) - 1, min(len(drawn), len(_COLORS))).round())
    return [drawn[int(k)] for k in keep]


def _color(j: int) -> str:
    return _COLORS[j % len(_COLORS)]


def _mark(j: int) -> str:
    return _MARKS[j % len(_MARKS)]


def _bars(ax: Any, x: Array, y: Array, spread: Array, color: str) -> None:
    """Standard deviations, fainter than the points; none where they are NaN."""
    ax.errorbar(x, y, spread, fmt="none", ecolor=(color, 0.45), capsize=3)


def _name_ticks(ax: Any, curve: Curve, order: Array) -> None:
    names = [short_name(curve.labels[k], _LONGEST_NAME) for k in order]
    ax.set_xticks(np.arange(len(names)), names, rotation=30, ha="right", fontsize="small")
    ax.margins(x=0.08)


def _number_axis(ax: Any, curve: Curve, order: Array) -> None:
    """A numeric axis, with the models' names above it where there is room."""
    x = curve.complexity[order]
    is_count = np.array_equal(curve.complexity, curve.n_params)
    ax.set_xlabel("number of parameters d" if is_count else "complexity")
    log = x[0] > 0 and x[-1] > _LOG_RANGE * x[0]
    if log:
        ax.set_xscale("log")
    at = np.log(x) if log else x
    if len(x) > _MOST_NAMES or np.min(np.diff(at), initial=np.inf) < _LEAST_GAP * np.ptp(at):
        return
    names = [short_name(curve.labels[k], _LONGEST_NAME) for k in order]
    above = ax.secondary_xaxis("top")
    above.set_xticks(x, names)
    above.set_xticks([], minor=True)
    above.tick_params(labelsize="small", length=3)
    if max(map(len, names)) > _CHARACTERS * np.min(np.diff(at), initial=np.inf) / np.ptp(at):
        for label in above.get_xticklabels():
            label.set(rotation=30, ha="left", rotation_mode="anchor")
