"""A stack of layers, and its derivatives in θ and the inputs for a batch of rows at once.

    a_0 = u,   z_l = a_{l−1} W_l + b_l,   a_l = σ(z_l) (l < L),   F = z_L

Backwards δ_L = ∇_F ℓ and δ_{l−1} = δ_l W_lᵀ ∘ σ'(z_{l−1}); ∇_{W_l} ℓ = a_{l−1}ᵀ δ_l, ∇_{b_l} ℓ
= δ_l, ∇_u ℓ = δ_1 W_1ᵀ. Along a move of θ, of u, or of both, all of these have derivatives (dots)
by the same chain, forwards and then backwards: Pearlmutter's R-operator. Products with the Hessian
are that along moves of θ, and ∇_θ⟨∇_u ℓ, P⟩ is that along the move P of u, for mixed derivatives
are the same in either order.

Several moves of θ go together, (k, …); everything of the rows themselves is (n, …).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...utils.caching import cached_property
from .activations import ACTIVATIONS, Activation

Array = NDArray[Any]


class Layer(NamedTuple):
    """W (…, i, o) and b (…, o) of a layer, or of a move of it."""

    W: Array
    b: Array


class Run(NamedTuple):
    """A batch forwards: a_0 … a_{L−1}, z, σ' and σ'' of hidden layers, and F (n, K)."""

    layers: list[Layer]
    inputs: list[Array]
    sums: list[Array]
    slopes: list[Array]
    bends: list[Array]
    outputs: Array


class Dots(NamedTuple):
    """Derivatives along moves: ȧ_0 … ȧ_{L−1} (None where zero), ż of hidden layers, Ḟ."""

    layers: list[Layer] | None
    inputs: list[Array | None]
    sums: list[Array]
    outputs: Array


