"""Tables as Markdown, aligned so that they can be read on a terminal as well."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = [f"{'-' * (width - 1)}:" for width in widths]
    return ["| " + " | ".join(_pad(row, widths)) + " |" for row in (header, rule, *rows)]


def publish(lines: Sequence[str], file: Path | None) -> None:
    """Print the lines, and write them to a file if there is to be one."""
    text = "\n".join(lines)
    print(text)
    if file:
        file.write_text(text + "\n", encoding="utf-8")


def _pad(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]


def milliseconds(value: float | None) -> str:
    """Three significant figures are all that such timings bear."""
    if value is None:
        return "–"
    ms = value * 1e3
    return f"{ms:,.0f}" if ms >= 100 else f"{ms:.1f}" if ms >= 10 else f"{ms:.2f}"
