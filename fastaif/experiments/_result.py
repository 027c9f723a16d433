"""What the experiments' results share: each has a figure of its own."""

from __future__ import annotations

from typing import Any, ClassVar


class Experiment:
    """A frozen result; `_plot` names the function that draws it."""

    _plot: ClassVar[str]

    def plot(self, figure: Any = None) -> Any:
        """Draw the result; returns the matplotlib figure.

        Parameters
        ----------
        figure : matplotlib.figure.Figure, optional
            An empty figure to draw in; a new pyplot figure by default.

        Raises
        ------
        ImportError
            matplotlib is not installed.
        """
        from .. import (
            plotting_experiments,
            plotting_intervals,
            plotting_kernels,
            plotting_orders,
        )

        modules = (plotting_experiments, plotting_intervals, plotting_kernels, plotting_orders)
        draw = next(getattr(m, self._plot) for m in modules if hasattr(m, self._plot))
        return draw(self, figure)
