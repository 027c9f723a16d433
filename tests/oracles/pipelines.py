"""Adversarial influence of beta'T(x) + b behind any preprocessing T, known by its values alone.

T is called on frames and its derivatives are central differences; attacks move some of the
frame's columns, x_j by d_j, ||(d_j / c_j)||_p <= eps s. Missing cells (NaN) are not attacked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .losses import loss as pointwise_loss
from .norms import Array, norm, scaled_direction


def jacobian(transform: Callable[[Any], Any], frame: Any, columns: list[Any]) -> Array:
    """dT/dx by central differences, shape (n, d, len(columns)); 0 at missing cells."""
    parts = []
    for column in columns:
        x = frame[column].to_numpy(dtype=float, na_value=np.nan)
        h = 1e-4 * max(float(np.nanstd(x)), 1e-3)
        up, down = (
            np.asarray(transform(frame.assign(**{column: x + side * h}))) for side in (1, -1)
        )
        parts.append((up - down) / (2.0 * h))
    return np.stack(parts, axis=2)


def inputs_of(frame: Any, columns: list[Any]) -> Array:
    """The attacked columns as numbers, NaN where they are missing."""
    values = [frame[column].to_numpy(dtype=float, na_value=np.nan) for column in columns]
    return np.column_stack(values)


def attack_scale(
    frame: Any, columns: list[Any], p: float, w: Array, centre: npt.ArrayLike, c: Array
) -> float:
    """s = E||(x - centre) / c||_p over the attacked columns; missing cells count nothing."""
    Z = (inputs_of(frame, columns) - np.asarray(centre)) / c
    return float(w @ norm(np.nan_to_num(Z), p))


def influence(
    transform: Callable[[Any], Any],
    frame: Any,
    y: Array,
    beta: Array,
    b: float | None,
    columns: list[Any],
    *,
    loss: str,
    penalty: npt.ArrayLike,
    p: float = 2.0,
    sample_weight: Any = None,
    centre: npt.ArrayLike = 0.0,
    c: npt.ArrayLike = 1.0,
    radius: float | None = None,
    **parameters: float,
) -> Array:
    """-H^-1 Phi of theta = (beta, b); `penalty` is the diagonal of alpha P, over theta."""
    n, q = len(y), np.inf if p == 1 else (1.0 if np.isinf(p) else p / (p - 1.0))
    w = np.ones(n) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    w = w / w.sum()
    c = np.broadcast_to(np.asarray(c, dtype=float), len(columns))
    V, J = np.asarray(transform(frame), dtype=float), jacobian(transform, frame, columns)
    f = V @ beta + (b or 0.0)
    _, slope, curvature = pointwise_loss(loss, f, y, **parameters)
    s = attack_scale(frame, columns, p, w, centre, c) if radius is None else radius
    Z = V if b is None else np.column_stack([V, np.ones(n)])
    H = (Z.T * (w * curvature)) @ Z + 2.0 * np.diag(np.broadcast_to(penalty, Z.shape[1]))
    phi = np.zeros(Z.shape[1])
    present = ~np.isnan(inputs_of(frame, columns))
    for i in range(n):
        g, ci = J[i].T @ beta, c * present[i]
        direction = scaled_direction(g, p, ci)
        phi += w[i] * curvature[i] * np.sign(slope[i]) * norm((ci * g)[None], q)[0] * Z[i]
        phi[: len(beta)] += w[i] * abs(slope[i]) * (J[i] @ direction)
    return -np.linalg.solve(H, s * phi)
