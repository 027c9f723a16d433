"""What `fastaif analyze` reports: a table for a person, JSON for a pipeline."""

from __future__ import annotations

import json
import math
import textwrap
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import text as report
from .answer import answer_json, answer_lines, answers
from .protocols import Reported, Verified

_WIDTH = 79
_MOSTLY_WRONG = 0.5
_MOST, _MOST_DUAL = 10, 5  # parameters that are listed


def report_text(title: str, result: Reported, verified: Sequence[Verified]) -> str:
    """The report for a person, at most 80 columns wide.

    Parameters
    ----------
    title : str
        Where the data are from.
    result : InfluenceResult
    verified : sequence of Verification
        At least one; `result.verify(eps)` at each ε.
    """
    problem, largest = result.problem, max(verified, key=lambda v: v.eps)
    how = report.method_name(verified[0].method)
    lines = [
        f"Adversarial influence: {problem.model.kind} model of {_cut(title, 40)}",
        "=" * _WIDTH,
        f"{problem.source.n_rows:,} samples, {problem.model.n_features:,} features, alpha = "
        f"{problem.alpha:g}; attack p = {report.norm_name(result.p)}, s = {result.radius:.5g}"
        + (f", order {result.order:g}" if problem.sharing.is_shared else ""),
        *_kernel_lines(problem.model),
        "",
        *answer_lines(answers(result, verified), problem.model.loss.name.replace("_", " ")),
        "",
        f"{'eps':>8}{'S (eq. 4)':>14}{'predicted':>14}{how + ' cost':>15}{how + ' gain':>15}"
        f"{'flipped':>12}",
    ]
    for v in verified:
        clean = v.eps**2 * result.sensitivity_coefficient
        lines.append(
            f"{v.eps:>8g}{clean:>14.6g}{_predicted(result, v):>14.6g}{v.exact_cost:>15.6g}"
            f"{v.exact_gain:>15.6g}{result.flip_fraction(v.eps):>12.1%}"
        )
    lines += [_wrap(_meaning(result, largest, how)), ""]
    lines += [*_coefficient_lines(result, largest), ""]
    radius = report.radius_text(result, 5)
    reason = f"Validity radius {radius} ({result.validity_reason})."
    solved = report.diagnostics_line(result.diagnostics).splitlines()
    return "\n".join([*lines, _wrap(reason), *map(_wrap, solved)])


def _predicted(result: Reported, verified: Verified) -> float:
    """The cost as `sensitivity` predicts it; with a penalty, that of loss + penalty by eq. 4."""
    if result.problem.alpha > 0:
        return verified.predicted_cost
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the notes below the table say it
        return float(result.sensitivity(verified.eps))


def _meaning(result: Reported, largest: Verified, how: str) -> str:
    """What cost and gain are, and which multiple of ε² they should be."""
    eps = largest.eps
    if result.problem.alpha == 0:
        return (
            "Robust training raises the clean loss by the cost and lowers the adversarial loss by "
            "the gain; to second order in eps both equal S (eq. 4). What is predicted of the cost "
            "keeps what bends first, the norm of the coefficients, where there is one. Where they "
            f"part eps is too large for the prediction: trust the {how} columns."
        )
    # With a penalty θ̂ does not minimise the clean loss, and eq. 4 is not its whole change.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        change = result.sensitivity(eps, expansion="taylor")
    curvature = largest.predicted_cost / largest.eps**2
    return (
        "Robust training raises the clean loss + penalty by the cost and lowers the adversarial "
        f"one by the gain; to second order in eps both equal {curvature:.5g} eps^2, so where they "
        "part from it eps is too large for the prediction. S (eq. 4) leaves out the penalty and, "
        "as alpha > 0, a term of first order: with it the clean loss itself is predicted to "
        f"change by {change:.5g} at eps = {eps:g}."
    )


def far_off(verified: Sequence[Verified], validity_radius: float) -> list[str]:
    """A note on the ε at which the predicted moves of θ are mostly wrong."""
    bad = [v for v in verified if v.params_error > _MOSTLY_WRONG]
    if not bad:
        return []
    where = ", ".join(f"{v.eps:g}" for v in bad)
    worst = max(bad, key=lambda v: v.params_error)
    error = worst.params_error
    best = "at smaller eps"
    if math.isfinite(validity_radius):
        best = f"well below the validity radius, {validity_radius:.2g}"
    size = f"{error:.0%} of" if error < 2.0 else f"{error:.0f} times"
    return [
        f"at eps = {where} the predicted moves of the parameters miss the "
        f"{report.method_name(worst.method)} ones by up to {size} their length: they are no guide "
        f"there. Predictions are best {best}"
    ]


