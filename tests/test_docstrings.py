"""The examples of the docstrings do what they show."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from importlib.util import find_spec

import pytest

import fastaif

OPTIONAL = ("torch", "jax", "matplotlib", "mlxtend", "pandas")


def examples():
    for found in pkgutil.walk_packages(fastaif.__path__, "fastaif."):
        if found.name.endswith("__main__"):
            continue
        module = importlib.import_module(found.name)
        for test in doctest.DocTestFinder(exclude_empty=True).find(module, found.name):
            if test.examples:
                yield pytest.param(test, id=test.name)


@pytest.mark.parametrize("test", examples())
@pytest.mark.filterwarnings("error")
def test_examples_run(test, capsys):
    source = "".join(example.source for example in test.examples)
    for name in OPTIONAL:
        if f"import {name}" in source and find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failures = doctest.DocTestRunner(optionflags=flags).run(test).failed
    assert failures == 0, capsys.readouterr().out


def test_there_are_some():
    assert len(list(examples())) >= 9
