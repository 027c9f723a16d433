"""The shape of an attack set is known in its own folder alone."""

import ast
import dataclasses
from pathlib import Path

import fastaif
from fastaif.threat.ball import Ball
from fastaif.threat.own_units import OwnUnits

ROOT = Path(fastaif.__file__).parent
SHAPE = {field.name for kind in (Ball, OwnUnits) for field in dataclasses.fields(kind)}
SHAPE = (SHAPE | {"q", "weights", "inverse_scale"}) - {"radius", "free"}
HOLDERS = {"ball", "own", "attacks", "attack_set"}


def holder(node):
    """The last name of what an attribute is read of."""
    return getattr(node, "attr", None) or getattr(node, "id", None)


def reads(tree):
    attributes = [
        f"{holder(node.value)}.{node.attr}, line {node.lineno}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in SHAPE and holder(node.value) in HOLDERS
    ]
    asked = [
        f"describe, line {node.lineno}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and "describe()['p']" in ast.unparse(node)
    ]
    return attributes + asked


def imports_ball(tree):
    return any(
        isinstance(node, ast.ImportFrom) and (node.module or "").endswith("threat.ball")
        for node in ast.walk(tree)
    )


def test_the_search_finds_what_it_looks_for():
    assert reads(ast.parse("x = problem.ball.p + own.weights[0]\ny = self.ball.radius")) == [
        "ball.p, line 1", "own.weights, line 1",
    ]  # fmt: skip
    assert reads(ast.parse('if x.describe()["p"] == 1.0: pass')) == ["describe, line 1"]


def test_nobody_else_reads_it():
    knowing = {}
    for path in ROOT.rglob("*.py"):
        if path.parent != ROOT / "threat":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found = reads(tree) + ["imports Ball"] * imports_ball(tree)
            if found:
                knowing[str(path.relative_to(ROOT))] = found
    assert knowing == {}
