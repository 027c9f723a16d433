"""How large an experiment is: from the command line's options to its own arguments."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any


def chosen_sizes(
    experiment: Callable[..., Any], *, n_samples: int | None, repetitions: int | None, quick: bool
) -> dict[str, int]:
    """What is not the experiment's default; ValueError where it repeats nothing."""
    arguments = signature(experiment).parameters
    repeats = "n_repetitions" in arguments
    if repetitions is not None and not repeats:
        raise ValueError(f"{experiment.__name__} draws its data once: leave --repetitions out")
    if quick and repeats and repetitions is None:
        repetitions = max(2, arguments["n_repetitions"].default // 10)
    asked = {"n_samples": n_samples, "n_repetitions": repetitions}
    return {name: size for name, size in asked.items() if size is not None}
