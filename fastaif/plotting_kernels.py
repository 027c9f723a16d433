"""Figures of the experiments on kernel regression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .plotting.results import _EPS_LABEL, _new_figure
from .plotting_experiments import _BLUE, _INFLUENCE_ERROR, _ORANGE, _SENSITIVITY, _finish
from .reports import text

if TYPE_CHECKING:
    from .experiments import Figure2bResult, NtkDepthResult

Array = NDArray[Any]

_SHOWN_ALPHAS = 3
_ALPHA_LABEL = "penalty α (for a kernel of depth 1; of others times their squared scale)"
_RKHS_LABEL = "penalty α (for a kernel of depth 1; of others times their scale)"


def plot_figure2b(result: Figure2bResult, figure: Any = None) -> Any:
    """Draw Figure 2(b) and its continuation to small ε.

    Two panels: the error of dθ/dε at the paper's ε, of every draw and on average; and the mean
    error at all ε on logarithmic axes, with its fitted slope (theory: 1). The title states
    the model and how robust fits were found.

    Parameters
    ----------
    result : Figure2bResult
        Of `fastaif.experiments.figure2b`.
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
    figure = _new_figure(figure, 10.0, 5.0)
    left, right = figure.subplots(1, 2)
    curve, small = result.paper, result.small
    for k, errors in enumerate(curve.error):
        label = "each draw" if k == 0 else None
        left.plot(curve.eps, errors, color="0.8", linewidth=0.8, label=label)
    left.errorbar(
        curve.eps, curve.mean, curve.sd, fmt="o-", color=_BLUE, markersize=5, capsize=3,
        label="mean ± standard deviation of a draw",
    )  # fmt: skip
    top = max(float(curve.error.max()), float(np.max(curve.mean + curve.sd)))
    # From zero, where the error tends; headroom for the legend.
    left.set(xlabel=_EPS_LABEL, ylabel=f"{_INFLUENCE_ERROR}   (units of θ)", ylim=(0.0, 1.3 * top))
    left.set_title("Error of the influence", fontsize="medium")
    label = f"small ε: slope {result.slope:.3f}"
    right.loglog(small.eps, small.mean, "s-", color=_BLUE, markersize=5, label=label)
    right.loglog(curve.eps, curve.mean, "o-", color=_ORANGE, markersize=4, label="the paper's ε")
    typical = float(np.mean(result.influence_norm))
    right.axhline(typical, color="0.6", linestyle=":", label=r"mean of $\|I\,\|_2$")
    right.set(xlabel=_EPS_LABEL, ylabel=f"mean {_INFLUENCE_ERROR}")
    right.set_title("Down to small ε (theory: slope 1)", fontsize="medium")
    _finish(left, loc="upper left")
    _finish(right, loc="lower right")
    figure.suptitle(f"Parity of MNIST digits: {result.setting}", fontsize="medium")
    return figure


def plot_ntk_depth(result: NtkDepthResult, figure: Any = None) -> Any:
    """Draw sensitivities of neural tangent kernels over depth and penalty.

    Four panels: S/ε² against α, matched to the kernels' scale, for each depth; S/ε² against
    depth at a few α, matched and fixed; S/ε² against the held-out loss as α varies; and the
    predicted change of the held-out loss against α. Arguments, result and errors are as in
    `plot_figure2b`.
    """
    figure = _new_figure(figure, 12.0, 9.4)
    panels = figure.subplots(2, 2)
    _draw_against_alpha(panels[0, 0], result)
    _draw_against_depth(panels[0, 1], result)
    _draw_trade_off(panels[1, 0], result)
    _draw_held_out(panels[1, 1], result)
    layer = "trained" if result.output_layers[0] else "frozen"
    figure.suptitle(
        f"NTK regression of the parity of MNIST digits, n = {result.n_samples}, "
        f"p = {text.norm_name(result.p)}, {result.penalty} penalty: means of "
        f"{result.n_repetitions} draws\nThe output layer is {layer} unless stated; bands are "
        "± 2 standard errors; held-out digits: "
        f"{result.n_held_out}",
        fontsize="medium",
    )
    return figure


def _colors(count: int) -> list[Any]:
    """From dark to light, but never so light that it vanishes."""
    import matplotlib

    return list(matplotlib.colormaps["viridis"](np.linspace(0.0, 0.88, count)))


