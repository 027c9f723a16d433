"""Pages are complete in themselves, escape what they are given, and keep numbers."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from fastaif.reports.page import Drawing, Paragraph, Percent, Section, Table, page

VOID = {"meta", "br", "hr", "img", "input", "link", "path", "use"}


class Nesting(HTMLParser):
    """Fails where tags are not nested."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture
def document() -> str:
    table = Table(
        "a <b> caption", ["name", "x"], [["<i>", 1234.5678], ["b", 7], ["c", Percent(0.1)]]
    )
    svg = '<?xml version="1.0"?>\n<svg width="1"><g id="a"></g></svg>'
    sections = [
        Section(
            "First & last", [table, Drawing("t", 'a "caption"', svg), Paragraph("<p>", "note")]
        ),
        Section("Nothing here", []),
    ]
    return page("title <x>", [Paragraph("lead", "lead")], sections)


def test_nested_and_escaped(document: str) -> None:
    parser = Nesting()
    parser.feed(document)
    assert parser.open == []
    for raw in ("title <x>", "a <b> caption", "<td><i>", "<p><p>"):
        assert raw not in document
    assert "title &lt;x&gt;" in document
    assert "&quot;caption&quot;" in document


def test_loads_nothing(document: str) -> None:
    assert not re.search(r"""(src|href)\s*=\s*["'](?!#)|url\(|@import|https?://""", document)
    assert "<?xml" not in document


def test_numbers_keep_all_digits(document: str) -> None:
    assert '<td data-value="1234.5678">1234.6</td>' in document
    assert '<td data-value="7">7</td>' in document
    assert '<td data-value="0.1">10\u202f%</td>' in document


def test_empty_sections_are_left_out(document: str) -> None:
    assert "Nothing here" not in document
    assert "First &amp; last" in document


def test_boxes_that_scroll_can_be_reached_by_keyboard(document: str) -> None:
    boxes = re.findall(r"<div[^>]*>", document)
    assert len(boxes) == 2
    for box in boxes:
        assert 'tabindex="0"' in box
        assert "aria-label=" in box
