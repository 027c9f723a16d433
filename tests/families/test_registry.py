"""The registry and the adapters alone look at what kind of model, or problem, something is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import fastaif as fa
from fastaif.families import registry

PACKAGE = Path(fa.__file__).parent
KINDS = ("Problem", "Model")


def asked_kinds(tree):
    """Names of models' and problems' kinds in isinstance() and type() tests."""
    for node in ast.walk(tree):
        asks = isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
            "isinstance", "issubclass",
        )  # fmt: skip
        if asks:
            for name in ast.walk(node.args[1]):
                if isinstance(name, ast.Name) and name.id.endswith(KINDS):
                    yield name.id


def test_nobody_else_asks():
    asking = {}
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE)
        found = set(asked_kinds(ast.parse(path.read_text(encoding="utf-8"))))
        if found and place.parts[0] != "adapters" and place != Path("families/registry.py"):
            asking[str(place)] = found
    assert asking == {}


def test_such_questions_are_found():
    assert set(asked_kinds(ast.parse("isinstance(a, LinearModel | x.B)"))) == {"LinearModel"}


def test_no_docstring_is_doubled():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and len(node.body) > 1:
                second = node.body[1]
                doubled = isinstance(second, ast.Expr) and isinstance(second.value, ast.Constant)
                assert not (doubled and isinstance(second.value.value, str)), (path, node.name)


def test_neither_networks_nor_linear_predictors_are_the_other():
    families = {kind.__name__: kind for kind in registry._FAMILIES}
    names = [("NetworkModel", "LinearModel"), ("ExpansionModel", "LinearModel"),
             ("MovingCentersModel", "FixedCentersModel")]  # fmt: skip
    for one, other in names:
        assert not issubclass(families[one], families[other])
        assert not issubclass(families[other], families[one])


def test_an_unknown_model_has_no_family():
    with pytest.raises(KeyError):
        registry.family_of(object())
