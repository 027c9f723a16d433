"""Pictures of results, drawn with matplotlib."""

from .results import bare_figure, plot_influence, plot_report

__all__ = ["bare_figure", "plot_influence", "plot_report"]
