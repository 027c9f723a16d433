"""Rows in random forms give what plain NumPy makes of them in memory; faulty ones are refused.

`python -m tests.fuzz` runs as many more as there is time for.
"""

from __future__ import annotations

import warnings

import pytest
from support.fuzz import FAULTS, FORMS
from support.fuzz_checks import SMALL, check_accumulator, check_fault, check_form

FEW, MANY = range(6), range(6, 200)
SEEDS = [*FEW, *(pytest.param(seed, marks=pytest.mark.long) for seed in MANY)]


@pytest.fixture(autouse=True)
def many_small_chunks(monkeypatch):
    for name, entries in SMALL.items():
        monkeypatch.setattr(name, entries)


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("form", FORMS)
def test_any_form(form, seed, tmp_path):
    check_form(form, seed, tmp_path)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_any_fault(fault, seed, tmp_path):
    check_fault(fault, seed, tmp_path)


@pytest.mark.parametrize("seed", SEEDS)
def test_blocks_added_up_in_any_order(seed, tmp_path):
    check_accumulator(seed, tmp_path)
