"""The public names: what the lazy table has, the stub has, and the other way round."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import fastaif as fa

STUB = Path(fa.__file__).with_suffix(".pyi")


def stubbed() -> dict[str, str]:
    """Each public name of the stub and the module that it comes from."""
    names = {}
    for node in ast.parse(STUB.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                assert alias.asname == alias.name, "re-exports are written `x as x`"
                names[alias.name] = node.module or ""
    return names


def test_the_stub_equals_the_lazy_table():
    table = dict(fa._WHERE) | dict.fromkeys(fa._MODULES, "")
    assert stubbed() == table


@pytest.mark.parametrize("name", sorted(fa.__all__))
def test_every_name_is_there_and_says_what_it_is(name):
    value = getattr(fa, name)
    if name != "__version__":
        assert (value.__doc__ or "").strip()
    assert name in dir(fa)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = fa.nonsense


def test_few_files_lie_at_the_top():
    assert len(list(STUB.parent.glob("*.py"))) <= 5


@pytest.mark.parametrize("module", ["numba", "sklearn", "scipy", "pandas", "matplotlib"])
def test_importing_fastaif_loads_nothing_large(module):
    code = f"import sys, fastaif; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
