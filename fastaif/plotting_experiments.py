"""Figures of the experiments: what theory says as lines, what was found as points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .plotting.results import _EPS_LABEL, _new_figure
from .reports import text

if TYPE_CHECKING:
    from .experiments import (
        Corollary51Result,
        Figure1Result,
        Figure2aResult,
        Theorem51Result,
        Theorem52Result,
        Theorem53Result,
        Theorem54Result,
    )

Array = NDArray[Any]

_BLUE, _ORANGE, _GREEN = "#4c72b0", "#dd8452", "#55a868"
_EXACT, _PGD = _BLUE, _ORANGE
_INFLUENCE_ERROR = r"$\|(\theta_\varepsilon - \hat\theta)/\varepsilon - I\,\|_2$"
_SENSITIVITY_ERROR = r"$|S_\varepsilon/\varepsilon^2 - \frac{1}{2}\,I^\top\! H I\,|$"
_SENSITIVITY = r"sensitivity $S_\varepsilon/\varepsilon^2$   (units of the loss)"
_FEATURES = "features in the model, m"
_BARS = "samples (mean ± 2 s.e.)"
_FINITE = {"color": "black", "linestyle": "--", "linewidth": 0.8}
_FINITE_LABEL = "theory and its 1/n term"
_STEPS = (1, 2, 5)


def plot_figure1(result: Figure1Result, figure: Any = None) -> Any:
    """Draw the paper's Figure 1 and its continuation to small ε.

    Three panels: the error of dθ/dε and that of S_ε/ε² at the paper's ε, for exact robust
    optima and for those of projected gradient descent; and both errors of the exact
    optima at small ε on logarithmic axes, with their fitted slopes (theory: 1).

    Parameters
    ----------
    result : Figure1Result
        Of `fastaif.experiments.figure1`.
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
    figure = _new_figure(figure, 13.0, 4.2)
    first, second, third = figure.subplots(1, 3)
    _draw_paper_errors(first, result.eps, result.error_influence_exact, result.error_influence_pgd)
    first.set_ylabel(f"{_INFLUENCE_ERROR}   (units of θ)")
    _draw_paper_errors(
        second, result.eps, result.error_sensitivity_exact, result.error_sensitivity_pgd
    )
    second.set_ylabel(f"{_SENSITIVITY_ERROR}   (units of the loss)")
    for errors, name, fitted, mark, color in (
        (result.small_error_influence, _INFLUENCE_ERROR, result.slope_influence, "o", _EXACT),
        (result.small_error_sensitivity, _SENSITIVITY_ERROR, result.slope_sensitivity, "s", _GREEN),
    ):
        label = f"{name}, slope {fitted:.3f}"
        third.loglog(result.small_eps, errors, f"{mark}-", markersize=4, color=color, label=label)
    radius = result.validity_radius
    if result.small_eps.min() < radius < result.small_eps.max():
        third.axvline(radius, color="0.6", linestyle=":", label=f"validity radius {radius:.2g}")
    third.set(ylabel="error of the exact optimum", xlabel=_EPS_LABEL)
    third.legend(fontsize="small")
    third.grid(alpha=0.3)
    titles = ("Error of the influence", "Error of the sensitivity", "Both at small ε")
    for ax, title in zip((first, second, third), titles, strict=True):
        ax.set_title(title, fontsize="medium")
    figure.suptitle(
        f"Linear regression, n = {result.n_samples}, p = {text.norm_name(result.p)}, "
        f"s = {result.radius:.3g}"
    )
    return figure


def _draw_paper_errors(ax: Any, eps: Array, exact: Array, pgd: Array) -> None:
    ax.plot(eps, exact, "o-", color=_EXACT, label="exact robust optimum")
    ax.plot(eps, pgd, "x--", color=_PGD, markersize=8, label="projected gradient descent")
    top = max(float(np.max(exact)), float(np.max(pgd)))
    # From zero, where both errors tend; headroom for the legend.
    ax.set_ylim(0.0, 1.35 * top)
    ax.set_xlabel(_EPS_LABEL)
    ax.legend(fontsize="small", loc="upper left")
    ax.grid(alpha=0.3)


