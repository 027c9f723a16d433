"""How far the default prediction of a robust fit's cost holds on real data.

`PYTHONPATH=.:tests python -m support.expansion_table` writes docs/PREDICTIONS.md anew, in minutes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

import fastaif as fa

from .real_data import LOADERS, load

DOCS = Path(__file__).parents[2] / "docs" / "PREDICTIONS.md"
RADII = (0.001, 0.003, 0.01, 0.03, 0.1)
BALLS = (1.0, 2.0, np.inf)
NEAR = 0.25  # of the exact cost
MODELS = {
    "linear": lambda: fa.LinearRegression(), "poisson": lambda: fa.PoissonRegression(),
    "logistic": lambda: fa.LogisticRegression(alpha=1e-3),
}  # fmt: skip

Errors = dict[tuple[float, float], tuple[float, float]]


def quiet(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Without the warnings that say how rough a prediction is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fa.InfluenceWarning)
        return call(*arguments, **options)


def errors_of_costs(name: str) -> Errors:
    """Relative errors of the default prediction, and of eq. 4, by (p, ε)."""
    kind, X, y = load(name)
    model = MODELS[kind]().fit(X, y)
    found = {}
    for p in BALLS:
        result = quiet(fa.aif, model, X, y, p=p)
        for eps in RADII:
            robust = quiet(fa.robust_fit, model, X, y, eps, p=p)
            exact = result.problem.loss_change(robust.params)
            ways = ("auto", "quadratic")
            costs = [quiet(result.sensitivity, eps, expansion=way) for way in ways]
            found[p, eps] = (abs(costs[0] / exact - 1.0), abs(costs[1] / exact - 1.0))
    return found


def shares(found: Iterable[Errors]) -> dict[float, tuple[float, float]]:
    """The shares of cases within a quarter of the exact cost: by default and by eq. 4."""
    found = list(found)
    return {eps: (share(found, eps, 0), share(found, eps, 1)) for eps in RADII}


def share(found: list[Errors], eps: float, way: int) -> float:
    """Of the cases at one ε."""
    return float(np.mean([errors[p, eps][way] <= NEAR for errors in found for p in BALLS]))


def row(name: str, errors: Errors) -> str:
    """A data set's line: for how many of the three balls the prediction is near, at each ε."""
    kind, X, _ = load(name)
    counts = (sum(errors[p, eps][0] <= NEAR for p in BALLS) for eps in RADII)
    return f"| {name} | {kind} | {len(X)} × {X.shape[1]} | " + " | ".join(map(str, counts)) + " |"


def table(found: dict[str, Errors]) -> str:
    """docs/PREDICTIONS.md."""
    radii = " | ".join(f"ε = {eps:g}" for eps in RADII)
    total = shares(found.values())
    lines = [
        "# How far the default prediction holds", "",
        "`sensitivity(eps)` predicts what robust training costs in clean loss. On the data sets",
        "below, standardised, that is compared with the cost of the exact robust fit (linear and",
        "Poisson regression without penalty, logistic regression at alpha = 1e-3; p = 1, 2 and ∞).",
        "Of other losses, stronger penalties and your own data ask `result.rough_at(eps)`, and",
        "`result.verify(eps)`. Made by `tests/influence/test_expansion.py`.", "",
        f"Shares of the cases within {100 * NEAR:.0f} % of the exact cost:", "",
        f"| prediction | {radii} |", "|---|" + "---|" * len(RADII),
    ]  # fmt: skip
    for way, words in enumerate(("default", "eq. 4 (`expansion=\"quadratic\"`)")):
        parts = (f"{100 * total[eps][way]:.0f} %" for eps in RADII)
        lines.append(f"| {words} | " + " | ".join(parts) + " |")
    lines += [
        "", f"For how many of the three p the default is within {100 * NEAR:.0f} %:", "",
        f"| data | model | n × m | {radii} |", "|---|---|---|" + "---|" * len(RADII),
        *(row(name, errors) for name, errors in found.items()),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    DOCS.write_text(table({name: errors_of_costs(name) for name in LOADERS}), encoding="utf-8")
