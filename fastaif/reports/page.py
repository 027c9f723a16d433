"""One self-contained HTML page: sections of text, tables that sort, and figures as SVG.

Nothing is loaded from anywhere. Colours follow the reader's choice of light or dark, tables scroll
sideways on a phone, and printing leaves out what only a screen can do.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --text: #1d2330; --soft: #515a6b; --back: #ffffff;
  --line: #d5d9e2; --band: #f3f5f9; --accent: #2d5aa0; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9f0; --soft: #aab2c2; --back: #14181f;
  --line: #39414f; --band: #1d232d; --accent: #8fb4f0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.2rem 1rem 3rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .6rem 0; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid var(--line);
  padding-bottom: .25rem; }
p.lead { font-size: 1.08rem; }
p.note, figcaption, caption { color: var(--soft); font-size: .92rem; }
figure { margin: 1rem 0; }
figure > div { background: #ffffff; border: 1px solid var(--line); border-radius: 6px;
  padding: .4rem; overflow-x: auto; }
figure svg { display: block; width: 100%; max-width: 46rem; min-width: 28rem; height: auto; margin: 0 auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .94rem;
  min-width: 50%; }
caption { text-align: left; padding: .3rem 0; max-width: calc(100vw - 2rem); }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
thead th { background: var(--band); vertical-align: bottom; }
th button { all: unset; cursor: pointer; color: inherit; font: inherit; font-weight: 600; }
th button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
th[aria-sort="ascending"] button::after { content: " \\2191"; }
th[aria-sort="descending"] button::after { content: " \\2193"; }
@media print { :root { --text: #000; --soft: #333; --back: #fff; --band: #eee; --line: #999; }
  main { max-width: none; padding: 0; } h2 { break-after: avoid; } figure, table { break-inside: avoid; } }
"""  # noqa: E501

_SORT = """
document.querySelectorAll("th button").forEach(function (button) {
  button.addEventListener("click", function () {
    var head = button.parentElement, table = head.closest("table"), body = table.tBodies[0];
    var k = Array.prototype.indexOf.call(head.parentElement.children, head);
    var up = head.getAttribute("aria-sort") === "descending";
    table.querySelectorAll("th[aria-sort]").forEach(function (h) {
      h.removeAttribute("aria-sort");
    });
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    var value = function (row) { return row.cells[k].dataset.value || row.cells[k].textContent; };
    Array.prototype.slice.call(body.rows).sort(function (a, b) {
      var x = value(a), y = value(b), u = Number(x), v = Number(y);
      var order = isNaN(u) || isNaN(v) ? x.localeCompare(y) : u - v;
      return up ? order : -order;
    }).forEach(function (row) { body.appendChild(row); });
  });
});
"""


@dataclass(frozen=True)
class Table:
    """Rows under named columns; numbers are shown to five digits and sorted by their value."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def html(self) -> str:
        """The table, in a box that scrolls sideways."""
        head = "".join(
            f'<th scope="col"><button type="button">{html.escape(name)}</button></th>'
            for name in self.columns
        )
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in self.rows)
        caption = html.escape(self.caption)
        return (
            f'<div class="wide" tabindex="0" role="region" aria-label="{caption}">'
            f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table></div>"
        )


@dataclass(frozen=True)
class Drawing:
    """A figure: SVG as matplotlib writes it, what it is called, and what it shows."""

    title: str
    caption: str
    svg: str

    def html(self) -> str:
        """The figure, named for who cannot see it."""
        start = self.svg.index("<svg")  # without the XML declaration before it
        name = html.escape(f"{self.title}. {self.caption}")
        drawing = self.svg[start:].replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1)
        box = f'<div tabindex="0" role="group" aria-label="{html.escape(self.title)}">'
        return (
            f"<figure>{box}{drawing}</div>"
            f"<figcaption>{html.escape(self.caption)}</figcaption></figure>"
        )


@dataclass(frozen=True)
class Paragraph:
    """Text; `kind` is "lead", "note" or nothing."""

    text: str
    kind: str = ""

    def html(self) -> str:
        """The paragraph."""
        style = f' class="{self.kind}"' if self.kind else ""
        return f"<p{style}>{html.escape(self.text)}</p>"


@dataclass(frozen=True)
class Section:
    """A heading with what stands below it."""

    title: str
    parts: Sequence[Table | Drawing | Paragraph] = field(default_factory=list)


def page(title: str, opening: Sequence[Paragraph], sections: Sequence[Section]) -> str:
    """The whole document.

    Parameters
    ----------
    title : str
    opening : sequence of Paragraph
        What was asked and what came out, before the first heading.
    sections : sequence of Section
        Those without parts are left out.

    Returns
    -------
    str
        HTML, complete in itself.
    """
    parts = [f"<h1>{html.escape(title)}</h1>", *(p.html() for p in opening)]
    for section in sections:
        if section.parts:
            parts.append(f"<section><h2>{html.escape(section.title)}</h2>")
            parts += [*(part.html() for part in section.parts), "</section>"]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + f"\n</main>\n<script>{_SORT}</script>\n</body>\n</html>\n"
    )


@dataclass(frozen=True)
class Percent:
    """A share, shown as such and sorted by its value."""

    share: float


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return f"<td>{html.escape(value)}</td>"
    if isinstance(value, Percent):
        return f'<td data-value="{value.share!r}">{100.0 * value.share:.3g}\u202f%</td>'
    if isinstance(value, int):
        return f'<td data-value="{value}">{value:,}</td>'
    return f'<td data-value="{float(value)!r}">{float(value):.5g}</td>'
