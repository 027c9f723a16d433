"""The description of a fitted network of any depth."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NoReturn

from numpy.typing import NDArray

from ..autodiff.model import AutodiffModel
from .derivatives import LayeredDerivatives
from .heads import Head
from .layers import Layers

Array = NDArray[Any]

_DOUBLES = 1 << 21  # of a batch's largest layer, for all columns that go together
_TOGETHER = 32
_FEWEST, _MOST = 64, 4096  # rows of a batch


@dataclass(frozen=True)
class LayeredModel(AutodiffModel):
    """An AutodiffModel whose losses are those of a network, with derivatives of our own."""

    derivatives: LayeredDerivatives

    @property
    def layers(self) -> Layers:
        """The network's layers."""
        return self.derivatives.layers

    @property
    def head(self) -> Head:
        """The loss of its outputs."""
        return self.derivatives.head

    @property
    def details(self) -> str:  # type: ignore[override]
        """Its layers, for reports."""
        widths = " × ".join(map(str, self.layers.sizes))
        return f"layers of {widths} units, {self.layers.activation}"

    @property
    def n_targets(self) -> int:  # type: ignore[override]
        """The number of columns of y."""
        return self.layers.sizes[-1] if self.loss.is_of_residuals else 1


def rows_together(layers: Layers) -> int:
    """Rows of a batch whose Hessian products fit the cache about."""
    return min(max(_DOUBLES // (_TOGETHER * max(layers.sizes)), _FEWEST), _MOST)


def parameter_names(inputs: tuple[str, ...], layers: Layers) -> tuple[str, ...]:
    """A name for each entry of θ."""
    out: list[str] = []
    before: tuple[str, ...] = inputs
    for number, (_, width) in enumerate(pairwise(layers.sizes), start=1):
        units = tuple(map(str, range(width)))
        out += [f"W{number}[{name},{unit}]" for name in before for unit in units]
        out += [f"b{number}[{unit}]" for unit in units]
        before = units
    return tuple(out)


def refuse_sums(model: LayeredModel) -> NoReturn:
    """Refuse to have an influence made of sums over blocks of rows that nobody keeps.

    Raises
    ------
    ValueError
    """
    raise ValueError(
        f"a network with {model.details} is not taken by an InfluenceAccumulator, nor by aif of an "
        "iterator: call aif(estimator, X, y) with all of the data, which may be a list of blocks"
    )
