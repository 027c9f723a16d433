"""Text and table forms of a result."""

from __future__ import annotations

import html as escaping
import textwrap
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd
from ..families.model import input_names
from ..utils.short_names import short_name
from .protocols import Reported, Trained

Array = NDArray[Any]

_WIDTH = 72


def frame(
    result: Reported, level: float | None = None, **options: Any
) -> pd.DataFrame:
    """A row per parameter: θ̂, dθ/dε and their ratio; with a level, intervals too."""
    import pandas as pd

    with np.errstate(divide="ignore", invalid="ignore"):
        relative = result.influence / np.abs(result.params)
    columns = {"param": result.params, "influence": result.influence, "relative": relative}
    refuse_without_level(level, options)
    if level is not None:
        columns |= result.interval_columns(level, **options)
    return pd.DataFrame(columns, index=pd.Index(result.names, name="name"))


def refuse_without_level(level: float | None, options: Mapping[str, Any]) -> None:
    """Options of intervals that nobody asks for would be passed over without a word."""
    if level is None and options:
        names = ", ".join(options)
        raise TypeError(f"{names}: options of intervals, which ask for a level=, as 0.95")


def robust_frame(fit: Trained) -> pd.DataFrame:
    """A row per parameter: θ̂, θ_ε and the change."""
    import pandas as pd

    columns = {
        "natural": fit.natural_params, "robust": fit.params,
        "change": fit.params - fit.natural_params,
    }  # fmt: skip
    return pd.DataFrame(columns, index=pd.Index(fit.names, name="name"))


def robust_summary(fit: Trained, most: int = 10) -> str:
    """What `str` says of the fit, and the parameters of the largest changes, in order."""
    change = fit.params - fit.natural_params
    chosen = np.argsort(-np.abs(change), kind="stable")[:most]
    lines = [
        str(fit), "-" * _WIDTH,
        f"{'':>20} {'natural':>16} {'robust':>16} {'change':>16}",
    ]  # fmt: skip
    lines += [
        f"{short_name(fit.names[k], 20):>20} {fit.natural_params[k]:>16.6g} "
        f"{fit.params[k]:>16.6g} {change[k]:>16.6g}"
        for k in chosen
    ]
    hidden = len(change) - len(chosen)
    if hidden:
        lines.append(f"{'':>20} ({hidden} more parameters move less)")
    return "\n".join(lines)


def notebook(summary: str, table: pd.DataFrame) -> str:
    """A report and a table as notebooks show them."""
    shown = table.to_html(max_rows=12, float_format=lambda v: f"{v:.5g}")
    return f"<pre>{escaping.escape(summary)}</pre>\n{shown}"


def largest_moves(result: Reported, count: int = 10) -> list[int]:
    """The coefficients (not the intercept) with the largest |influence|, in order."""
    m = result.problem.model.n_coefs
    return [int(k) for k in np.argsort(-np.abs(result.influence[:m]), kind="stable")[:count]]


def norm_name(p: float) -> str:
    """p as people write it."""
    return "inf" if np.isinf(p) else f"{p:g}"


def method_name(method: str) -> str:
    """How a robust optimum was found, as people write it."""
    return "PGD" if method == "pgd" else method


