"""The answer in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..families.model import input_names
from .answer import Answer
from .protocols import Reported
from .text import attack_name, largest_moves, norm_name, predicted_cost

_FEW = 3
_NOTHING = 1e-12


def explanation(result: Reported, eps: float) -> str:
    """What the influence says of attacks of one size, from one pass over the rows."""
    lines = [question(result), _predicted(result, eps), moves(result)]
    why = result.rough_at(eps)
    if why:
        lines.append(
            f"At ε = {eps:g} this is a rough prediction ({why}): robust_path has the robust optima "
            "themselves, and their costs."
        )
    else:
        lines.append("robust_path has the robust optima themselves, and their costs.")
    return "\n\n".join(lines)


def question(result: Reported) -> str:
    """What was asked."""
    problem = result.problem
    whose = (
        "and all samples share one budget of that size on average"
        if problem.sharing.is_shared
        else "each sample by itself"
    )
    within = f" ({attack_name(problem)})" if problem.is_restricted else ""
    return (
        f"The question: a {problem.model.kind} model, fitted to {problem.n_rows:,} samples of "
        f"{len(input_names(problem.model)):,} features, is trained anew so that it does best when "
        f"its inputs are moved in the worst direction, by a p = {norm_name(result.p)} length of at "
        f"most ε times {result.radius:.4g}{within}, {whose}. What does that change, "
        "and what does it cost where nobody attacks?"
    )


def _predicted(result: Reported, eps: float) -> str:
    cost = predicted_cost(result, eps)
    clean = float(result.problem.mean_loss(result.problem.params))
    share = f" ({cost / clean:+.1%})" if clean > 0.0 else ""
    way = "rise" if cost >= 0.0 else "fall"
    return (
        f"At ε = {eps:g} the mean loss on the data as they are, {clean:.5g} now, is predicted to "
        f"{way} by {abs(cost):.4g}{share}. Attacks of that size raise the loss of "
        f"the model as it is by {eps * result.value_derivative:.4g} to first order "
        "(adversarial_loss has all of it)."
    )


def moves(result: Reported) -> str:
    """Which coefficients robust training moves, and which way."""
    if result.problem.model.is_dual:
        return "The model has a coefficient a sample, none of which says much by itself."
    chosen = [k for k in largest_moves(result, _FEW) if abs(result.influence[k]) > _NOTHING]
    if not chosen:
        return "No coefficient moves."
    told = [f"{result.names[k]} {_way(result, k)}" for k in chosen]
    return f"Robust training moves most, at first: {'; '.join(told)}."


def _way(result: Reported, k: int) -> str:
    """Where a coefficient goes."""
    slope, value = float(result.influence[k]), float(result.params[k])
    towards = slope * value < 0.0
    where = "towards zero" if towards else "away from zero" if value else "away from where it is"
    return f"({value:.4g}) by {slope:.4g} per unit of ε, {where}"


def in_three_sentences(found: Sequence[Answer], how: str, alpha: float) -> str:
    """The exact answer at the size in the middle: cost, gain, and how far eq. 4 holds.

    With a penalty alpha it may be odd: what is trained is loss and penalty together.
    """
    a = sorted(found, key=lambda one: one.eps)[(len(found) - 1) // 2]
    exactly = "exactly" if how == "exact" else f"as found by {how}"
    cost = f"At ε = {a.eps:g} robust training takes the mean loss on clean data from "
    cost += f"{a.clean.before:.5g} to {a.clean.after:.5g}{_share(a.clean)}, {exactly}."
    gain = f"Under attack of that size the loss goes from {a.attacked.before:.5g} to "
    gain += f"{a.attacked.after:.5g}{_share(a.attacked)}"
    if a.accuracy is not None and a.attacked_accuracy is not None:
        gain += (
            f"; {a.accuracy.after:.1%} of the samples are classified rightly without attack "
            f"(before: {a.accuracy.before:.1%}), {a.attacked_accuracy.after:.1%} under it "
            f"(before: {a.attacked_accuracy.before:.1%})"
        )
    off = [f"{one.eps:g}" for one in found if one.is_off]
    tangent = (
        f"The paper's eq. 4, the tangent at ε = 0, is off by more than a factor of two at ε = "
        f"{', '.join(off)}."
        if off
        else "The paper's eq. 4, the tangent at ε = 0, is right to a factor of two at all of them."
    )
    penalty = (
        " Losses are without the penalty, with which training weighs them: one of them may then "
        "change for the worse where the other gains little."
        if alpha > 0.0 and any(a.attacked.change > 0.0 or a.clean.change < 0.0 for a in found)
        else ""
    )
    return f"{cost} {gain}. {tangent}{penalty}"


def _share(pair: Any) -> str:
    if min(pair.before, pair.after) <= 0.0 or not np.isfinite(pair.before):
        return ""
    return f" ({pair.change / pair.before:+.1%})"
