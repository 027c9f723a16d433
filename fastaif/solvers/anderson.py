"""Anderson's extrapolation of a fixed-point iteration."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_MEMORY = 6


class Anderson:
    """Extrapolation of x ↦ g(x) from its last values (type II)."""

    def __init__(self) -> None:
        self._past: deque[tuple[Array, Array]] = deque(maxlen=_MEMORY)

    def extrapolate(self, x: Array, image: Array) -> Array:
        """Where the residuals g(x) − x of the past, combined affinely, are least."""
        self._past.append((x, image))
        if len(self._past) == 1:
            return image
        images = np.array([image for _, image in self._past])
        residuals = images - np.array([point for point, _ in self._past])
        changes, moves = np.diff(residuals, axis=0), np.diff(images, axis=0)
        shares = np.linalg.lstsq(changes.T, residuals[-1], rcond=1e-10)[0]
        return np.asarray(image - shares @ moves)
