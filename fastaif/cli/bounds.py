"""The bounds of `--bounds`: two numbers, or the range that each column of the data has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

DATA = "data"


def parse_bounds(
    _: click.Context, __: click.Parameter, value: str | None
) -> tuple[float | None, float | None] | str | None:
    """None, "data", or lo and hi, of which an empty one leaves samples free."""
    if value is None or value == DATA:
        return value
    try:
        low, high = (float(part) if part.strip() else None for part in value.split(","))
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is neither two numbers like 0,1 (or ,1: free below) nor {DATA}"
        ) from None
    return low, high


def bounds_of(given: Any, X: Any, categories: Sequence[str]) -> Any:
    """`given`, or for "data" the least and the largest entry of each column of numbers."""
    if given != DATA:
        return given
    import numpy as np

    columns = getattr(X, "columns", None)
    if columns is None:
        return np.min(X, axis=0), np.max(X, axis=0)
    low, high = np.full(len(columns), -np.inf), np.full(len(columns), np.inf)
    for k, name in enumerate(columns):
        if name not in categories:
            entries = np.asarray(X[name], dtype=float)
            low[k], high[k] = np.nanmin(entries), np.nanmax(entries)
    return low, high