def plot_figure2a(result: Figure2aResult, figure: Any = None) -> Any:
    """Draw Figure 2(a): S/ε² against the number of features, on a logarithmic axis.

    Bars are the standard deviation of one repetition. Arguments, result and errors are as in
    `plot_figure1`.
    """
    figure = _new_figure(figure, 6.4, 4.4)
    ax = figure.subplots()
    spread = result.sensitivity_sd
    ax.errorbar(
        result.n_features, result.sensitivity_mean, spread, fmt="o-", color=_BLUE, markersize=4,
        capsize=3, label="mean ± standard deviation of a repetition",
    )  # fmt: skip
    ax.set(xlabel=_FEATURES, ylabel=_SENSITIVITY, yscale="log", xticks=result.n_features)
    ax.set_title(
        f"Least squares on (x, x²) of m of {len(result.n_features)} features\n"
        f"n = {result.n_samples}, {len(result.sensitivities)} repetitions, p = 2",
        fontsize="medium",
    )
    _finish(ax)
    return figure


def plot_theorem_5_1(result: Theorem51Result, figure: Any = None) -> Any:
    """Draw S/ε² of linear and quadratic regression against ‖β₂‖, a panel for each ‖β₁‖.

    Arguments, result and errors are as in `plot_figure1`.
    """
    panels = len(result.beta1_norms)
    figure = _new_figure(figure, 1.0 + 4.8 * panels, 4.4)
    axes = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
    for row, ax in enumerate(axes):
        for name, color, mark in (("linear", _BLUE, "o"), ("quadratic", _ORANGE, "s")):
            value, mean, error = (
                getattr(result, name + part)[row] for part in ("", "_mean", "_se")
            )
            ax.plot(result.beta2_norms, value, color=color, label=f"{name} model, theory")
            _points(ax, result.beta2_norms, mean, error, color, mark, f"{name} model, samples")
        if not np.isnan(result.crossovers[row]):
            ax.axvline(
                result.crossovers[row], color="0.6", linestyle=":",
                label=f"equal at ‖β₂‖ = {result.crossovers[row]:.3g}",
            )  # fmt: skip
        ax.set_xlabel("curvature of the truth, ‖β₂‖₂")
        ax.set_title(f"slope ‖β₁‖₂ = {result.beta1_norms[row]:g}", fontsize="medium")
        _finish(ax)
    axes[0].set_ylabel(_SENSITIVITY)
    figure.suptitle(
        f"y = β₁ᵀx + (β₂ᵀx)² + ξ, m = {result.n_features}, p = {text.norm_name(result.p)}, "
        f"n = {result.n_samples}   (samples: mean ± 2 s.e. of {result.n_repetitions})"
    )
    return figure


def plot_theorem_5_2(result: Theorem52Result, figure: Any = None) -> Any:
    """Draw S/ε² of linear regression against the number of features, for both designs.

    Arguments, result and errors are as in `plot_figure1`.
    """
    figure = _new_figure(figure, 6.4, 4.4)
    ax = figure.subplots()
    names = {"gaussian": "normal x and noise", "signs": r"x = $\pm\sigma_x$, Laplace noise"}
    for row, (design, color, mark) in enumerate(
        zip(result.designs, (_BLUE, _ORANGE), "os", strict=True)
    ):
        name = names[design]
        ax.plot(result.n_features, result.closed_form[row], color=color, label=f"{name}: theory")
        label = _FINITE_LABEL if row == len(result.designs) - 1 else None
        ax.plot(result.n_features, result.in_sample[row], **_FINITE, label=label)
        _points(
            ax, result.n_features, result.mean[row], result.standard_error[row], color, mark,
            f"{name}: {_BARS}",
        )  # fmt: skip
    ax.set(xlabel=_FEATURES, ylabel=_SENSITIVITY, ylim=(0.0, None), xticks=result.n_features)
    ax.set_title(
        f"Linear regression with ‖β‖ = 1, p = 2\nn = {result.n_samples}, "
        f"{result.n_repetitions} repetitions",
        fontsize="medium",
    )
    _finish(ax)
    return figure


