"""What all figures share: a new figure, colours, labels, axes. matplotlib is optional.

Nothing here shows a window, chooses a backend or touches rcParams: figures are returned, and what
is drawn on axes of the caller's stays there.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_PADDING = {"w_pad": 0.1, "h_pad": 0.08}  # inches
EPS_LABEL = "attack size ε (in units of the radius s)"
BLUE, ORANGE, GREEN = "#4c72b0", "#dd8452", "#55a868"
INFLUENCE_ERROR = r"$\|(\theta_\varepsilon - \hat\theta)/\varepsilon - I\,\|_2$"
SENSITIVITY_ERROR = r"$|S_\varepsilon/\varepsilon^2 - \frac{1}{2}\,I^\top\! H I\,|$"
SENSITIVITY = r"sensitivity $S_\varepsilon/\varepsilon^2$   (units of the loss)"
FEATURES = "features in the model, m"
BARS = "samples (mean ± 2 s.e.)"
FINITE = {"color": "black", "linestyle": "--", "linewidth": 0.8}
FINITE_LABEL = "theory and its 1/n term"
_STEPS = (1, 2, 5)
LONGEST_NAME = 24  # what leaves room for the picture


def bare_figure() -> Any:
    """A figure that pyplot does not know: for saving without any window or backend.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        matplotlib is not installed.
    """
    return matplotlib_module("figure").Figure()


def new_figure(figure: Any, width: float, height: float) -> Any:
    """The figure given, or a pyplot figure, laid out so that labels do not overlap."""
    if figure is None:
        figure = matplotlib_module("pyplot").figure()
    figure.set_size_inches(width, height)
    figure.set_layout_engine("constrained", **_PADDING)
    return figure


def matplotlib_module(module: str) -> Any:
    """A part of matplotlib by name, or an error that says how to get it."""
    try:
        return importlib.import_module(f"matplotlib.{module}")
    except ImportError as error:
        raise ImportError(
            "plots need matplotlib, which is not installed: pip install matplotlib"
        ) from error


def points(
    ax: Any, x: Array, mean: Array, error: Array, color: str, mark: str, label: str
) -> None:
    """Means with bars of two standard errors."""
    ax.errorbar(x, mean, 2.0 * error, fmt=mark, color=color, markersize=4, capsize=2, label=label)


def mark_steps(ax: Any, low: float, high: float) -> None:
    """Name 1, 2 and 5 times the powers of ten on a logarithmic axis of few decades."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    steps = [step * 10.0**k for k in decades for step in _STEPS]
    shown = [v for v in steps if low / 2.5 <= v <= 2.5 * high]
    ax.set_yticks(shown, [f"{v:g}" for v in shown])
    ax.set_yticks([], minor=True)


def finish(ax: Any, loc: str = "best") -> None:
    """The grid and the key that all axes have."""
    ax.grid(alpha=0.3)
    ax.set_axisbelow(True)
    ax.legend(fontsize="small", loc=loc)
