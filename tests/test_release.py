"""What several files say of the package is the same everywhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import fastaif

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RECIPE = (ROOT / "conda" / "meta.yaml").read_text(encoding="utf-8")


def test_one_version() -> None:
    version = PROJECT["version"]
    assert fastaif.__version__ == version
    assert f'version = "{version}"' in RECIPE
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(rf"^version: [\"']?{re.escape(version)}", citation, re.MULTILINE)


def test_recipe_has_the_dependencies() -> None:
    run = RECIPE.split("  run:\n")[1].split("\n\n")[0]
    found = {line.strip("- ").replace(" ", "") for line in run.splitlines()} - {"python>=3.11"}
    assert found == set(PROJECT["dependencies"])
