"""What the house's style asks of every file."""

from __future__ import annotations

import ast
from pathlib import Path

import fastaif as fa

PACKAGE = Path(fa.__file__).parent


def lines_of_body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function from its first statement on, its docstring apart."""
    has_text = ast.get_docstring(function) is not None and len(function.body) > 1
    return (function.end_lineno or 0) - function.body[has_text].lineno + 1


def test_functions_are_under_forty_lines():
    long = [
        f"{path.relative_to(PACKAGE)}: {node.name}, {lines_of_body(node)}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and lines_of_body(node) >= 40
    ]
    assert not long


def test_no_property_is_computed_under_a_lock_of_its_class():
    """`functools.cached_property` has one up to Python 3.11: see `utils.caching`."""
    assert not [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.ImportFrom) and node.module == "functools"
            and any(alias.name == "cached_property" for alias in node.names))
        or (isinstance(node, ast.Attribute) and node.attr == "cached_property")
    ]  # fmt: skip
