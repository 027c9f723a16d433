"""Bases v(x) of models that are linear in their parameters."""

from .builtin import *  # noqa: F403
from .builtin import __all__ as __all__
