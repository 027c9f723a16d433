"""Which of a test's many parametrisations the suites run: a covering few.

A test over the product of several parameters runs, quickly, only so often that every value of every
parameter has its turn, spread over the product. What the quick suite then lacks for any two values
of different parameters to meet is marked `long`, and the rest `product`. A test marked `long` by
hand stays so, and one marked `every` keeps all of its parametrisations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable
from functools import partial
from heapq import heapify, heapreplace
from itertools import combinations
from typing import Any

import pytest


def mark_long(items: list[Any]) -> None:
    """Mark what the covering selections leave out."""
    groups, said = defaultdict(list), _Said()
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        if hasattr(item, "callspec") and not marks & {"every", "long"}:
            groups[item.path, item.parent.name, item.originalname].append(item)
    for group in groups.values():
        values = [_values(item.callspec.params, said) for item in group]
        quick = covering(values)
        if len(quick) == len(group):
            continue
        paired = covering([_pairs(each) for each in values], quick)
        for number, item in enumerate(group):
            if number not in quick:
                item.add_marker(pytest.mark.long if number in paired else pytest.mark.product)


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
            # One check is a function of its own for every estimator.
            self[id(value)] = repr(value.func if isinstance(value, partial) else value)
        return self[id(value)]


def _values(params: dict[str, Any], said: _Said) -> set[Hashable]:
    """What a parametrisation has that its neighbours may lack: each parameter's value."""
    return {(name, said.of(value)) for name, value in params.items()}


def _pairs(values: set[Any]) -> set[Hashable]:
    """Any two of these, or what is alone."""
    return set(combinations(sorted(values), 2)) or set(values)


def covering(values: list[set[Hashable]], kept: Collection[int] = ()) -> set[int]:
    """Numbers of the sets that are kept, so that their union is that of all.

    Each time the set with most that is new, the first of several in an order that strides
    over them: neighbours in a product differ in one parameter alone. Those that are `kept`
    already stay so.
    """
    chosen = set(kept)
    missing = set().union(*values).difference(*(values[number] for number in chosen))
    order = sorted(range(len(values)), key=lambda number: (number * 0.6180339887) % 1.0)
    # What is new in a set can only become less: the first whose count still holds has the most.
    heap = [(-len(values[number]), place, number) for place, number in enumerate(order)]
    heapify(heap)
    while missing:
        count, place, number = heap[0]
        new = len(values[number] & missing)
        if new == -count:
            chosen.add(number)
            missing -= values[number]
            new = 0
        heapreplace(heap, (-new, place, number))
    return chosen