def _coefficient_lines(result: Reported, largest: Verified) -> list[str]:
    model, how = result.problem.model, report.method_name(largest.method)
    dual = model.is_dual
    chosen = report.largest_moves(result, _MOST_DUAL if dual else _MOST)
    which = "" if len(chosen) == model.n_coefs else f" ({len(chosen)} of {model.n_coefs})"
    reach = _reach(result, largest.eps)
    unit = "" if dual or model.basis.is_identity else ", per standard deviation"
    lines = [
        *(_dual_lines(result, largest, how) if dual else []),
        f"What adversarial training would move most{which}{unit}",
        f"{'':>22}{'param':>12}{'influence':>12}{'change at eps = ' + f'{largest.eps:g}:':>25}",
        f"{'':>46}{'tangent':>12}{how:>12}{'' if reach is None else 'x within':>10}",
    ]
    exact = largest.robust.params - result.params
    for k in chosen:
        slope = result.influence[k]
        numbers = f"{result.params[k]:>12.5g}{slope:>12.5g}{largest.eps * slope:>12.5g}"
        room = "" if reach is None else f"{_within(reach[k]):>10}"
        lines.append(f"{_cut(result.names[k], 21):>22}{numbers}{exact[k]:>12.5g}{room}")
    if reach is not None:
        lines.append("x within: how far an attack can move that feature alone, in its own units")
    return lines


def _reach(result: Reported, eps: float) -> Any:
    """How far each feature can be moved, where a feature has one coefficient."""
    model, reach = result.problem.model, result.problem.ball.reach
    if reach is None or model.is_dual or model.n_coefs != model.n_features:
        return None
    return eps * result.radius * reach


def _within(length: float) -> str:
    return f"± {length:.3g}" if length > 0.0 else "-"


def _kernel_lines(model: Any) -> list[str]:
    return [model.details] if model.details else []


def _dual_lines(result: Reported, largest: Verified, how: str) -> list[str]:
    """All dual coefficients at once: one of them, of hundreds, says little."""
    size, slope = (float(np.linalg.norm(v)) for v in (result.params, result.influence))
    moved = float(np.linalg.norm(largest.robust.params - result.params))
    text = (
        f"The dual coefficients (dual0 is that of the first row) have length {size:.5g}. At eps = "
        f"{largest.eps:g} they move by {largest.eps * slope:.5g} as predicted and by {moved:.5g} "
        f"as found ({how}); the prediction misses by {largest.params_error:.0%} of that."
    )
    return [_wrap(text), ""]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _wrap(text: str) -> str:
    return textwrap.fill(text, _WIDTH)


def report_json(result: Reported, verifications: Sequence[Verified]) -> str:
    """The report for a pipeline: unrounded numbers, null where one is infinite."""
    document = {
        "model": result.problem.model.kind,
        "n_samples": result.problem.source.n_rows,
        "n_features": result.problem.model.n_features,
        "names": result.names,
        "p": result.p,
        "order": result.order,
        "radius": result.radius,
        "params": result.params,
        "influence": result.influence,
        "sensitivity_coefficient": result.sensitivity_coefficient,
        "value_derivative": result.value_derivative,
        "validity_radius": result.validity_radius,
        "eps": [
            _verified(result, v) | answer_json(a)
            for v, a in zip(verifications, answers(result, verifications), strict=True)
        ],
        "diagnostics": result.diagnostics,
    }
    return json.dumps(_plain(document), indent=2, allow_nan=False)


def _verified(result: Reported, v: Verified) -> dict[str, Any]:
    """What is predicted and found at one ε."""
    return {
        "eps": v.eps,
        "cost": v.exact_cost,
        "gain": v.exact_gain,
        "predicted_cost": v.predicted_cost,
        "sensitivity": v.eps**2 * result.sensitivity_coefficient,
        "flip_fraction": result.flip_fraction(v.eps),
        "rough": result.rough_at(v.eps, expansion="quadratic"),
        "method": report.method_name(v.method),
        "converged": v.robust.converged,
        "params": v.robust.params,
        "params_error": v.params_error,
    }


def _plain(value: Any) -> Any:
    """What JSON can hold: lists for arrays, null for what is not finite."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
