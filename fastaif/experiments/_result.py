"""What the experiments' results share: each has a figure of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from ..utils.arrays import ReadOnlyArrays


class Experiment(ReadOnlyArrays, ABC):
    """A frozen result of arrays that draws itself."""

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
        return self._draw(figure)

    @abstractmethod
    def _draw(self, figure: Any) -> Any:
        """Draw in a figure, or in a new one where that is None."""