def plot_corollary_5_1(result: Corollary51Result, figure: Any = None) -> Any:
    """Draw the parabola of the random-effects model.

    Arguments, result and errors are as in `plot_figure1`.
    """
    figure = _new_figure(figure, 6.4, 4.4)
    ax = figure.subplots()
    ax.plot(result.n_features, result.closed_form, color=_BLUE, label="theory")
    ax.plot(result.n_features, result.in_sample, **_FINITE, label=_FINITE_LABEL)
    _points(ax, result.n_features, result.mean, result.standard_error, _ORANGE, "o", _BARS)
    if result.n_features[0] < result.peak < result.n_features[-1]:
        ax.axvline(result.peak, color="0.6", linestyle=":", label=f"peak, m = {result.peak:.3g}")
    top = float(np.max(result.mean + 2 * result.standard_error))
    ax.set(xlabel=_FEATURES, ylabel=_SENSITIVITY, ylim=(0.0, 1.1 * top), xticks=result.n_features)
    ax.set_title(
        f"Linear regression on m of {result.n_effects} random effects, p = 2\n"
        f"n = {result.n_samples}, {result.n_repetitions} repetitions",
        fontsize="medium",
    )
    _finish(ax, loc="lower center")
    return figure


def plot_theorem_5_3(result: Theorem53Result, figure: Any = None) -> Any:
    """Draw S/ε² of basis models and its bound on logarithmic axes, a panel for each p.

    Arguments, result and errors are as in `plot_figure1`.
    """
    panels = len(result.p)
    figure = _new_figure(figure, 2.2 + 2.5 * panels, 4.4)
    axes = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
    for row, ax in enumerate(axes):
        m = result.n_features
        ax.plot(m, result.bound[row], "^--", color=_GREEN, markersize=4, label="bound")
        ax.plot(m, result.sensitivity[row], color=_BLUE, label="theory")
        _points(ax, m, result.mean[row], result.standard_error[row], _ORANGE, "o", "samples")
        ax.set(yscale="log", xticks=m)
        _mark_steps(ax, float(np.min(result.sensitivity)), float(np.max(result.bound)))
        ax.set_title(f"p = {text.norm_name(float(result.p[row]))}", fontsize="medium")
        ax.grid(alpha=0.3)
    axes[0].set_ylabel(_SENSITIVITY)
    axes[0].legend(fontsize="small")
    figure.supxlabel(_FEATURES, fontsize="medium")
    figure.suptitle(
        f"Least squares on (x, x²), n = {result.n_samples}   "
        f"(samples: mean ± 2 s.e. of {result.n_repetitions})"
    )
    return figure


def plot_theorem_5_4(result: Theorem54Result, figure: Any = None) -> Any:
    """Draw the ratio of sensitivities against the noise added to the inputs.

    Arguments, result and errors are as in `plot_figure1`.
    """
    figure = _new_figure(figure, 6.4, 4.4)
    ax = figure.subplots()
    marks = "os^vDP"
    for row, signal in enumerate(result.signals):
        color = f"C{row}"
        ax.plot(
            result.sigma_r, result.closed_form[row], color=color,
            label=rf"theory, $\sigma_x^2 \|\beta\|^2 / \sigma_\eta^2$ = {signal:.3g}",
        )  # fmt: skip
        _points(
            ax, result.sigma_r, result.mean[row], result.standard_error[row], color,
            marks[row % len(marks)], _BARS,
        )  # fmt: skip
    ax.axhline(1.0, color="0.6", linestyle=":", label="no smoothing")
    ax.set(
        xlabel=r"noise added to each feature, $\sigma_r$ (units of x)",
        ylabel="sensitivity with smoothing / without", xlim=(0.0, None), ylim=(0.0, None),
    )  # fmt: skip
    ax.set_title(
        f"Randomized smoothing of linear regression, p = 2\nm = {result.n_features}, "
        f"n = {result.n_samples}, {result.n_repetitions} repetitions",
        fontsize="medium",
    )
    _finish(ax)
    return figure


def _points(
    ax: Any, x: Array, mean: Array, error: Array, color: str, mark: str, label: str
) -> None:
    ax.errorbar(x, mean, 2.0 * error, fmt=mark, color=color, markersize=4, capsize=2, label=label)


def _mark_steps(ax: Any, low: float, high: float) -> None:
    """Name 1, 2 and 5 times the powers of ten on a logarithmic axis of few decades."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    steps = [step * 10.0**k for k in decades for step in _STEPS]
    shown = [v for v in steps if low / 2.5 <= v <= 2.5 * high]
    ax.set_yticks(shown, [f"{v:g}" for v in shown])
    ax.set_yticks([], minor=True)


def _finish(ax: Any, loc: str = "best") -> None:
    ax.grid(alpha=0.3)
    ax.set_axisbelow(True)
    ax.legend(fontsize="small", loc=loc)