@dataclass(frozen=True)
class Layers:
    """Sizes of a network, and where θ has what: W_1 by rows, b_1, W_2 by rows, b_2, ….

    Attributes
    ----------
    sizes : tuple of int
        m, the widths of the hidden layers, K.
    activation : str
        A name of `ACTIVATIONS`.
    """

    sizes: tuple[int, ...]
    activation: str

    @property
    def sigma(self) -> Activation:
        """σ."""
        return ACTIVATIONS[self.activation]

    @property
    def n_parameters(self) -> int:
        """d."""
        return sum((i + 1) * o for i, o in pairwise(self.sizes))

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where each layer begins in θ."""
        sizes = [(i + 1) * o for i, o in pairwise(self.sizes)]
        return tuple(np.concatenate([[0], np.cumsum(sizes)[:-1]]).tolist())

    @cached_property
    def penalized(self) -> Array:
        """1 for weights, 0 for biases, (d,)."""
        out = np.ones(self.n_parameters)
        for layer in range(len(self.sizes) - 1):
            out[self.biases(layer)] = 0.0
        return out

    def biases(self, layer: int) -> slice:
        """Where the b of a layer, numbered from 0, stands in θ."""
        i, o = self.sizes[layer : layer + 2]
        start = self.starts[layer] + i * o
        return slice(start, start + o)

    def unpack(self, theta: Array) -> list[Layer]:
        """The layers of θ (d,), or of moves (k, d); views."""
        lead, out = theta.shape[:-1], []
        for layer, (i, o) in enumerate(pairwise(self.sizes)):
            start, place = self.starts[layer], self.biases(layer)
            W = theta[..., start : place.start].reshape(*lead, i, o)
            out.append(Layer(W, theta[..., place]))
        return out

    def pack(self, layers: Sequence[tuple[Array, Array]]) -> Array:
        """θ (…, d) of layers; the other way round."""
        parts = []
        for W, b in layers:
            parts += [W.reshape(*W.shape[:-2], -1), b]
        return np.concatenate(parts, axis=-1)

    # --- forwards -------------------------------------------------------------------------

    def run(self, theta: Array, U: Array) -> Run:
        """All layers at inputs U (n, m)."""
        layers = self.unpack(theta)
        inputs, sums, slopes, bends = [U], [], [], []
        for W, b in layers[:-1]:
            z = inputs[-1] @ W + b
            value, slope, bend = self.sigma.at(z)
            inputs.append(value)
            sums.append(z)
            slopes.append(slope)
            bends.append(bend)
        W, b = layers[-1]
        return Run(layers, inputs, sums, slopes, bends, inputs[-1] @ W + b)

    def dots(self, run: Run, moves: Array | None, move: Array | None = None) -> Dots:
        """Along moves of θ (k, d), a move of the inputs (n, m), or both."""
        steps = None if moves is None else self.unpack(moves)
        inputs: list[Array | None] = [move]
        sums: list[Array] = []
        for place, layer in enumerate(run.layers):
            before, z = inputs[-1], None
            if before is not None:
                z = before @ layer.W
            if steps is not None:
                own = run.inputs[place] @ steps[place].W + steps[place].b[..., None, :]
                z = own if z is None else own + z
            assert z is not None
            if place == len(run.slopes):
                return Dots(steps, inputs, sums, z)
            sums.append(z)
            inputs.append(run.slopes[place] * z)
        raise AssertionError("a network has an output")

    # --- backwards ------------------------------------------------------------------------

    def deltas(self, run: Run, a: Array) -> list[Array]:
        """δ_1 … δ_L (n, …) from a = ∇_F ℓ (n, K), or any multiple of rows."""
        out = [a]
        for layer, slope in zip(reversed(run.layers[1:]), reversed(run.slopes), strict=True):
            out.append((out[-1] @ layer.W.T) * slope)
        return out[::-1]

    def delta_dots(
        self, run: Run, deltas: list[Array], dots: Dots, a: Array, bending: bool = True
    ) -> list[Array]:
        """δ̇_1 … δ̇_L from ȧ (…, n, K); without `bending` δ is held fixed, as Gauss and Newton do."""
        out = [a]
        for place in range(len(run.slopes) - 1, -1, -1):
            W = run.layers[place + 1].W
            back = out[-1] @ W.T
            if bending and dots.layers is not None:
                back = back + deltas[place + 1] @ np.swapaxes(dots.layers[place + 1].W, -1, -2)
            back = back * run.slopes[place]
            if bending:
                pulled = (deltas[place + 1] @ W.T) * run.bends[place]
                back = back + pulled * dots.sums[place]
            out.append(back)
        return out[::-1]

    def input_slopes(self, run: Run, deltas: list[Array]) -> Array:
        """∇_u (n, m)."""
        return np.asarray(deltas[0] @ run.layers[0].W.T)

    def input_slope_dots(self, run: Run, deltas: list[Array], dots: Dots, back: Array) -> Array:
        """The derivative of ∇_u, (…, n, m), from δ̇_1."""
        out = back @ run.layers[0].W.T
        if dots.layers is not None:
            out = out + deltas[0] @ np.swapaxes(dots.layers[0].W, -1, -2)
        return np.asarray(out)

    # --- gradients in θ -------------------------------------------------------------------

    def gradient(self, run: Run, deltas: list[Array]) -> Array:
        """Σ ∇_θ over the rows, (d,)."""
        pairs = zip(run.inputs, deltas, strict=True)
        return self.pack([(a.T @ delta, delta.sum(axis=0)) for a, delta in pairs])

    def row_gradients(self, run: Run, deltas: list[Array]) -> Array:
        """∇_θ of each row, (n, d)."""
        pairs = zip(run.inputs, deltas, strict=True)
        return self.pack([(a[:, :, None] * delta[:, None, :], delta) for a, delta in pairs])

    def gradient_dots(
        self, run: Run, deltas: list[Array], dots: Dots, backs: list[Array], bending: bool = True
    ) -> Array:
        """The derivative of the gradient: (k, d), or (d,) along a move of the inputs alone."""
        return self._dotted(
            run, deltas, dots, backs, bending, lambda a, b: np.swapaxes(a, -1, -2) @ b,
            lambda b: b.sum(axis=-2),
        )  # fmt: skip

    def row_gradient_dots(
        self, run: Run, deltas: list[Array], dots: Dots, backs: list[Array]
    ) -> Array:
        """The derivative of each row's gradient along a move of the inputs, (n, d)."""
        return self._dotted(
            run, deltas, dots, backs, True, lambda a, b: a[:, :, None] * b[:, None, :],
            lambda b: b,
        )  # fmt: skip

    def _dotted(
        self, run: Run, deltas: list[Array], dots: Dots, backs: list[Array], bending: bool,
        product: Callable[[Array, Array], Array], total: Callable[[Array], Array],
    ) -> Array:  # fmt: skip
        layers = []
        for a, moved, delta, back in zip(run.inputs, dots.inputs, deltas, backs, strict=True):
            W = product(a, back)
            if bending and moved is not None:
                W = W + product(moved, delta)
            layers.append((W, total(back)))
        return self.pack(layers)
