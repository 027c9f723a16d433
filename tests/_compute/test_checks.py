"""Everything in the table of operations, handed arrays that do not fit: refused by name, or right.

The arguments are made of the table itself, so that a new operation is tested when it is entered.
"""

from __future__ import annotations

import importlib
import inspect
import re

import numpy as np
import pytest

from fastaif import _compute
from fastaif._compute import codes, operations
from fastaif._compute import types as c
from fastaif._compute.checks import checker, moment_count
from fastaif._compute.operations import PARTS, TABLE, Array, Group, leaves
from fastaif._compute.signatures import sealer
from fastaif.losses import Logistic

BACKENDS = ["numba", "native"]
SIZES = {
    "n": 6, "m": 3, "k": 5, "l": 4, "h": 2, "d": 7, "count": 3, "free": 2, "n_kept": 9,
    "value_columns": 6, "slope_columns": 7, "row_columns": 8, "out_columns": 9,
}  # fmt: skip
NEED = (
    c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_NORM | c.NEED_LOSS | c.NEED_YARDSTICK | c.NEED_MIXED
)
NUMBERS = {
    "need": NEED, "kind": c.FOURIER, "degree": 2, "p": 2.0, "first": 1, "start": 2, "offset": -50,
    "n_samples": 20, "n_steps": 3, "draws": 2, "n": 11, "seed": 5, "draw": 1, "loss": Logistic.code,
    "fit_intercept": 1, "wants_influence": 1, "activation": c.TANH, "kappa": 0.0, "smoothing": 0.0,
    "exponent": 0.0, "first_row": 0, "steepest": 0, "output_layer": 1, "step": 0.1, "coef0": 1.0,
}  # fmt: skip
OWN = {  # what differs
    "bootstrap_start": {"d": 4},
    "bootstrap_sums": {"d": 4},
    "linear_batch": {"d": 4, "count": 2},
    "quadratic_moments": {"d": 9, "kind": c.QUADRATIC},
}
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


def sizes_of(name):
    sizes = {**SIZES, **{k: v for k, v in OWN.get(name, {}).items() if k in SIZES}}
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


def arguments_of(name, seed=0):
    """Valid arguments: a dict of paths."""
    rng, sizes = np.random.default_rng(seed), sizes_of(name)
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


def misaligned(array):
    memory = np.zeros(array.nbytes + 1, dtype=np.uint8)
    out = memory[1:].view(array.dtype).reshape(array.shape)
    out[...] = array
    return out


def reversed_rows(array):
    return np.ascontiguousarray(array[::-1])[::-1]


def read_only(array):
    out = array.copy()
    out.setflags(write=False)
    return out


def strided(array):
    out = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), dtype=array.dtype)[..., ::2]
    out[...] = array
    return out


FAULTS = {
    "misaligned": misaligned,
    "negative strides": reversed_rows,
    "strided": strided,
    "another type": lambda array: array.astype(np.float16),
    "foreign bytes": lambda array: array.astype(array.dtype.newbyteorder()),
    "another axis": lambda array: array[None],
    "no array": lambda array: array.tolist(),
}


@pytest.mark.parametrize(("backend", "name"), CASES)
def test_what_fits_is_taken(backend, name):
    run, paths = operation_of(backend, name), arguments_of(name)
    with np.errstate(all="ignore"):
        call(run, name, paths)
    for leaf in arrays_of(name):
        if not leaf.spec.written and leaf.spec.dtype == operations.REAL:
            single = {**arguments_of(name), leaf.path: paths[leaf.path].astype(np.float32)}
            call(run, name, single)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("backend", "name"), CASES)
def test_layouts_and_types(backend, name, fault):
    run = operation_of(backend, name)
    for leaf in arrays_of(name):
        paths = arguments_of(name)
        if not paths[leaf.path].size:
            continue
        paths[leaf.path] = FAULTS[fault](paths[leaf.path])
        if isinstance(paths[leaf.path], np.ndarray) and fault in ("negative strides", "strided"):
            assert not paths[leaf.path].flags.c_contiguous
        with pytest.raises(ValueError, match=f"^{name} .*{re.escape(leaf.path)} "):
            call(run, name, paths)


