"""Pictures of results, drawn with matplotlib."""

from .results import plot_influence, plot_report

__all__ = ["plot_influence", "plot_report"]
