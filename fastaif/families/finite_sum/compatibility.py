"""Whether two influence problems are of the same model and attack, compared by value."""

from __future__ import annotations

import dataclasses
from functools import partial
from types import MethodType
from typing import Any

import numpy as np

from ..summed import SummedProblem


def refuse_unlike(mine: SummedProblem, other: SummedProblem) -> None:
    """Refuse to add up unlike things, saying which."""
    a, b = _identity(mine), _identity(other)
    unlike = [name for name in a if a[name] != b[name]]
    if mine.model.columns and other.model.columns and mine.model.columns != other.model.columns:
        unlike.append("the names of the columns")
    if not unlike:
        return
    said = [
        f"{name} ({a[name]:g} and {b[name]:g})"
        if isinstance(a.get(name), float) and isinstance(b.get(name), float)
        else name
        for name in unlike
    ]
    raise ValueError(
        f"these accumulators do not sum the same thing, they differ in {', '.join(said)}: merge "
        "only accumulators of the same fitted estimator and the same attack"
    )


def _identity(problem: SummedProblem) -> dict[str, Any]:
    """What accumulators must agree in, by value: unpickled ones are other objects."""
    model, attack, sharing = problem.model, problem.ball.describe(), problem.sharing
    parts = {
        "the kind of model": (type(model).__name__, model.kind),
        "the loss": model.loss,
        "the basis or the preprocessing": (model.basis, getattr(model, "activation", None)),
        "the intercept": model.fit_intercept,
        "the parameters θ̂": model.theta,
        "the penalty": model.penalty_key,
        "the labels": model.encode,
        "p": attack.pop("p", None),
        "order": sharing.order,
        "formula": sharing.formula,
        **attack,
        "damping": problem.damping,
    }
    return {name: _by_value(part) for name, part in parts.items()}


def _by_value(part: Any) -> Any:
    """Something that equals that of another object with the same contents."""
    if isinstance(part, np.ndarray):
        if part.dtype == object:
            return tuple(part.tolist())
        return part.shape, part.dtype.str, part.tobytes()
    if isinstance(part, (tuple, list)):
        return tuple(_by_value(entry) for entry in part)
    if dataclasses.is_dataclass(part):
        fields = [f.name for f in dataclasses.fields(part) if f.name != "random_state"]
        return type(part).__name__, *(_by_value(getattr(part, name)) for name in fields)
    if isinstance(part, MethodType):  # of a Custom basis, whose object has been copied
        return part.__func__, _by_value(tuple(vars(part.__self__).items()))
    if isinstance(part, partial):
        return part.func, _by_value(part.args), _by_value(tuple(part.keywords.items()))
    return part
