"""Figures of results. matplotlib is optional: ``pip install matplotlib``.

Nothing here shows a window, chooses a backend or touches rcParams: figures are returned,
and what is drawn on axes of the caller's stays there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..reports import text
from ..reports.protocols import Reported, Verified
from ..reports.text import predicted_cost
from ..utils import validation
from ..utils.short_names import short_name
from .style import EPS_LABEL, LONGEST_NAME, new_figure

Array = NDArray[Any]

_MOST_BARS = 15
_RAISED, _LOWERED = "#c44e52", "#4c72b0"
_PREDICTED, _COST, _GAIN = "0.35", "#dd8452", "#55a868"
_SAME = 0.02  # relative: predictions that lie on one another are drawn once
_HALF_SQUARE = r"$\frac{1}{2}\,\varepsilon^2\,I^\top\! H I$"


def plot_influence(
    result: Reported,
    eps: float | None = None,
    ax: Any = None,
    *,
    level: float | None = None,
    **options: Any,
) -> Any:
    """Draw dθ/dε for the coefficients that move most (at most 15, without the intercept).

    Parameters
    ----------
    result : InfluenceResult
    eps : float, optional
        Draw the predicted change εI (eq. 5 times ε, in the coefficients' units) instead
        of the slope I.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new pyplot figure by default.
    level : float in (0, 1), optional
        Draw confidence intervals of this level, those of `InfluenceResult.conf_int`.
    **options
        Of `conf_int`: method, n_draws, random_state.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        matplotlib is not installed.
    """
    size = 1.0 if eps is None else validation.number(eps, "eps", low=0.0)
    text.refuse_without_level(level, options)
    chosen = text.largest_moves(result, _MOST_BARS)
    if ax is None:
        ax = new_figure(None, 6.4, 1.5 + 0.3 * max(len(chosen), 3)).subplots()
    lengths = result.influence[chosen] * size
    places = np.arange(len(chosen))
    ax.barh(places, lengths, color=np.where(lengths > 0, _RAISED, _LOWERED))
    if level is not None:
        ends = size * result.conf_int(level=level, **options)[chosen]
        reach = 0.5 * (ends[:, 1] - ends[:, 0])
        ax.errorbar(lengths, places, xerr=reach, fmt="none", ecolor="0.25", capsize=3)
    # Ticks by position: bars named by strings would be merged where two names are alike.
    ax.set_yticks(places, [short_name(result.names[k], LONGEST_NAME) for k in chosen])
    ax.invert_yaxis()
    ax.axvline(0.0, color="black", linewidth=0.8)
    ax.grid(axis="x", alpha=0.3)
    ax.set_axisbelow(True)
    if level is not None:
        ax.plot([], [], color="0.25", label=f"{100.0 * level:g} % confidence intervals")
        ax.legend(fontsize="small")
    unit = _unit(result)
    if eps is None:
        ax.set_xlabel(f"influence dθ/dε (change of {unit} per unit of ε)")
    else:
        ax.set_xlabel(f"predicted change of {unit} at ε = {eps:g}")
    ax.set_title(_influence_title(result, len(chosen)), fontsize="medium")
    return ax


def plot_report(
    result: Reported,
    eps_list: Sequence[float],
    verifications: Sequence[Verified],
    figure: Any = None,
) -> Any:
    """Draw a result and its verification: influence bars; cost and gain against ε.

    The line is ``½ ε² IᵀHI``, which both the cost and the gain follow to second order in
    ε (eq. 4, plus the penalty where alpha > 0); the points are those of
    robust optima.

    Parameters
    ----------
    result : InfluenceResult
    eps_list : sequence of float, positive
    verifications : sequence of Verification
        `result.verify(eps)` for each of them, in the same order.
    figure : matplotlib.figure.Figure, optional
        An empty figure to draw in; a new pyplot figure by default.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        matplotlib is not installed.
    """
    bars = min(result.problem.model.n_coefs, _MOST_BARS)
    figure = new_figure(figure, 11.0, max(4.2, 1.5 + 0.3 * bars))
    left, right = figure.subplots(1, 2)
    plot_influence(result, ax=left)
    order = np.argsort(eps_list)
    eps = np.asarray(eps_list, dtype=float)[order]
    ordered = [verifications[k] for k in order]
    _draw_costs(right, result, eps, ordered)
    return figure


def plot_verification(verified: Verified, ax: Any = None) -> Any:
    """Draw the predicted cost and gain of robust training beside the exact ones.

    Parameters
    ----------
    verified : Verification
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new pyplot figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        matplotlib is not installed.
    """
    if ax is None:
        ax = new_figure(None, 5.0, 4.0).subplots()
    places, how = np.arange(2), text.method_name(verified.method)
    predicted = [verified.predicted_cost, verified.predicted_gain]
    ax.bar(places - 0.2, predicted, 0.4, color=_PREDICTED, label="tangent (eq. 4)")
    exact = [verified.exact_cost, verified.exact_gain]
    ax.bar(places + 0.2, exact, 0.4, color=[_COST, _GAIN], label=[how, "_"])
    ax.set_xticks(places, ["cost (clean)", "gain (under attack)"])
    ax.axhline(0.0, color="black", linewidth=0.8)
    ax.grid(axis="y", alpha=0.3)
    ax.set_axisbelow(True)
    ax.margins(y=0.2)  # room for the legend
    ax.set_ylabel("change of the objective (penalty included)")
    ax.set_title(f"Robust training at ε = {verified.eps:g}", fontsize="medium")
    ax.legend(fontsize="small")
    return ax


def _draw_costs(
    ax: Any, result: Reported, eps: Array, verifications: Sequence[Verified]
) -> None:
    how = text.method_name(verifications[0].method)
    cost = np.array([v.exact_cost for v in verifications])
    gain = np.array([v.exact_gain for v in verifications])
    coefficient = verifications[-1].predicted_cost / eps[-1] ** 2
    line = np.geomspace(eps[0] / 1.5, eps[-1] * 1.5, 50)
    tangent = coefficient * line**2
    ax.plot(line, tangent, color=_PREDICTED, label=f"tangent, {_HALF_SQUARE}")
    if not result.problem.is_penalized:  # the points have the penalty in them, this has not
        predicted = np.array([predicted_cost(result, float(e)) for e in line])
        if not np.allclose(predicted, tangent, rtol=_SAME):
            ax.plot(line, predicted, "--", color=_COST, label="predicted cost (sensitivity)")
    ax.plot(eps, gain, "s", color=_GAIN, markersize=6, label=f"{how} gain (under attack)")
    ax.plot(eps, cost, "o", color=_COST, markersize=6, label=f"{how} cost (clean)")
    # Rounding can make a change negative at tiny eps, which a log axis would hide.
    if min(cost.min(), gain.min()) > 0:
        ax.set(xscale="log", yscale="log")
        _mark_ticks(ax, eps)
    if line[0] < result.validity_radius < line[-1]:
        radius = result.validity_radius
        ax.axvline(radius, color="0.6", linestyle=":", label=f"validity radius {radius:.3g}")
    ax.grid(alpha=0.3)
    ax.set_xlabel(EPS_LABEL)
    what = "loss + penalty" if result.problem.is_penalized else "loss"
    ax.set_ylabel(f"change of {what}")
    ax.set_title("Robust training: what it costs and gains", fontsize="medium")
    ax.legend(fontsize="small")


def _mark_ticks(ax: Any, eps: Array) -> None:
    """Name the ε that were asked for, but for those too near another for two labels."""
    if len(eps) > 6:
        return
    named: list[float] = []
    for e in eps[::-1]:
        if not named or np.log(named[-1] / e) >= 0.15:
            named.append(e)
    ax.set_xticks(named, [f"{e:g}" for e in named])
    ax.set_xticks([], minor=True)


def _influence_title(result: Reported, shown: int) -> str:
    problem = result.problem
    m = problem.model.n_coefs
    which = f" ({shown} of {m} coefficients)" if shown < m else ""
    return (
        f"Adversarial influence, {problem.model.kind} model{which}\n"
        f"attack norm p = {text.norm_name(result.p)}, radius s = {result.radius:.4g}"
    )


def _unit(result: Reported) -> str:
    """What θ's entries are: behind a scaler they have its units, but for dual ones."""
    model = result.problem.model
    if model.is_dual:
        return "dual coefficients"
    return "coefficients" if model.basis.is_identity else "scaled coefficients"