def _band(ax: Any, x: Array, mean: Array, error: Array, **line: Any) -> None:
    ax.plot(x, mean, **line)
    low = mean - 2.0 * error
    if ax.get_yscale() == "log":
        low = np.maximum(low, 0.1 * mean)
    ax.fill_between(x, low, mean + 2.0 * error, color=line["color"], alpha=0.15, linewidth=0)


def _draw_against_alpha(ax: Any, result: NtkDepthResult) -> None:
    ax.set(xscale="log", yscale="log", xlabel=_alpha_label(result), ylabel=_SENSITIVITY)
    for j, (depth, color) in enumerate(
        zip(result.depths, _colors(len(result.depths)), strict=True)
    ):
        mean, error = result.sensitivity[0, 0, j], result.sensitivity_se[0, 0, j]
        _band(ax, result.alphas, mean, error, color=color, label=f"depth {depth}")
        for other in result.sensitivity[0, 1:, j]:
            ax.plot(result.alphas, other, "--", color=color, linewidth=0.9)
    if len(result.output_layers) > 1:
        state = "trained" if result.output_layers[1] else "frozen"
        ax.plot([], [], "--", color="0.3", linewidth=0.9, label=f"output layer {state}")
    ax.set_title("Same relative regularisation", fontsize="medium")
    _finish(ax, loc="lower left")


def _draw_against_depth(ax: Any, result: NtkDepthResult) -> None:
    """At a few α that span the grid without its ends."""
    ax.set(yscale="log", xlabel="depth of the NTK, L (hidden layers)", ylabel=_SENSITIVITY)
    count = min(_SHOWN_ALPHAS, len(result.alphas))
    shown = np.unique(np.linspace(0, len(result.alphas) - 1, count + 2)[1:-1].round().astype(int))
    for k, (column, mark) in enumerate(zip(shown, "os^", strict=False)):
        for row, style, name in ((0, "-", "matched"), (1, "--", "fixed")):
            ax.plot(
                result.depths, result.sensitivity[row, 0, :, column], mark + style, color=f"C{k}",
                markersize=5, label=f"α = {result.alphas[column]:.1g}, {name}",
            )  # fmt: skip
    low, high = ax.get_ylim()
    ax.set(xticks=result.depths, ylim=(low, high * (high / low) ** 0.3))  # headroom
    ax.set_title("Matched to the kernel's scale, or the same α for all", fontsize="medium")
    _finish(ax)
    ax.legend(
        fontsize="small", loc="upper center", ncols=len(shown), columnspacing=1.0,
        handlelength=1.6,
    )  # fmt: skip


def _draw_trade_off(ax: Any, result: NtkDepthResult) -> None:
    ax.set(
        yscale="log", ylabel=_SENSITIVITY,
        xlabel=r"held-out loss of the natural fit, E $(f - y)^2$, as α varies",
    )  # fmt: skip
    colors = _colors(len(result.depths))
    for j, (depth, color) in enumerate(zip(result.depths, colors, strict=True)):
        loss, sensitivity = result.held_out_loss[0, 0, j], result.sensitivity[0, 0, j]
        ax.plot(loss, sensitivity, "o-", color=color, markersize=3, label=f"depth {depth}")
    ax.set_title("Sensitivity and accuracy together", fontsize="medium")
    _finish(ax)


def _draw_held_out(ax: Any, result: NtkDepthResult) -> None:
    ax.set(
        xscale="log", xlabel=_alpha_label(result),
        ylabel=f"predicted change of the held-out loss at ε = {result.eps:g}",
    )  # fmt: skip
    ax.axhline(0.0, color="black", linewidth=0.8)
    colors = _colors(len(result.depths))
    for j, (depth, color) in enumerate(zip(result.depths, colors, strict=True)):
        mean, error = result.held_out_change[0, 0, j], result.held_out_change_se[0, 0, j]
        _band(ax, result.alphas, mean, error, color=color, label=f"depth {depth}")
    ax.set_title("Other digits: below 0 robust training helps", fontsize="medium")
    _finish(ax)


def _alpha_label(result: NtkDepthResult) -> str:
    return _ALPHA_LABEL if result.penalty == "l2" else _RKHS_LABEL
