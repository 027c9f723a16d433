"""Figure 1 of the paper: how well the influence predicts linear regression's robust optimum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..api.aif import aif
from ..api.robust_fit import robust_fit
from ..plotting.style import (
    BLUE,
    EPS_LABEL,
    GREEN,
    INFLUENCE_ERROR,
    ORANGE,
    SENSITIVITY_ERROR,
    new_figure,
)
from ..reports import text
from ..utils import validation
from ._result import Experiment

if TYPE_CHECKING:
    import pandas as pd

    from ..influence.result import InfluenceResult

Array = NDArray[Any]

_EXACT, _PGD = BLUE, ORANGE

COEFFICIENTS = (2.0, -3.4)
NOISE = 0.1
PAPER_EPS = (0.04, 0.06, 0.08, 0.10, 0.12)
_FEWEST_FOR_A_SLOPE = 3


@dataclass(frozen=True, eq=False)
class Figure1Result(Experiment):
    """The error curves of Figure 1.

    "Influence" errors are ``‖(θ_ε − θ̂)/ε − I‖₂`` (units of θ); "sensitivity" errors are
    ``|S_ε/ε² − ½ IᵀHI|`` (units of the loss), where S_ε is the exact change of the clean
    loss ``E (f − y)²`` and H its Hessian, so that ½ IᵀHI is eq. 4's S/ε².

    Attributes
    ----------
    eps : array (k,)
        The first panels' ε, in units of the radius s.
    error_influence_exact, error_influence_pgd : array (k,)
        For exact robust optima and for those of projected gradient descent.
    error_sensitivity_exact, error_sensitivity_pgd : array (k,)
    small_eps : array (j,)
        The last panel's ε.
    small_error_influence, small_error_sensitivity : array (j,)
        Of exact optima.
    slope_influence, slope_sensitivity : float
        Slopes of log error on log ε, over the small ε below a tenth of the validity
        radius (there the robust path is smooth, and theory says 1). NaN where fewer than
        three of them are.
    params, influence : array (2,)
        θ̂ and I.
    radius : float
        s.
    sensitivity_coefficient : float
        ½ IᵀHI.
    validity_radius : float
        The least ε at which the robust path has a kink.
    n_samples : int
    p : float
        The attack's norm.
    """


    eps: Array
    error_influence_exact: Array
    error_influence_pgd: Array
    error_sensitivity_exact: Array
    error_sensitivity_pgd: Array
    small_eps: Array
    small_error_influence: Array
    small_error_sensitivity: Array
    slope_influence: float
    slope_sensitivity: float
    params: Array
    influence: Array
    radius: float
    sensitivity_coefficient: float
    validity_radius: float
    n_samples: int
    p: float

    def to_frame(self) -> pd.DataFrame:
        """A row per ε and panel.

        Columns: eps, error_influence_exact, error_influence_pgd, error_sensitivity_exact,
        error_sensitivity_pgd, panel ("paper" or "small"). The small panel has no optima of
        projected gradient descent: NaN.
        """
        import pandas as pd

        missing = np.full(len(self.small_eps), np.nan)
        columns = {
            "eps": (self.eps, self.small_eps),
            "error_influence_exact": (self.error_influence_exact, self.small_error_influence),
            "error_influence_pgd": (self.error_influence_pgd, missing),
            "error_sensitivity_exact": (self.error_sensitivity_exact, self.small_error_sensitivity),
            "error_sensitivity_pgd": (self.error_sensitivity_pgd, missing),
        }
        frame = pd.DataFrame({name: np.concatenate(parts) for name, parts in columns.items()})
        frame["panel"] = ["paper"] * len(self.eps) + ["small"] * len(self.small_eps)
        return frame

    def summary(self) -> str:
        """The table as text, at most 80 columns wide."""
        head = (
            f"Figure 1: linear regression, n = {self.n_samples}, p = {text.norm_name(self.p)}, "
            f"s = {self.radius:.5g}"
        )
        moves = ", ".join(f"{v:.5f}" for v in self.influence)
        frame = self.to_frame().drop(columns="panel")
        frame.columns = ["eps", "|dI| exact", "|dI| PGD", "|dS| exact", "|dS| PGD"]
        table = frame.to_string(
            index=False, na_rep="-", col_space=14, float_format="{:.3g}".format
        )
        tail = [
            "dI = (theta_eps - theta)/eps - I, dS = S_eps/eps^2 - I'HI/2 (eq. 4)",
            f"Slopes of log error on log eps below a tenth of the validity radius "
            f"{self.validity_radius:.3g}:",
            f"dI {self.slope_influence:.4f}, dS {self.slope_sensitivity:.4f} (theory: 1)",
        ]
        return "\n".join([head, f"I = ({moves})", "", table, "", *tail])

    def _draw(self, figure: Any) -> Any:
        return plot_figure1(self, figure)


def figure1(
    eps: Any = None,
    n_samples: int = 500,
    p: float = 2.0,
    small_eps: Any = None,
    random_state: Any = 0,
    progress: bool = True,
) -> Figure1Result:
    """Figure 1: the errors of the influence and of the sensitivity against ε.

    x ~ N(0, I₂), y = 2 x₁ − 3.4 x₂ + 0.1 z with z ~ N(0, 1), and least squares without
    penalty and without an intercept, as in the paper's linear models. At each ε the robust
    optimum θ_ε is found exactly and by projected gradient descent (the paper's way), and
    compared with I (eq. 5) and ½ IᵀHI (eq. 4). A second set of ε, from 1e-2 down to 1e-6,
    shows what the paper could not: that both errors vanish in proportion to ε below the
    first kink of the robust path, here some 1e-3.

    Parameters
    ----------
    eps : array, optional
        Default .04, .06, .08, .10, .12, the paper's; in units of s = E‖x‖_p.
    n_samples : int, default 500
    p : float in [1, inf], default 2
        The attack's norm.
    small_eps : array, optional
        Default 17 values from 1e-2 to 1e-6, evenly spaced in their logarithms.
    random_state : int, Generator or None, default 0
        Of the data.
    progress : bool, default True
        Show a progress bar on stderr.

    Returns
    -------
    Figure1Result

    Raises
    ------
    ValueError, TypeError
        For eps or small_eps that are empty or not positive, n_samples below 3, or p < 1.

    Examples
    --------
    >>> from fastaif.experiments import figure1
    >>> result = figure1(eps=[0.1], progress=False)
    >>> abs(result.slope_influence - 1) < 0.05
    True
    """
    from tqdm import tqdm

    n_samples = validation.count(n_samples, "n_samples", 3)
    large = _positive(PAPER_EPS if eps is None else eps, "eps")
    small = _positive(np.logspace(-2, -6, 17) if small_eps is None else small_eps, "small_eps")
    X, y, result = _influence(n_samples, p, random_state)
    tasks = [
        *((e, method) for method in ("exact", "pgd") for e in large),
        *((e, "exact") for e in small),
    ]
    bar = tqdm(tasks, desc="figure 1", unit="fit", disable=not progress, leave=False)
    errors = np.array([_errors(result, X, y, e, method) for e, method in bar]).T
    k = len(large)
    tail_influence, tail_sensitivity = errors[:, 2 * k :]
    smooth = small < result.validity_radius / 10
    return Figure1Result(
        eps=large,
        error_influence_exact=errors[0, :k],
        error_influence_pgd=errors[0, k : 2 * k],
        error_sensitivity_exact=errors[1, :k],
        error_sensitivity_pgd=errors[1, k : 2 * k],
        small_eps=small,
        small_error_influence=tail_influence,
        small_error_sensitivity=tail_sensitivity,
        slope_influence=_slope(small[smooth], tail_influence[smooth]),
        slope_sensitivity=_slope(small[smooth], tail_sensitivity[smooth]),
        params=result.params,
        influence=result.influence,
        radius=result.radius,
        sensitivity_coefficient=result.sensitivity_coefficient,
        validity_radius=result.validity_radius,
        n_samples=n_samples,
        p=result.p,
    )


def _influence(n: int, p: float, random_state: Any) -> tuple[Array, Array, InfluenceResult]:
    """The data and the influence of their least-squares fit."""
    from ..models.linear import LinearRegression

    rng = np.random.default_rng(random_state)
    X = rng.standard_normal((n, len(COEFFICIENTS)))
    y = X @ np.array(COEFFICIENTS) + NOISE * rng.standard_normal(n)
    return X, y, aif(LinearRegression(fit_intercept=False).fit(X, y), X, y, p=p)


def _errors(
    result: InfluenceResult, X: Array, y: Array, eps: float, method: str
) -> tuple[float, float]:
    """The errors of the influence and of the sensitivity at one ε."""
    estimator = result.problem.model.rebuild(result.params)
    robust = robust_fit(estimator, X, y, float(eps), p=result.p, method=method)
    moved = robust.params - result.params
    cost = result.problem.loss_change(robust.params)
    influence_error = float(np.linalg.norm(moved / eps - result.influence))
    return influence_error, abs(cost / eps**2 - result.sensitivity_coefficient)


def _slope(eps: Array, errors: Array) -> float:
    """The least-squares slope of log error on log ε."""
    kept = errors > 0
    if np.count_nonzero(kept) < _FEWEST_FOR_A_SLOPE:
        return float("nan")
    slope, _ = np.polyfit(np.log(eps[kept]), np.log(errors[kept]), 1)
    return float(slope)


def _positive(eps: Any, name: str) -> Array:
    radii = np.atleast_1d(validation.radii(eps))
    if radii.ndim != 1 or radii.size == 0 or not np.all(radii > 0):
        raise ValueError(f"{name} must hold at least one number above 0, but is {eps!r}")
    return radii


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
    figure = new_figure(figure, 13.0, 4.2)
    first, second, third = figure.subplots(1, 3)
    _draw_paper_errors(first, result.eps, result.error_influence_exact, result.error_influence_pgd)
    first.set_ylabel(f"{INFLUENCE_ERROR}   (units of θ)")
    _draw_paper_errors(
        second, result.eps, result.error_sensitivity_exact, result.error_sensitivity_pgd
    )
    second.set_ylabel(f"{SENSITIVITY_ERROR}   (units of the loss)")
    for errors, name, fitted, mark, color in (
        (result.small_error_influence, INFLUENCE_ERROR, result.slope_influence, "o", _EXACT),
        (result.small_error_sensitivity, SENSITIVITY_ERROR, result.slope_sensitivity, "s", GREEN),
    ):
        label = f"{name}, slope {fitted:.3f}"
        third.loglog(result.small_eps, errors, f"{mark}-", markersize=4, color=color, label=label)
    radius = result.validity_radius
    if result.small_eps.min() < radius < result.small_eps.max():
        third.axvline(radius, color="0.6", linestyle=":", label=f"validity radius {radius:.2g}")
    third.set(ylabel="error of the exact optimum", xlabel=EPS_LABEL)
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
    ax.set_xlabel(EPS_LABEL)
    ax.legend(fontsize="small", loc="upper left")
    ax.grid(alpha=0.3)
