"""Attacks whose budget samples share: the influence, and both formulas for it, against u."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ..api.aif import aif
from ..api.robust_fit import robust_fit
from ..families.finite_sum.problem import SumProblem
from ..plotting.style import BLUE, EPS_LABEL, ORANGE, finish, new_figure
from ..reports import text
from ..utils import validation
from ._result import Experiment

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

_RELATIVE = r"relative error of $I$"
_SHOWN = (1.0, 2.0, np.inf)

ORDERS = (1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 4.0, 8.0, np.inf)
EPS = (1e-5, 1e-4, 1e-3, 1e-2)
COEFFICIENTS = (2.0, -3.4, 0.5)


@dataclass(frozen=True, eq=False)
class WassersteinResult(Experiment):
    """How far robust optima move, and how well two formulas predict it, order by order.

    Errors are ``‖(θ_ε − θ̂)/ε − I‖ / ‖(θ_ε − θ̂)/ε‖``, those of the paper's formula with its
    own I.

    Attributes
    ----------
    orders : array (k,)
        u.
    eps : array (j,)
    influence_norm : array (k,)
        ‖I‖₂ (units of θ).
    value_derivative : array (k,)
        d/dε of the robust optimal objective at 0.
    largest_share : array (k,)
        What the sample of the largest gradient brings of the attack's gain, g^v/Σ g^v.
    error, error_paper : array (k, j)
        Of Theorem 6.1 corrected, and as printed.
    method : tuple of str
        How the robust optima of each order were found, "exact" or "pgd".
    converged : boolean array (k, j)
    n_samples : int
    p : float
    """


    orders: Array
    eps: Array
    influence_norm: Array
    value_derivative: Array
    largest_share: Array
    error: Array
    error_paper: Array
    method: tuple[str, ...]
    converged: Array
    n_samples: int
    p: float

    def to_frame(self) -> pd.DataFrame:
        """A row per order and ε."""
        import pandas as pd

        index = pd.MultiIndex.from_product([self.orders, self.eps], names=["order", "eps"])
        each = {"influence_norm": self.influence_norm, "value_derivative": self.value_derivative,
                "largest_share": self.largest_share, "method": np.array(self.method)}  # fmt: skip
        columns = {name: np.repeat(values, len(self.eps)) for name, values in each.items()}
        columns |= {"error": self.error.ravel(), "error_paper": self.error_paper.ravel(),
                    "converged": self.converged.ravel()}  # fmt: skip
        return pd.DataFrame(columns, index=index).reset_index()

    def summary(self) -> str:
        """Each order at the smallest ε, at most 80 columns wide."""
        import pandas as pd

        smallest = int(np.argmin(self.eps))
        table = pd.DataFrame(
            {
                "u": [text.norm_name(u) for u in self.orders],
                "|I|": self.influence_norm,
                "value'": self.value_derivative,
                "top share": self.largest_share,
                "error": self.error[:, smallest],
                "as printed": self.error_paper[:, smallest],
                "optimum": self.method,
            }
        )
        return "\n".join(
            [
                f"Budgets shared by samples: linear regression, n = {self.n_samples}, "
                f"p = {text.norm_name(self.p)}",
                "",
                table.to_string(index=False, float_format="{:.3g}".format),
                "",
                f"error: relative, of the influence at eps = {self.eps[smallest]:g}, beside the "
                "robust optimum;",
                "as printed: Theorem 6.1 as printed, right for u = 1 (and without effect at inf)",
            ]
        )

    def _draw(self, figure: Any) -> Any:
        return plot_wasserstein(self, figure)


def wasserstein(
    orders: Any = ORDERS,
    eps: Any = EPS,
    n_samples: int = 30,
    p: float = 2.0,
    random_state: Any = 0,
    progress: bool = True,
) -> WassersteinResult:
    """Influences under attacks with a shared budget, ``(E ‖δ_i‖_p^u)^{1/u} ≤ ε s``.

    x ~ N(0, I₃), y = 2 x₁ − 3.4 x₂ + ½ x₃ + z, z ~ N(0, 1), least squares without penalty or
    intercept. For each order u the influence is compared with robust optima at each ε:
    exact ones for u = 1, 2 and ∞, else those of an ascent over the budgets.

    Parameters
    ----------
    orders : increasing floats in [1, inf]
    eps : increasing floats above 0
    n_samples : int of at least 4, default 30
    p : float in [1, inf], default 2
    random_state : int, Generator or None, default 0
    progress : bool, default True
        Show a progress bar on stderr.

    Returns
    -------
    WassersteinResult

    Raises
    ------
    ValueError, TypeError
        For sizes or numbers out of range.
    """
    from tqdm import tqdm

    from ..models.linear import LinearRegression

    n = validation.count(n_samples, "n_samples")
    if n <= len(COEFFICIENTS):
        raise ValueError(f"n_samples must be at least 4, but is {n_samples!r}")
    grid, radii = _orders(orders), _radii(eps)
    rng = np.random.default_rng(random_state)
    X = rng.standard_normal((n, len(COEFFICIENTS)))
    y = X @ COEFFICIENTS + rng.standard_normal(n)
    model = LinearRegression(fit_intercept=False).fit(X, y)
    norms, values, shares = (np.empty(grid.size) for _ in range(3))
    errors = np.empty((2, grid.size, radii.size))
    converged, methods = np.empty(errors.shape[1:], dtype=bool), []
    bar = tqdm(grid.tolist(), "orders", delay=1.0, leave=False, disable=not progress)
    for k, u in enumerate(bar):
        found = aif(model, X, y, p=p, order=u)
        printed = aif(model, X, y, p=p, order=u, formula="paper")
        norms[k], values[k] = np.linalg.norm(found.influence), found.value_derivative
        problem = cast(SumProblem, found.problem)
        brought = problem.budgets * problem.input_gains()
        shares[k] = brought.max() / brought.sum()
        for j, e in enumerate(radii.tolist()):
            robust = robust_fit(model, X, y, e, p=p, order=u)
            slope = (robust.params - found.params) / e
            converged[k, j] = robust.converged
            for row, result in enumerate((found, printed)):
                off = np.linalg.norm(slope - result.influence)
                errors[row, k, j] = off / np.linalg.norm(slope)
        methods.append(robust.method)
    return WassersteinResult(
        grid, radii, norms, values, shares, errors[0], errors[1], tuple(methods), converged, n,
        float(p),
    )  # fmt: skip


def _orders(orders: Any) -> Array:
    values = [validation.number(u, "orders", low=1.0, infinite=True) for u in np.atleast_1d(orders)]
    grid = np.array(values)
    if grid.size == 0 or np.any(np.diff(grid) <= 0):
        raise ValueError(f"orders must be increasing, but is {orders!r}")
    return grid


def _radii(eps: Any) -> Array:
    radii = validation.radii(np.atleast_1d(eps))
    if radii.size == 0 or np.any(radii <= 0):
        raise ValueError(f"eps must hold numbers above 0, but is {eps!r}")
    return radii


def plot_wasserstein(result: WassersteinResult, figure: Any = None) -> Any:
    """Draw both formulas' errors and the influence itself against the order u.

    Three panels: the relative errors at the smallest ε; those of u = 1, 2 and ∞ against ε
    (theory: slope 1); ‖I‖ and the largest share of a single sample in what the attack gains.

    Parameters
    ----------
    result : WassersteinResult
        Of `fastaif.experiments.wasserstein`.
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
    figure = new_figure(figure, 13.0, 4.4)
    first, second, third = figure.subplots(1, 3)
    # Evenly spaced names: orders crowd near 1, and the last is infinite.
    places, names = np.arange(len(result.orders)), [text.norm_name(u) for u in result.orders]
    smallest = int(np.argmin(result.eps))
    first.semilogy(places, result.error[:, smallest], "o-", color=BLUE, label="corrected")
    finite = np.isfinite(result.orders)  # at u = inf there is one formula only
    first.semilogy(
        places[finite], result.error_paper[finite, smallest], "s--", color=ORANGE,
        label="as printed",
    )  # fmt: skip
    first.set(ylabel=f"{_RELATIVE} at ε = {result.eps[smallest]:g}")
    first.set_title("Theorem 6.1, corrected and as printed", fontsize="medium")
    _draw_errors(second, result)
    third.plot(places, result.influence_norm, "o-", color=BLUE, label=r"$\|I\,\|_2$")
    third.set(ylabel=r"$\|I\,\|_2$   (units of θ)", ylim=(0.0, None))
    other = third.twinx()
    other.plot(places, result.largest_share, "s--", color="0.5")
    other.set(ylabel="largest share of a sample in the gain (dashed)", ylim=(0.0, 1.05))
    third.set_title("The influence, and who is attacked", fontsize="medium")
    for ax in (first, third):
        ax.set_xticks(places, names)
        ax.set_xlabel("order u")
    for ax in (first, second):
        finish(ax, loc="best")
    figure.suptitle(
        f"Budgets shared by samples: linear regression, n = {result.n_samples}, "
        f"p = {text.norm_name(result.p)}"
    )
    return figure


def _draw_errors(ax: Any, result: WassersteinResult) -> None:
    """Both formulas' errors of some orders against ε."""
    for order, mark in zip(_SHOWN, "os^", strict=True):
        for k in np.flatnonzero(result.orders == order):
            label = f"u = {text.norm_name(order)}"
            ax.loglog(result.eps, result.error[k], f"{mark}-", color=BLUE, label=label)
            if np.isfinite(order):
                ax.loglog(
                    result.eps, result.error_paper[k], f"{mark}--", color=ORANGE,
                    label=f"{label}, as printed", markerfacecolor="none",
                )  # fmt: skip
    ax.set(xlabel=EPS_LABEL, ylabel=_RELATIVE)
    ax.set_title("Against ε (theory: slope 1)", fontsize="medium")
