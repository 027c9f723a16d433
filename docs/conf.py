"""The site's settings; `python -m sphinx -W -b html docs docs/_build/html` builds it offline."""

from __future__ import annotations

import warnings

import matplotlib

import fastaif

matplotlib.use("agg")
warnings.filterwarnings("ignore", message=".*non-interactive.*")

project = "fastaif"
author = "fastaif's authors"
copyright = author
version = release = fastaif.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "gallery", "sg_execution_times.rst"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "examples",
    "filename_pattern": "/plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "min_reported_time": 10_000,
    "write_computation_times": False,
}

html_theme = "furo"
html_title = "fastaif"


def _is_theirs(
    app: object, what: str, name: str, obj: object, skip: bool, options: object
) -> bool | None:
    """What estimators inherit from scikit-learn is described there, with links of its own."""
    module = getattr(obj, "__module__", None) or getattr(type(obj), "__module__", "")
    return True if module.startswith("sklearn") else None


def setup(app: object) -> None:
    app.connect("autodoc-skip-member", _is_theirs)  # type: ignore[attr-defined]
