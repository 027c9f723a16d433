"""Figures of robust paths. matplotlib is optional: ``pip install matplotlib``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..reports.protocols import Traced
from ..utils.short_names import short_name
from .style import BLUE, EPS_LABEL, GREEN, LONGEST_NAME, ORANGE, finish, new_figure

Array = NDArray[Any]

_MOST_LINES = 10
_TANGENT_LENGTH = 0.15  # of the range
_LABELS = 6  # ε named along a frontier
_TANGENT = {"color": "0.45", "linestyle": "--", "linewidth": 1.0}


def plot_frontier(path: Traced, ax: Any = None, label: str | None = None) -> Any:
    """Clean loss against the loss under attack of the last node's size, with ε along the curve."""
    ax = _axes(ax)
    size = float(path.eps[-1])
    clean, attacked = path.clean_loss(path.eps), path.adversarial_loss(path.eps, size)
    named = _spread(clean, attacked)
    color = BLUE if label is None else None  # of several frontiers each has the next one
    ax.plot(clean, attacked, "o-", color=color, markersize=4, markevery=named, label=label)
    if label is not None:
        ax.legend(fontsize="small")
    for k in named if label is None else named[-1:]:  # labels of several would lie on each other
        ax.annotate(
            f"ε = {path.eps[k]:.3g}", (clean[k], attacked[k]), (5, 5), textcoords="offset points",
            fontsize="small",
        )  # fmt: skip
    ax.margins(x=0.12, y=0.1)
    ax.set_xlabel("clean loss")
    ax.set_ylabel(f"loss under attack at ε = {size:.3g}")
    ax.set_title("What robustness costs", fontsize="medium")
    ax.grid(alpha=0.3)
    ax.set_axisbelow(True)
    return ax


def plot_coefficients(path: Traced, ax: Any = None) -> Any:
    """Coefficients against ε (at most ten that change most), with their tangents at 0."""
    ax = _axes(ax, 8.0)
    m, params = path.problem.model.n_coefs, path.params
    chosen = np.argsort(-np.ptp(params[:, :m], axis=0), kind="stable")[:_MOST_LINES]
    tangents = path.influence_at(0.0)
    low, high = float(params[:, :m].min()), float(params[:, :m].max())
    margin = 0.08 * (high - low)
    for k in chosen:
        (line,) = ax.plot(path.eps, params[:, k], label=short_name(path.names[k], LONGEST_NAME))
        t = np.array([0.0, _TANGENT_LENGTH * path.eps[-1]])
        y = params[0, k] + t * tangents[k]
        ax.plot(t, y, color=line.get_color(), linestyle=":", linewidth=1.2)
    ax.set_ylim(low - margin, high + margin)
    ax.plot([], [], color="0.45", linestyle=":", label="tangent at ε = 0")
    _mark_zero_radius(path, ax)
    ax.axhline(0.0, color="black", linewidth=0.8)
    ax.set_xlabel(EPS_LABEL)
    ax.set_ylabel("coefficient")
    ax.set_title("Coefficients along the robust path", fontsize="medium")
    ax.grid(alpha=0.3)
    ax.set_axisbelow(True)
    ax.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.01, 1.0))
    return ax


def plot_loss(path: Traced, ax: Any = None) -> Any:
    """Clean and adversarial loss against ε, with eq. 4's parabola."""
    ax = _axes(ax)
    clean, attacked = path.clean_loss(path.eps), path.adversarial_loss(path.eps)
    unmoved = np.array([path.adversarial_loss(0.0, float(e)) for e in path.eps])
    ax.plot(path.eps, clean, color=ORANGE, label="clean loss")
    ax.plot(path.eps, attacked, color=GREEN, label="loss under attack, trained against it")
    ax.plot(path.eps, unmoved, color=GREEN, linestyle="-.", label="loss under attack, untrained")
    line = np.linspace(0.0, path.eps[-1], 200)
    top = float(attacked.max()) + 0.6 * float(np.ptp(attacked))
    parabola = clean[0] + line**2 * path.tangent_cost
    shown = parabola <= top
    ax.plot(line[shown], parabola[shown], label="clean loss by eq. 4", **_TANGENT)
    span = top - float(clean.min())
    ax.set_ylim(float(clean.min()) - 0.05 * span, top)
    _mark_zero_radius(path, ax)
    ax.set_xlabel(EPS_LABEL)
    ax.set_ylabel("mean loss")
    ax.set_title("Robust training at every ε", fontsize="medium")
    finish(ax)
    return ax


KINDS: dict[str, Callable[..., Any]] = {
    "frontier": plot_frontier, "coefficients": plot_coefficients, "loss": plot_loss,
}  # fmt: skip


def _axes(ax: Any, width: float = 6.4) -> Any:
    return new_figure(None, width, 4.6).subplots() if ax is None else ax


def _mark_zero_radius(path: Traced, ax: Any) -> None:
    if 0.0 < path.zero_radius <= path.eps[-1]:
        label = f"zero radius {path.zero_radius:.3g}"
        ax.axvline(path.zero_radius, color="0.6", linestyle=":", linewidth=0.8, label=label)


def _spread(x: Array, y: Array) -> list[int]:
    """Nodes at about even distances along a curve, the ends included."""
    width, height = float(np.ptp(x)) or 1.0, float(np.ptp(y)) or 1.0
    gone = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x) / width, np.diff(y) / height))])
    wanted = np.linspace(0.0, gone[-1], _LABELS)
    return sorted({int(np.argmin(np.abs(gone - w))) for w in wanted})
