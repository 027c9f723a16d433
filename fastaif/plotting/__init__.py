"""Pictures of results, drawn with matplotlib."""

from .results import plot_influence, plot_report
from .style import bare_figure

__all__ = ["bare_figure", "plot_influence", "plot_report"]