def summary(result: Reported, eps: Array) -> str:
    """The report that `print(result)` shows."""
    problem = result.problem
    lines = [
        "Adversarial influence".center(_WIDTH),
        "=" * _WIDTH,
        _pair("Model", problem.model.kind, "Attack norm p", norm_name(result.p)),
        _pair("Samples", str(problem.n_rows), "Attack radius s", f"{result.radius:.6g}"),
        _pair("Features", str(len(input_names(problem.model))), "Order", norm_name(result.order)),
        _pair(
            "S/eps^2", f"{result.sensitivity_coefficient:.6g}",
            "Value derivative", f"{result.value_derivative:.6g}",
        ),
        *_restriction(problem),
        "-" * _WIDTH,
        f"{'':>20} {'param':>14} {'influence':>14} {'relative':>12}",
    ]
    table = frame(result)
    rows = [*largest_moves(result), *range(problem.model.n_coefs, len(result.params))]
    for k in rows:
        row = table.iloc[k]
        lines.append(
            f"{short_name(result.names[k], 20):>20} {row['param']:>14.6g} "
            f"{row['influence']:>14.6g} {row['relative']:>12.4g}"
        )
    hidden = len(result.params) - len(rows)
    if hidden:
        lines.append(f"{'':>20} ({hidden} more coefficients move less)")
    lines += ["-" * _WIDTH, *_sensitivity_lines(result, eps)]
    if problem.is_penalized:
        lines.append(
            "With a penalty, S lacks a term of first order, which expansion='taylor' has."
        )
    lines.append("-" * _WIDTH)
    if problem.keeps_rows:
        radius = f"Validity radius {radius_text(result)} ({result.validity_reason})"
        lines.append(textwrap.fill(radius, _WIDTH))
    lines.append(diagnostics_line(result.diagnostics))
    return "\n".join(lines)


def attack_name(problem: Any) -> str:
    """The set of attacks, in a few words."""
    budgets = problem.source.budget is not None
    return f"{problem.ball}{' and budgets' * budgets}"


def _restriction(problem: Any) -> list[str]:
    """What the attack is beside a ball that all samples share."""
    return [f"Attacks with {attack_name(problem)}"] if problem.is_restricted else []


def predicted_cost(result: Reported, eps: float) -> float:
    """The cost as `sensitivity` predicts it; reports say in words how rough that is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(result.sensitivity(eps))


def _sensitivity_lines(result: Reported, eps: Array) -> list[str]:
    """A row per ε, with a mark where its S is rough."""
    keeps_rows, rough = result.problem.keeps_rows, ""
    flips = f" {'flipped':>14}" if keeps_rows else ""
    lines = [f"{'eps':>20} {'forecast':>14} {'S (eq. 4)':>14}{flips}"]
    for e in map(float, eps):
        cost = e**2 * result.sensitivity_coefficient
        flipped = f" {result.flip_fraction(e):>14.1%}" if keeps_rows else ""
        why = result.rough_at(e, expansion="quadratic")
        rough = rough or why
        lines.append(
            f"{e:>20g} {predicted_cost(result, e):>14.6g} {cost:>14.6g}{flipped}"
            f"{' *' if why else ''}"
        )
    if rough:
        told = f"* S is rough ({rough}): verify(eps) tells how rough."
        lines.append(textwrap.fill(told, _WIDTH))
    return lines


def diagnostics_line(diagnostics: Mapping[str, Any]) -> str:
    """The diagnostics that matter, in a line; one more for an iterative solver, and for damping."""
    line = (
        f"Condition number {diagnostics['condition_number']:.3g}, "
        f"Newton step {diagnostics['newton_step']:.1e} s.e., "
        f"zero gradients {diagnostics['zero_gradients']}, ties {diagnostics['ties']}"
    )
    solved = []
    if diagnostics["solver_iterations"]:
        solved.append(
            f"Solver {diagnostics['solver']}: {diagnostics['solver_iterations']} iterations, "
            f"relative residual {diagnostics['solver_residual']:.1e}"
        )
    if diagnostics["damping"] > 0.0:
        solved.append(f"Damping {diagnostics['damping']:.3g}")
    return "\n".join([line, *solved])


def _pair(left: str, left_value: str, right: str, right_value: str) -> str:
    half = _WIDTH // 2 - 1
    gap = half - len(left) - len(left_value)
    other = half - len(right) - len(right_value)
    return f"{left}{' ' * gap}{left_value}  {right}{' ' * other}{right_value}"


def radius_text(result: Reported, digits: int = 4) -> str:
    """The validity radius for a person: where kinks may be missed, inf would promise much."""
    if np.isinf(result.validity_radius) and "known" in result.validity_reason:
        return "not known"
    return f"{result.validity_radius:.{digits}g}"
