"""What is looked for in figures."""

from __future__ import annotations

from itertools import pairwise
from typing import Any


def assert_nothing_overlaps(figure: Any) -> None:
    """Axes with their labels stay on the figure and apart from each other."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    boxes = [ax.get_tightbbox(renderer) for ax in figure.axes]
    for left, right in pairwise(boxes):
        assert left.x1 <= right.x0
    for box in boxes:
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width
        assert box.y0 >= 0
        assert box.y1 <= figure.bbox.height
