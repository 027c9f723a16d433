"""Rows in random forms give what plain NumPy makes of them in memory; faulty ones are refused.

`python -m tests.fuzz` runs as many more as there is time for.
"""

from __future__ import annotations

import shutil
import warnings

import pytest
from support.fuzz import FAULTS, FORMS
from support.fuzz_checks import SMALL, check_accumulator, check_fault, check_form

# A seed alone, or many one after the other: most of a small case's time would be pytest's.
SEEDS = [range(seed, seed + 1) for seed in range(6)] + [
    pytest.param(range(first, min(first + 50, 200)), marks=pytest.mark.long)
    for first in range(6, 200, 50)
]


@pytest.fixture(autouse=True)
def many_small_chunks(monkeypatch):
    for name, entries in SMALL.items():
        monkeypatch.setattr(name, entries)


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def each(seeds, tmp_path, check, *arguments):
    """Check every seed in a folder of its own; an error names its seed."""
    for seed in seeds:
        folder = tmp_path / str(seed)
        folder.mkdir()
        try:
            check(*arguments, seed, folder)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
        shutil.rmtree(folder)


@pytest.mark.parametrize("seeds", SEEDS, ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_any_form(form, seeds, tmp_path):
    each(seeds, tmp_path, check_form, form)


@pytest.mark.parametrize("seeds", SEEDS, ids=str)
@pytest.mark.parametrize("fault", FAULTS)
def test_any_fault(fault, seeds, tmp_path):
    each(seeds, tmp_path, check_fault, fault)


@pytest.mark.parametrize("seeds", SEEDS, ids=str)
def test_blocks_added_up_in_any_order(seeds, tmp_path):
    each(seeds, tmp_path, check_accumulator)
