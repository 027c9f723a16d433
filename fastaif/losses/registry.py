"""Every loss by its name: each module of this folder may define some."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any

from ..utils import validation
from .base import Loss


def _below(kind: Any) -> list[Any]:
    """All classes of losses that are one: what they share has no code."""
    children = kind.__subclasses__()
    found = [child for child in children if "code" in vars(child)]
    return found + [other for child in children for other in _below(child)]


@cache
def _registered() -> dict[str, type[Loss]]:
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        importlib.import_module(f"{package}.{module.name}")
    kinds = [kind for kind in _below(Loss) if kind.__module__.startswith(package)]
    return {kind.name: kind for kind in sorted(kinds, key=lambda kind: kind.code)}


def names() -> tuple[str, ...]:
    """The names of all losses."""
    return tuple(_registered())


def get(loss: str | Loss, **parameters: Any) -> Loss:
    """The loss of a name.

    Parameters
    ----------
    loss : str or Loss
        One of `names`; a loss itself is returned as it is.
    **parameters
        Of the loss: ``get("huber", delta=2.0)``.

    Raises
    ------
    ValueError
        No loss has this name; the message lists those there are.
    TypeError
        The loss has no such parameter.
    """
    if isinstance(loss, Loss):
        return loss
    known = _registered()
    return known[validation.option(loss, "loss", list(known))](**parameters)
