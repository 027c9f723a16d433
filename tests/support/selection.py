"""Which of a test's many parametrisations the quick suite runs: a covering few.

A test over the product of several parameters runs, quickly, only so often that every value of every
parameter has its turn, spread over the product; the rest is marked `long`. A test marked `long` by
hand stays so, and one marked `every` keeps all of its parametrisations.
"""

from __future__ import annotations

from collections import defaultdict
from operator import itemgetter
from typing import Any

import pytest


def mark_long(items: list[Any]) -> None:
    """Mark what a covering selection leaves out."""
    groups, said = defaultdict(list), _Said()
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        if hasattr(item, "callspec") and not marks & {"every", "long"}:
            groups[item.path, item.parent.name, item.originalname].append(item)
    for group in groups.values():
        kept = covering([_values(item.callspec.params, said) for item in group])
        for number, item in enumerate(group):
            if number not in kept:
                item.add_marker(pytest.mark.long)


COMPILED = {"engine", "extension"}  # fixtures of tests that call both versions of an operation
COMPILING = ("tests/_compute/", "tests/contracts/test_operations", "tests/data/test_misaligned")


def compilers_first(items: list[Any]) -> None:
    """Put what runs Numba's operations first, so that one of the workers compiles them for all."""
    items.sort(
        key=lambda item: not (
            COMPILED & set(item.fixturenames) or item.nodeid.startswith(COMPILING)
        )
    )


class _Said(dict[int, str]):
    """What each value is told by; estimators take long to say it, and stand in many products."""

    def of(self, value: Any) -> str:
        if id(value) not in self:  # the items keep it alive
            self[id(value)] = repr(value)
        return self[id(value)]


def _values(params: dict[str, Any], said: _Said) -> set[Any]:
    """What a parametrisation has that its neighbours may lack: each parameter's value."""
    return {(name, said.of(value)) for name, value in params.items()}


def covering(values: list[set[Any]]) -> set[int]:
    """Numbers of the sets that are kept, so that their union is that of all.

    Each time the set with most that is new, the first of several in an order that strides
    over them: neighbours in a product differ in one parameter alone.
    """
    order = sorted(range(len(values)), key=lambda number: (number * 0.6180339887) % 1.0)
    missing, kept = set().union(*values), set()
    while missing:
        news = [(len(values[number] & missing), number) for number in order]
        _, best = max(news, key=itemgetter(0))
        kept.add(best)
        missing -= values[best]
        order = [number for new, number in news if new]
    return kept