@pytest.mark.parametrize(("backend", "name"), CASES)
def test_read_only_results(backend, name):
    run = operation_of(backend, name)
    for leaf in arrays_of(name):
        paths = arguments_of(name)
        paths[leaf.path] = read_only(paths[leaf.path])
        if leaf.spec.written:
            with pytest.raises(ValueError, match=f"^{name} writes to {re.escape(leaf.path)},"):
                call(run, name, paths)
        else:
            call(run, name, paths)


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


def resized(array, axis, by):
    shape = list(array.shape)
    shape[axis] += by
    return np.ones(shape, dtype=array.dtype)


@pytest.mark.parametrize("by", [-1, 1, 1000])
@pytest.mark.parametrize(("backend", "name"), CASES)
def test_lengths(backend, name, by):
    run = operation_of(backend, name)
    for leaf in arrays_of(name):
        for axis in range(len(leaf.spec.shape)):
            if decides_alone(name, leaf, axis):
                continue
            paths = arguments_of(name)
            if paths[leaf.path].shape[axis] + by < 0:
                continue
            paths[leaf.path] = resized(paths[leaf.path], axis, by)
            with pytest.raises(ValueError, match=f"^{name} needs "):
                call(run, name, paths)


@pytest.mark.parametrize(("backend", "name"), CASES)
def test_empty_arrays(backend, name):
    """An array that may not be empty is asked for."""
    run = operation_of(backend, name)
    for leaf in arrays_of(name):
        spec = leaf.spec
        if spec.optional or spec.shape == ("0",):
            continue
        if all(decides_alone(name, leaf, axis) for axis in range(len(spec.shape))):
            continue
        paths = arguments_of(name)
        paths[leaf.path] = np.empty((0,) * len(spec.shape), dtype=paths[leaf.path].dtype)
        with pytest.raises(ValueError, match=f"^{name} needs |^rows without entries"):
            call(run, name, paths)


@pytest.mark.parametrize("backend", BACKENDS)
def test_groups(backend):
    paths = arguments_of("linear_sums")
    run = operation_of(backend, "linear_sums")
    good = [c.Rows(*(paths[f"rows.{f}"] for f in c.Rows._fields))]
    for wrong in (None, good[0][:2], list(good[0])):
        with pytest.raises(ValueError, match=r"needs rows as a tuple \(x, y, weight\)"):
            run(wrong, None, None, None, NEED, None)


