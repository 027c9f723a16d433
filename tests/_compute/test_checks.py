"""Everything in the table of operations, handed arrays that do not fit: refused by name, or right.

The arguments are made of the table itself, so that a new operation is tested when it is entered.
"""

from __future__ import annotations

import importlib
import inspect
import re
from itertools import product

import numpy as np
import pytest
from support.operation_arguments import (
    BACKENDS,
    CASES,
    arguments_of,
    arrays_of,
    call,
    decides_alone,
    entry,
    operation_of,
)

from fastaif import _compute
from fastaif._compute import entries
from fastaif._compute import types as c
from fastaif._compute.entries import Array, Group
from fastaif._compute.numba_ops.point_losses import N_LOSSES
from fastaif._compute.operations import PARTS, TABLE
from fastaif._compute.signatures import sealer


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
        if not leaf.spec.written and leaf.spec.dtype == entries.REAL:
            single = {**arguments_of(name), leaf.path: paths[leaf.path].astype(np.float32)}
            call(run, name, single)


@pytest.mark.parametrize(("backend", "name"), CASES)
def test_layouts_and_types(backend, name):
    run = operation_of(backend, name)
    for leaf, fault in product(arrays_of(name), FAULTS):
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
            run(wrong, None, None, None, 0, None)


WRONG_CONTENTS = [
    ("sparse_sums", {"x.columns": np.array([0, 1, 2, 0, 3, 1, 0], dtype=np.int32)}, "columns"),
    ("sparse_sums", {"x.columns": np.array([0, -1, 2, 0, 2, 1, 0], dtype=np.int32)}, "columns"),
    ("sparse_sums", {"x.starts": np.array([0, 2, 3, 3, 5, 6, 8])}, "row starts"),
    ("sparse_sums", {"x.starts": np.array([0, 2, 9, 3, 5, 6, 7])}, "row starts"),
    ("sparse_sums", {"x.starts": np.array([-1, 2, 3, 3, 5, 6, 7])}, "row starts"),
    ("linear_batch", {"spans": np.array([[0, 3], [3, 7]])}, "spans"),
    ("bounded_ascent", {"layers.widths": np.array([3, 2, -1])}, "widths"),
    ("bounded_ascent", {"layers.widths": np.array([3, 1, 1])}, "widths"),
    ("bounded_ascent", {"layers.widths": np.array([11])}, "widths"),
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
    ("linear_sums", {"inner.loss": N_LOSSES}, "the loss is one of those that were built"),
    ("linear_sums", {"inner.loss": -1}, "the loss is one of those that were built"),
    ("linear_batch", {"model.loss": N_LOSSES}, "the loss is one of those that were built"),
    ("basis_sums", {"basis.kind": c.N_BASES}, "the basis is one of those that were built"),
    ("kernel_tile", {"kernel.kind": c.N_KERNELS}, "the kernel is one of those that were built"),
    ("network_sums", {"network.activation": c.N_ACTIVATIONS}, "the activation is one of those"),
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
            elif isinstance(part, Array):
                assert after is before
            else:
                assert after == before
                assert type(after) in (int, float)
