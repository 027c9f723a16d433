"""PGD training of a small network as one would write it in PyTorch: float64, whole batches.

Torch is imported on first use: it is optional.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def missing() -> str | None:
    """The reason why this peer cannot run, or None."""
    return None if importlib.util.find_spec("torch") else "PyTorch is not installed"


class Trainer:
    """A network with one tanh layer, attacked in ‖δ‖₂ ≤ radius; squared error."""

    def __init__(self, X: Array, y: Array, theta: Array, radius: float, alpha: float) -> None:
        import torch

        self.torch = torch
        self.X, self.y = torch.from_numpy(X), torch.from_numpy(y)
        m = X.shape[1]
        h = (theta.size - 1) // (m + 2)
        sizes = [m * h, h, h, 1]
        shapes = [(m, h), (h,), (h,), ()]
        parts = np.split(theta, np.cumsum(sizes)[:-1])
        self.parts = [
            torch.tensor(part.reshape(shape), requires_grad=True)
            for part, shape in zip(parts, shapes, strict=True)
        ]
        self.radius, self.alpha = radius, alpha

    def predict(self, X: Any) -> Any:
        w1, b1, w2, b2 = self.parts
        return self.torch.tanh(X @ w1 + b1) @ w2 + b2

    def attack(self, n_steps: int) -> Any:
        """Projected gradient ascent from the samples, steps of 2.5 radius / n_steps."""
        torch = self.torch
        delta = torch.zeros_like(self.X, requires_grad=True)
        for _ in range(n_steps):
            loss = ((self.predict(self.X + delta) - self.y) ** 2).sum()
            (g,) = torch.autograd.grad(loss, delta)
            with torch.no_grad():
                size = g.norm(dim=1, keepdim=True).clamp_min(1e-300)
                delta += 2.5 * self.radius / n_steps * g / size
                delta *= (self.radius / delta.norm(dim=1, keepdim=True)).clamp_max(1.0)
        return delta.detach()

    def objective(self, n_steps: int) -> Any:
        """The adversarial loss plus the penalty, differentiable in the parameters."""
        delta = self.attack(n_steps)
        w1, _, w2, _ = self.parts
        penalty = self.alpha * ((w1**2).sum() + (w2**2).sum())
        return ((self.predict(self.X + delta) - self.y) ** 2).mean() + penalty

    def adam(self, epochs: int, n_steps: int, rate: float = 1e-3) -> Array:
        """θ after so many full-batch steps of Adam on the PGD objective."""
        optimizer = self.torch.optim.Adam(self.parts, lr=rate)
        for _ in range(epochs):
            optimizer.zero_grad()
            self.objective(n_steps).backward()
            optimizer.step()
        return self.theta()

    def lbfgs(self, iterations: int, n_steps: int) -> Array:
        """θ after L-BFGS (strong Wolfe) on the PGD objective."""
        optimizer = self.torch.optim.LBFGS(
            self.parts, max_iter=iterations, history_size=30, line_search_fn="strong_wolfe",
            tolerance_grad=1e-12, tolerance_change=1e-15,
        )  # fmt: skip

        def closure() -> Any:
            optimizer.zero_grad()
            value = self.objective(n_steps)
            value.backward()
            return value

        optimizer.step(closure)
        return self.theta()

    def theta(self) -> Array:
        """All parameters, W1 by rows, b1, w2, b2."""
        return np.concatenate([part.detach().numpy().ravel() for part in self.parts])


def runner(build: Callable[[], Trainer], run: Callable[[Trainer], Any]) -> Callable[[], Any]:
    """A run from fresh parameters each time."""
    return lambda: run(build())
