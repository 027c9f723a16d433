"""The paper's experiments: each function returns a frozen result with a table and a figure."""

from __future__ import annotations

from ._figure1 import Figure1Result, figure1

__all__ = ["Figure1Result", "figure1"]
