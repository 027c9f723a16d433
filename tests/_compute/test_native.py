"""The C extension: elementary functions, instruction sets, both backends against each other."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product

import mpmath
import numpy as np
import pytest
from conftest import native_or_skip

from fastaif import _compute, losses
from fastaif._compute import types as c

LOSSES = {name: losses.get(name).code for name in losses.names()}
BY_CODE = {losses.get(name).code: losses.get(name) for name in losses.names()}
NEEDS = {
    "hessian": c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_NORM,
    "yardstick": c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_LOSS | c.NEED_YARDSTICK,
    "gradient": c.NEED_GRADIENT | c.NEED_LOSS,
    "mixed": c.NEED_MIXED | c.NEED_NORM,
}
INNERS = {
    "natural": {},
    "attacked": {"kappa": 0.3},
    "far": {"kappa": 1.3},
    "smoothed": {"kappa": 0.5, "smoothing": 0.1},
    "multiplied": {"kappa": 0.5, "multiplier": True},
    "shared": {"exponent": 1.5},
    "shared by the first": {"exponent": np.inf},
}


def ulps(found, x, function):
    """Errors in units of the last place of the true values."""
    with mpmath.workdps(40):
        exact = [function(mpmath.mpf(float(value))) for value in x]
        return max(
            float(abs(mpmath.mpf(float(mine)) - true)) / np.spacing(abs(float(true)))
            for mine, true in zip(found, exact, strict=True)
        )


def test_exp_to_two_units_in_the_last_place(extension, rng):
    x = np.concatenate([rng.uniform(-745, 709.7, 400), rng.normal(size=400), [0.0, 1e-300, 709.78]])
    out = np.empty_like(x)
    extension.exp(x, out)
    assert ulps(out, x, mpmath.exp) <= 2.0


def test_exp_beyond_the_range(extension):
    x = np.array([-np.inf, -1e308, -746.0, 710.0, 1e308, np.inf, np.nan])
    out = np.empty_like(x)
    extension.exp(x, out)
    np.testing.assert_array_equal(out, [0.0, 0.0, 0.0, np.inf, np.inf, np.inf, np.nan])


def test_log1p_to_two_units_in_the_last_place(extension, rng):
    x = np.concatenate(
        [rng.uniform(0, 1, 600), 10.0 ** rng.uniform(-300, 0, 200), [0.0, 1.0, 2**0.5 - 1]]
    )
    out = np.empty_like(x)
    extension.log1p(x, out)
    assert ulps(out, x, mpmath.log1p) <= 2.0


def test_negative_log_to_two_units_in_the_last_place(extension, rng):
    x = np.concatenate(
        [rng.random(600), 2.0 ** -rng.uniform(0, 60, 300), 1.0 + rng.normal(size=100) * 1e-3]
    )
    x = np.concatenate([x, [1.0, 0.5, 2.0**-33, 2**0.5, 1.0 - 2.0**-33, 2.0**-1022, 1e308]])
    out = np.empty_like(x)
    extension.negative_log(x, out)
    assert out[len(x) - 7] == 0.0
    assert ulps(np.delete(out, len(x) - 7), np.delete(x, len(x) - 7), lambda u: -mpmath.log(u)) <= 2


def test_the_normal_distribution_to_a_few_units_in_the_last_place(extension, rng):
    """In the tail as well, down to the smallest normal numbers; nothing is NaN but NaN."""
    z = np.concatenate([rng.uniform(-37.5, 9, 800), rng.normal(size=400), [0.0, -0.0, 1e-300]])
    out = np.empty_like(z)
    extension.normal_share(z, out)
    assert ulps(out, z, mpmath.ncdf) <= 6.0
    far = np.array([-np.inf, -1e200, -41.0, 41.0, 1e200, np.inf])
    extension.normal_share(far, out[:6])
    np.testing.assert_array_equal(out[:6], [0.0, 0.0, 0.0, 1.0, 1.0, 1.0])


def sums(operation, *, loss, need, n, m, dtype, inner, hard):
    """The sums of one direct call, on hard rows: weights of zero, shifts, units of their own."""
    rng = np.random.default_rng(n + m)
    x = rng.normal(size=(n, m)).astype(dtype)
    beta = rng.normal(size=m) / np.sqrt(m)
    f = x @ beta
    told = BY_CODE[loss]
    y = f + rng.normal(size=n)
    if told.has_labels:
        y = np.where(y > 0, 1.0, -1.0)
    elif told.has_positive_targets:
        y = rng.poisson(np.exp(f)).astype(float)
    weight = rng.exponential(size=n) * (np.arange(n) % 7 > 0) if hard else c.EMPTY
    shift, scale = (rng.normal(size=m), rng.uniform(0.5, 2.0, m)) if hard else (c.EMPTY,) * 2
    units = (rng.normal(size=m), rng.uniform(0.5, 2.0, m)) if hard else (c.EMPTY,) * 2
    multiplier = np.where(rng.random(n) < 0.3, rng.uniform(-1, 1, n), np.nan)
    raw = c.Sums(
        np.zeros((m, m) if need & c.NEED_HESSIAN else (0, 0)),
        np.zeros((c.N_VECTORS, m)),
        np.zeros(c.N_SCALARS),
    )
    operation(
        c.Rows(x, y, weight),
        c.Predictor(beta, 0.3, shift, scale),
        c.NormOf(2.0, *(units if not need & c.NEED_YARDSTICK else (c.EMPTY,) * 2)),
        c.Inner(
            loss,
            1.3 if told.name == "tweedie" else 0.7,
            inner.get("kappa", 0.0),
            inner.get("smoothing", 0.0),
            multiplier if inner.get("multiplier") else c.EMPTY,
            inner.get("exponent", 0.0),
        ),
        need,
        raw,
    )
    return raw


def scale_of_sums(raw):
    """What errors of the sums are measured against."""
    return [np.abs(raw.hessian).max(initial=1.0), np.abs(raw.vectors).max(initial=1.0)]


SHAPES = [(1, 1, "f8"), (7, 3, "f4"), (100, 8, "f8"), (333, 100, "f4")]


@pytest.mark.parametrize("need", NEEDS)
@pytest.mark.parametrize("loss", LOSSES)
def test_backends_agree(extension, loss, need):
    for (n, m, dtype), inner, hard in product(SHAPES, INNERS, [False, True]):
        case = {
            "loss": LOSSES[loss], "need": NEEDS[need], "n": n, "m": m, "dtype": dtype,
            "inner": INNERS[inner], "hard": hard,
        }  # fmt: skip
        mine = sums(extension.linear_sums, **case)
        theirs = sums(_compute._numba_operation("linear_sums"), **case)
        size = scale_of_sums(theirs)
        for part, rtol, largest in (
            ("hessian", 1e-12, size[0]), ("vectors", 1e-12, size[1]), ("scalars", 1e-11, size[1]),
        ):  # fmt: skip
            pair = [getattr(raw, part) for raw in (mine, theirs)]
            if part == "hessian":
                pair = [np.tril(matrix) for matrix in pair]
            np.testing.assert_allclose(
                *pair, rtol=rtol, atol=1e-13 * largest, err_msg=f"{part} of {case}"
            )


def test_instruction_sets_agree(rng):
    extension = native_or_skip()
    in_use, found = extension.instruction_set(), []
    for name in extension.available_instruction_sets():
        extension.choose_instruction_set(name)
        found.append(
            sums(
                extension.linear_sums, loss=1, need=NEEDS["hessian"], n=3000, m=37, dtype="f8",
                inner={}, hard=True,
            )
        )  # fmt: skip
    extension.choose_instruction_set(in_use)
    for other in found[1:]:
        for mine, theirs in zip(found[0], other, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-13 * np.abs(mine).max())


def run(code, **variables):
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **variables, "PYTHONSAFEPATH": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_an_extension_of_other_sources_is_told(extension, monkeypatch):
    monkeypatch.setitem(_compute.OPERATIONS, "nobody_built", "nowhere")
    _compute.native.cache_clear()
    with pytest.raises(RuntimeError, match="it has no nobody_built; build it again"):
        _compute.native()


def test_the_instruction_set_can_be_forced():
    native_or_skip()
    code = "from fastaif import _compute; print(_compute.native().instruction_set())"
    assert run(code, FASTAIF_ISA="baseline").stdout.strip() == "baseline"
    failed = run(code, FASTAIF_ISA="mmx")
    assert "no instruction set 'mmx'; it has" in failed.stderr


NUMBA_FREE = {
    "linear": "fa.aif(fa.LinearRegression().fit(X, y), X, y).verify(1e-3)",
    "bootstrap": (  # of these draws some are fitted by themselves
        "fitted = fa.LogisticRegression().fit(X, y > 1)\n"
        "fa.aif(fitted, X, y > 1).conf_int(n_draws=400, random_state=0)"
    ),
    "solver": "fa.aif(fa.LinearRegression().fit(X, y), X, y, solver='cg').influence",
    "kernel": "fa.aif(fa.KernelRegression(alpha=0.1).fit(X, y), X, y).influence",
    "tangent kernel": (
        "fa.aif(fa.KernelRegression(alpha=0.1, kernel=fa.kernels.NTK()).fit(X, y), X, y).influence"
    ),
    "network": (
        "fa.robust_fit(fa.MLPRegression(2, alpha=0.1, random_state=0).fit(X, y), X, y, eps=0.01)"
    ),
    "order": "fa.aif(fa.LinearRegression().fit(X, y), X, y, order=2).verify(1e-3)",
    "quadratic": "fa.robust_fit(fa.QuadraticRegression(alpha=0.1).fit(X, y), X, y, eps=0.3)",
    "quadratic solver": (
        "fa.aif(fa.QuadraticRegression(alpha=0.1).fit(X, y), X, y, solver='cg').influence"
    ),
    "smoothing": (
        "S = fa.RandomizedSmoothing(fa.LinearRegression(), sigma=0.1, n_copies=3).fit(X, y)\n"
        "fa.aif(S, X, y).influence"
    ),
    "attack": "fa.attack(fa.LinearRegression().fit(X, y), X, y, eps=0.1, method='pgd')",
}


@pytest.mark.long
def test_the_native_path_never_imports_numba():
    """One process for all: it takes longer to start than all that it does."""
    native_or_skip()
    code = (
        "import sys, numpy as np, fastaif as fa\n"
        "X = np.random.default_rng(0).normal(size=(60, 3)); y = X.sum(1) + X[:, 0] ** 2\n"
    )
    for task, lines in NUMBA_FREE.items():
        code += f"{lines}\nassert 'numba' not in sys.modules, {task!r}\n"
    assert run(code).stderr == ""
