"""Arguments of every operation in the table, made of the table itself."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fastaif import _compute
from fastaif._compute import codes, operations
from fastaif._compute import types as c
from fastaif._compute.checks import checker, moment_count
from fastaif._compute.entries import Array, Group, leaves
from fastaif._compute.operations import PARTS, TABLE
from fastaif.losses import Logistic

SIZES = {
    "n": 6, "m": 3, "k": 5, "l": 4, "h": 2, "d": 7, "count": 3, "free": 2, "n_kept": 9,
    "value_columns": 6, "slope_columns": 7, "row_columns": 8, "out_columns": 9, "classes": 3,
    "c": 4, "n_targets": 1,
}  # fmt: skip
NEED = (
    c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_NORM | c.NEED_LOSS | c.NEED_YARDSTICK | c.NEED_MIXED
)
NUMBERS = {
    "need": NEED, "kind": c.FOURIER, "degree": 2, "p": 2.0, "first": 1, "start": 2, "offset": -50,
    "n_samples": 20, "n_steps": 3, "draws": 2, "n": 11, "seed": 5, "draw": 1, "loss": Logistic.code,
    "fit_intercept": 1, "wants_influence": 1, "activation": c.TANH, "kappa": 0.0, "smoothing": 0.0,
    "exponent": 0.0, "first_row": 0, "steepest": 0, "output_layer": 1, "step": 0.1, "coef0": 1.0,
    "n_sweeps": 4, "n_box": 2, "wary": 0, "outputs": 1,
}  # fmt: skip
# More than a vector of each instruction set holds, and a rest.
BEYOND_VECTORS = {"n": 41, "m": 19, "k": 21, "l": 18, "h": 17, "d": 37}
OWN = {  # what differs
    "bootstrap_start": {"d": 4},
    "bootstrap_sums": {"d": 4},
    "linear_batch": {"d": 4, "count": 2},
    "quadratic_moments": {"d": 9, "kind": c.QUADRATIC},
    "bounded_ascent": {"d": 11, "kind": c.ONE_OUTPUT},
}


BACKENDS = ["numba", "native"]
CASES = [(backend, name) for name in TABLE for backend in BACKENDS] + [
    ("native", name) for name in PARTS
]


def operation_of(backend, name):
    """What takes the arguments: for Numba the check alone, because every type of arguments that
    fit would be compiled."""
    if backend == "numba":
        return checker(name, TABLE[name])
    if TABLE.get(name, PARTS.get(name)).c == "-":
        pytest.skip("there is no C version")
    if not _compute.native_available():
        pytest.skip("the C extension was not built")
    return getattr(_compute.native(), name)


def entry(name):
    return {**TABLE, **PARTS}[name]


def sizes_of(name, larger=()):
    sizes = {**SIZES, **{k: v for k, v in OWN.get(name, {}).items() if k in SIZES}, **dict(larger)}
    for size, text in entry(name).sizes.items():
        if "[" not in text and name not in OWN:
            sizes[size] = eval(text, {}, dict(sizes))
    return sizes


def content(path, shape, dtype, rng):
    """Numbers that an operation can work with."""
    special = {
        "x.columns": lambda: np.array([0, 1, 2, 0, 2, 1, 0], dtype=np.int32),
        "x.starts": lambda: np.array([0, 2, 3, 3, 5, 6, 7]),
        "spans": lambda: np.array([[0, 3], [3, 6]]),
        "draws.numbers": lambda: np.arange(3),
        "draws.places": lambda: np.arange(3),
        "y": lambda: np.where(rng.random(shape) < 0.5, 1.0, -1.0),
        "rows.y": lambda: np.where(rng.random(shape) < 0.5, 1.0, -1.0),
        "x.y": lambda: np.where(rng.random(shape) < 0.5, 1.0, -1.0),
        "values": lambda: np.sort(rng.normal(size=shape))[..., ::-1].copy(),
    }
    if path in special:
        return special[path]()
    if dtype == operations.INT64:
        return np.zeros(shape, dtype=np.int64)
    return rng.uniform(0.5, 1.5, shape)


def arguments_of(name, seed=0, larger=()):
    """Valid arguments: a dict of paths."""
    rng, sizes = np.random.default_rng(seed), sizes_of(name, larger)
    numbers = {**NUMBERS, **OWN.get(name, {})}
    made = {}
    for leaf in leaves(entry(name)):
        spec = leaf.spec
        if not isinstance(spec, Array):
            short = leaf.path.split(".")[-1]
            made[leaf.path] = numbers.get(short, 0.5)
            continue
        known = {
            **vars(codes), **sizes, "need": NEED, "moment_count": moment_count, "fit_intercept": 1,
        }  # fmt: skip
        shape = []
        for length in spec.shape:
            length = re.sub(r"\w+__\w+\.shape\[\d\]", "7", length).removeprefix(">=")
            length = {"out.shape[0]": "9"}.get(length, length)
            shape.append(int(eval(length.strip(), {}, known)))
        if leaf.path == "draws.kept":
            shape = [8, 9]
        if name in ("kernel_tile", "weighted_slopes", "directional_tile") and leaf.path in (
            "values", "slopes",
        ):  # fmt: skip
            shape = [5, SIZES["value_columns" if leaf.path == "values" else "slope_columns"]]
        made[leaf.path] = content(leaf.path, tuple(shape), spec.dtype, rng)
    if name == "bounded_ascent":
        hidden = (sizes["d"] - 1) // (sizes["m"] + 2)
        made["layers.widths"] = np.array([sizes["m"], hidden, 1])
        made["targets"] = np.where(rng.random((sizes["n"], 1)) < 0.5, 1.0, -1.0)
    if name == "softmax_sums":
        made["rows.y"] = np.arange(float(sizes["n"])) % sizes["classes"]
    return made


def call(run, name, paths):
    """Call with the groups put together again; what was returned."""
    arguments = []
    for argument, spec in entry(name).arguments.items():
        if not isinstance(spec, Group):
            arguments.append(paths[argument])
            continue
        fields = [paths[f"{argument}.{field}"] for field in spec.fields]
        kind = getattr(c, spec.name, None)
        arguments.append(kind(*fields) if kind else tuple(fields))
    return run(*arguments)


def arrays_of(name):
    """The arrays that an operation looks at, with those numbers."""
    numbers = {path.replace(".", "__"): value for path, value in arguments_of(name).items()}
    return [
        leaf
        for leaf in leaves(entry(name))
        if isinstance(leaf.spec, Array)
        and not leaf.spec.unused
        and (not leaf.spec.when or eval(leaf.spec.when, vars(codes), numbers))
    ]


def decides_alone(name, leaf, axis):
    """Whether that length is a size which no other array has."""
    source = f"{leaf.path}[{axis}]"
    texts = entry(name).sizes
    mine = [size for size, text in texts.items() if source in text]
    if not mine:
        # Least lengths, and lengths of which only a condition speaks, may be longer.
        length = leaf.spec.shape[axis]
        return ">" in length or ".shape[" in length
    (size,) = mine
    others = [
        length
        for other in arrays_of(name)
        for at, length in enumerate(other.spec.shape)
        if (other.path, at) != (leaf.path, axis) and ">" not in length
    ]
    derived = [text for text in texts.values() if "[" not in text]
    return not any(re.search(rf"\b{size}\b", text) for text in [*others, *derived])
