"""The sums over rows as NumPy writes them, for tests of the compiled ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from oracles import losses, norms

from fastaif._compute import types as c
from fastaif.bases import Linear
from fastaif.data.rows import RowSource
from fastaif.losses import Huber, Loss, get
from fastaif.passes.executor import Executor
from fastaif.passes.linear import Sweep
from fastaif.passes.sums import InfluenceSums
from support.makers import DELTA, LOSS

ALL = c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_LOSS | c.NEED_YARDSTICK


def as_float(y):
    return y.astype(float)


def loss_of(kind: str) -> Loss:
    return Huber(DELTA) if kind == "huber" else get(LOSS[kind])


def sweep(kind: str, X: Any, y: Any, w: Any = None, **options: Any) -> Sweep:
    """A pass over these rows; options: fit_intercept, basis, ball, n_threads."""
    source = RowSource(X, y, w, as_float)
    intercept = options.pop("fit_intercept", True)
    options["executor"] = Executor(options.pop("n_threads", None))
    return Sweep(source, loss_of(kind), options.pop("basis", Linear()), intercept, **options)


def naive_sums(kind, X, y, w, theta, shift=None, scale=None) -> dict[str, Any]:
    """Weighted means at radius zero, and for each the mean of its terms' magnitudes."""
    m = X.shape[1]
    V = np.array(X, dtype=float)
    if shift is not None:
        V = (V - shift) / scale
    Z = np.column_stack([V, np.ones(len(V))]) if theta.size > m else V
    w = np.ones(len(y)) if w is None else w
    w = w / w.sum()
    value, slope, curvature = losses.loss(LOSS[kind], Z @ theta, y, DELTA)
    lengths = np.hypot(norms.norm(V, 2.0), 1.0)
    return {
        "loss": (w @ value, w @ np.abs(value)),
        "gradient": ((w * slope) @ Z, (w * np.abs(slope)) @ np.abs(Z)),
        "mixed_direction": ((w * curvature * np.sign(slope)) @ Z, (w * curvature) @ np.abs(Z)),
        "hessian": (
            (Z * (w * curvature)[:, None]).T @ Z,
            (np.abs(Z).T * w * curvature) @ np.abs(Z),
        ),
        "gain": (w @ np.abs(slope), w @ np.abs(slope)),
        "yardstick": (w @ (np.abs(slope) * lengths), w @ (np.abs(slope) * lengths)),
    }


def assert_same_bits(a: InfluenceSums, b: InfluenceSums) -> None:
    for mine, theirs in zip(a.raw, b.raw, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def assert_sums(found: InfluenceSums, wanted: dict[str, Any], tol: float = 1e-13) -> None:
    """Each sum to `tol` of the sum of its terms' magnitudes."""
    for name, (value, size) in wanted.items():
        error = np.max(np.abs(getattr(found, name) - value) / np.maximum(size, 1e-300))
        assert error <= tol, f"{name}: {error:.3g}"
