"""What `fastaif analyze` reports: a table for a person, JSON for a pipeline."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..families.model import input_names
from ..utils.short_names import short_name
from . import text as report
from .answer import Answer, answer_json, answer_lines, answers
from .protocols import Reported, Verified

_WIDTH = 79
_MOSTLY_WRONG = 0.5
_SHORT_NAMES, _NAMES = 20, 32  # characters of a name, beside a column more and without
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
    problem, middle = result.problem, _middle(verified)
    how, loss = report.method_name(verified[0].method), problem.model.loss.name.replace("_", " ")
    found = answers(result, verified)
    lines = [
        f"Adversarial influence: {problem.model.kind} model of {short_name(title, 40)}",
        "=" * _WIDTH,
        f"{problem.source.n_rows:,} samples, {len(input_names(problem.model)):,} features, "
        f"{problem.penalty_is}; attack p = {report.norm_name(result.p)}, s = {result.radius:.5g}"
        + (f", order {result.order:g}" if problem.sharing.is_shared else ""),
        *_kernel_lines(problem.model),
        _wrap(_units(result)),
        "",
        *answer_lines(found, loss, how),
        *_nothing_left(result, verified),
        "",
        *_prediction_lines(result, verified, found),
        "",
        *_coefficient_lines(result, middle),
    ]
    radius = report.radius_text(result, 5)
    reason = f"Validity radius {radius} ({result.validity_reason})."
    solved = report.diagnostics_line(result.diagnostics).splitlines()
    return "\n".join([*lines, _wrap(reason), *map(_wrap, solved)])


def _middle(verified: Sequence[Verified]) -> Verified:
    """The ε in the middle, of two the smaller: at the largest little may be left of the model."""
    return sorted(verified, key=lambda v: v.eps)[(len(verified) - 1) // 2]


def _units(result: Reported) -> str:
    """What ε is, and what the numbers are of."""
    whose = "all attacks together" if result.problem.sharing.is_shared else "an attack"
    return (
        f"eps is the p = {report.norm_name(result.p)} length of {whose}, divided by s, the "
        "samples' mean length. All numbers are of the data that the model was fitted to."
        + _labels(result.problem.model)
    )


def _labels(model: Any) -> str:
    """Which label f > 0 means, where there are two."""
    classes = getattr(model.encode, "classes", None)
    if classes is None or len(classes) > 2:
        return ""
    return f" Positive is the label {classes.tolist()[1]!r}."


def _nothing_left(result: Reported, verified: Sequence[Verified]) -> list[str]:
    """Which robust models are constants."""
    m = result.problem.model.n_coefs
    flat = [f"{v.eps:g}" for v in verified if not v.robust.params[:m].any()]
    if not flat or result.problem.model.is_dual:
        return []
    return [f"At eps = {', '.join(flat)} the robust model is a constant: no coefficient is left."]


def _prediction_lines(
    result: Reported, verified: Sequence[Verified], found: Sequence[Answer]
) -> list[str]:
    """What one would have said without training, beside the cost."""
    head = "exact" if report.method_name(verified[0].method) == "exact" else "found"
    lines = [
        "What would have been predicted of the cost, without any robust training",
        f"{'eps':>8}{'S (eq. 4)':>15}{'predicted':>14}{head:>14}{'samples turned':>18}",
    ]
    rough = [bool(result.rough_at(v.eps)) for v in verified]
    for v, a, is_rough in zip(verified, found, rough, strict=True):
        predicted = report.predicted_cost(result, v.eps)
        lines.append(
            f"{v.eps:>8g}{a.tangent:>14.6g}{'*' if a.is_off else ' '}{predicted:>13.6g}"
            f"{'~' if is_rough else ' '}{a.cost:>14.6g}{result.flip_fraction(v.eps):>18.1%}"
        )
    meaning = (
        "S: eq. 4 of Deng et al. (2020), the cost's tangent at eps = 0; predicted: by "
        "sensitivity(eps); turned: attacked from the other side by then, by the tangent. However "
        "rough these are, the tables above stand."
    )
    if any(rough):
        meaning = f"~ rough. {meaning}"
    if any(a.is_off for a in found):
        meaning = f"* off by more than a factor of two. {meaning}"
    return [*lines, _wrap(meaning)]


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


def _coefficient_lines(result: Reported, at: Verified) -> list[str]:
    model, how = result.problem.model, report.method_name(at.method)
    dual = model.is_dual
    exact = at.robust.params - result.params
    order = np.argsort(-np.abs(exact[: model.n_coefs]), kind="stable")
    chosen = order[: _MOST_DUAL if dual else _MOST]
    which = "" if len(chosen) == model.n_coefs else f" ({len(chosen)} of {model.n_coefs})"
    reach = _reach(result, at.eps)
    unit = "" if dual or model.basis.is_identity else ", per standard deviation"
    room_for_names = _NAMES if reach is None else _SHORT_NAMES
    width = min(max([_SHORT_NAMES, *(len(result.names[k]) + 1 for k in chosen)]), room_for_names)
    lines = [
        *(_dual_lines(result, at, how) if dual else []),
        f"What robust training moves most{which}{unit}",
        f"{'':>{width}}{'param':>12}{'influence':>12}{'change at eps = ' + f'{at.eps:g}:':>23}",
        f"{'':>{width + 24}}{'tangent':>11}{how:>12}{'' if reach is None else 'x within':>12}",
    ]
    for k in chosen:
        slope = result.influence[k]
        numbers = f"{result.params[k]:>12.5g}{slope:>12.5g}{at.eps * slope:>11.4g}"
        room = "" if reach is None else f"{_within(reach[k]):>12}"
        name = short_name(result.names[k], width - 1)
        lines.append(f"{name:>{width}}{numbers}{exact[k]:>12.5g}{room}")
    if not dual:
        lines.append("influence: d param / d eps at eps = 0; tangent: eps times that")
    if reach is not None:
        lines.append("x within: how far the attack can move that feature if it moves no other")
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


def _wrap(text: str) -> str:
    return textwrap.fill(text, _WIDTH)


def report_json(result: Reported, verifications: Sequence[Verified]) -> str:
    """The report for a pipeline: unrounded numbers, null where one is infinite."""
    document = {
        "model": result.problem.model.kind,
        "attack": report.attack_name(result.problem),
        "bounds": result.problem.ball.describe().get("the bounds"),
        "alpha": result.problem.alpha,
        "n_samples": result.problem.source.n_rows,
        "n_features": len(input_names(result.problem.model)),
        "features": input_names(result.problem.model),
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
        "predicted_cost": report.predicted_cost(result, v.eps),
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