WRONG_CONTENTS = [
    ("sparse_sums", {"x.columns": np.array([0, 1, 2, 0, 3, 1, 0], dtype=np.int32)}, "columns"),
    ("sparse_sums", {"x.columns": np.array([0, -1, 2, 0, 2, 1, 0], dtype=np.int32)}, "columns"),
    ("sparse_sums", {"x.starts": np.array([0, 2, 3, 3, 5, 6, 8])}, "row starts"),
    ("sparse_sums", {"x.starts": np.array([0, 2, 9, 3, 5, 6, 7])}, "row starts"),
    ("sparse_sums", {"x.starts": np.array([-1, 2, 3, 3, 5, 6, 7])}, "row starts"),
    ("linear_batch", {"spans": np.array([[0, 3], [3, 7]])}, "spans"),
    ("linear_batch", {"spans": np.array([[0, 3], [3, 3]])}, "spans"),
    ("linear_batch", {"spans": np.array([[-1, 3], [3, 6]])}, "spans"),
    ("linear_batch", {"spans": np.array([[4, 3], [3, 6]])}, "spans"),
    ("bootstrap_sums", {"draws.places": np.array([0, 1, 8])}, "places"),
    ("bootstrap_sums", {"draws.places": np.array([0, 1, -1])}, "places"),
    ("bootstrap_start", {"draws.first_row": 4}, "weights are kept"),
    ("bootstrap_start", {"draws.first_row": -1}, "weights are kept"),
    ("bootstrap_start", {"draws.first_row": np.iinfo(np.int64).max}, "weights are kept"),
    ("bootstrap_start", {"draws.kept": np.ones((7, 9))}, "eight draws"),
    ("weighted_slopes", {"first": 3}, "a tile lies"),
    ("weighted_slopes", {"first": -1}, "a tile lies"),
    ("directional_tile", {"first": np.iinfo(np.int64).max}, "a tile lies"),
    ("weighted_slopes", {"values": np.ones((5, 3))}, "values"),
    ("kernel_tile", {"values": np.ones((5, 3))}, "values"),
    ("kernel_tile", {"slopes": np.ones((5, 3))}, "slopes"),
    ("mirror", {"start": 5}, "the rows lie"),
    ("mirror", {"start": -1}, "the rows lie"),
    ("basis_sums", {"basis.kind": c.QUADRATIC}, "a quadratic basis"),
    ("basis_sums", {"basis.kind": c.POWERS}, "powers have"),
    ("basis_features", {"basis.kind": c.POWERS, "basis.degree": 0}, "powers have"),
    ("quadratic_moments", {"basis.kind": c.FOURIER}, "a quadratic basis"),
    ("random_rows", {"n": 0}, "a row to draw"),
    ("basis_sums", {"basis.shift": c.EMPTY}, "basis.shift"),
    ("basis_sums", {"basis.inverse_scale": c.EMPTY}, "basis.inverse_scale"),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("name", "wrong", "said"), WRONG_CONTENTS)
def test_contents(backend, name, wrong, said):
    run, paths = operation_of(backend, name), {**arguments_of(name), **wrong}
    with pytest.raises(ValueError, match=f"^{name} needs .*{said}"):
        call(run, name, paths)


# --- the table itself ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLE)
def test_arguments_are_those_of_the_numba_version(name):
    module = importlib.import_module(f"fastaif._compute.numba_ops.{TABLE[name].numba}")
    compiled = getattr(module, name)
    assert list(inspect.signature(compiled.py_func).parameters) == list(TABLE[name].arguments)


def test_groups_are_those_of_the_types():
    groups = {
        spec.name: spec
        for operation in TABLE.values()
        for spec in operation.arguments.values()
        if isinstance(spec, Group)
    }
    for name, group in groups.items():
        assert getattr(c, name)._fields == tuple(group.fields), name


def test_numba_operations_are_called_behind_their_checks():
    run, paths = _compute._numba_operation("project_ball"), arguments_of("project_ball")
    call(run, "project_ball", paths)
    with pytest.raises(ValueError, match=r"project_ball needs out of shape \(m\) = \(3,\)"):
        call(run, "project_ball", {**paths, "out": np.ones(2)})


def test_the_extension_has_every_operation():
    if not _compute.native_available():
        pytest.skip("the C extension was not built")
    for name in {**TABLE, **PARTS}:
        assert hasattr(_compute.native(), name) == (entry(name).c != "-"), name


@pytest.mark.parametrize("name", TABLE)
def test_numba_sees_one_type_of_arguments(name):
    """What is read cannot be written to, whatever was handed over; it is not copied."""
    paths = arguments_of(name)
    given = call(lambda *arguments: arguments, name, paths)
    sealed = sealer(TABLE[name])(*given)
    for value, spec, mine in zip(given, entry(name).arguments.values(), sealed, strict=True):
        assert type(mine) is type(value)
        group = isinstance(spec, Group)
        specs = spec.fields.values() if group else [spec]
        for part, before, after in zip(
            specs, value if group else [value], mine if group else [mine], strict=True
        ):
            if isinstance(part, Array) and not part.written:
                assert before.flags.writeable or before is c.EMPTY
                assert not after.flags.writeable
                assert after.ctypes.data == before.ctypes.data
                assert after.strides == before.strides
            else:
                assert after is before
