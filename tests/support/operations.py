"""Rows and sums as compiled operations take them."""

from __future__ import annotations

import numpy as np

from fastaif import _compute, losses
from fastaif._compute import types as c

LOSSES = {losses.get(name).code: losses.get(name) for name in losses.names()}
# For products with what knows nothing of losses: those with vectors of their own in C, and one
# that goes lane by lane. Sums of linear predictors are compared for all of them.
KINDS = [losses.get(name).code for name in (*losses.names()[:4], "tweedie")]
SQUARED_ERROR, LOGISTIC, POISSON, HUBER = (
    losses.get(name).code for name in ("squared_error", "logistic", "poisson", "huber")
)


def parameter_of(loss):
    """One that the loss takes, by its code."""
    return 1.3 if LOSSES[loss].name == "tweedie" else 0.7


BASES = {"quadratic": c.QUADRATIC, "powers": c.POWERS, "fourier": c.FOURIER}


def both(extension, name):
    return getattr(extension, name), _compute._numba_operation(name)


def make_rows(rng, loss, n, m, weighted, dtype):
    if LOSSES[loss].has_labels:
        y = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    else:
        positive = LOSSES[loss].has_positive_targets
        y = rng.poisson(1.0, n).astype(float) if positive else rng.normal(size=n)
    w = rng.exponential(size=n) * (np.arange(n) % 4 > 0) if weighted else c.EMPTY
    return c.Rows(rng.normal(size=(n, m)).astype(dtype), y, w)


def empty_sums(need, n, d):
    shape = (1, n) if need & c.NEED_MOMENTS else (d, d) if need & c.NEED_HESSIAN else (0, 0)
    return c.Sums(np.zeros(shape), np.zeros((c.N_VECTORS, d)), np.zeros(c.N_SCALARS))


def wide(rows):
    """The same values in double precision."""
    return rows._replace(x=rows.x.astype(np.float64))


def assert_sums(mine, theirs, case=""):
    for part, other in zip(mine, theirs, strict=True):
        if part.shape[0] == part.shape[-1]:
            part, other = np.tril(part), np.tril(other)
        size = np.abs(other).max(initial=1.0)
        np.testing.assert_allclose(part, other, rtol=1e-11, atol=1e-12 * size, err_msg=case)


def relative_close(mine, theirs, rtol=1e-13):
    size = np.abs(theirs[np.isfinite(theirs)]).max(initial=1e-300)
    np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol * size)


def make_basis(rng, kind, m, scaled):
    """A basis of m inputs and its number of features."""
    d = {"quadratic": m + m * (m + 1) // 2, "powers": 3 * m, "fourier": 11}[kind]
    frequencies, phases = np.empty((0, 0)), c.EMPTY
    if kind == "fourier":
        frequencies, phases = rng.normal(size=(d, m)), rng.uniform(0, 6, d)
    units = [rng.normal(size=m), rng.uniform(0.5, 2.0, m)] if scaled else [c.EMPTY] * 2
    outer = [rng.normal(size=d), rng.uniform(0.5, 2.0, d)] if scaled else [c.EMPTY] * 2
    return c.Basis(BASES[kind], 3, frequencies, phases, *units, *outer), d
