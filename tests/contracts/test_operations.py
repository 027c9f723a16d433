"""What every operation promises: both backends agree, and wrong shapes are refused.

Arguments are made of the table itself, so that a new operation is tested when it is entered.
"""

from __future__ import annotations

import numpy as np
import pytest
from support.operation_arguments import (
    BEYOND_VECTORS,
    CASES,
    arguments_of,
    arrays_of,
    call,
    decides_alone,
    operation_of,
    sizes_of,
)

from fastaif import _compute
from fastaif._compute.operations import TABLE
from fastaif.passes.fourth_moments import expanded

TOLERANCE = 1e-12
# What is each backend's own: room to work in, and weights that are laid out by draws or by lanes.
OWN = {("block_sums", "block.v"), ("bootstrap_start", "draws.kept")}
NOT_KEPT = {"draws.kept": np.empty((0, 0))}  # drawn again in every pass
EXAMPLES = {"bootstrap_sums": NOT_KEPT}
# Sizes that hang together, and none where the arguments are laid out for the small ones.
OF_THEIR_SIZE = {
    "bootstrap_sums": {"n": 41, "m": 19, "d": 20},
    "quadratic_moments": {"n": 41, "m": 8, "d": 44},
    "contrasted_pairs": {"count": 10, "h": 4, "c": 37},
    "softmax_sums": {"n": 41, "m": 19, "c": 20},
    "bounded_ascent": {"n": 41, "m": 19, "d": 64},
    **dict.fromkeys((
        "bootstrap_start", "sparse_sums", "linear_batch", "kink_descent", "kernel_tile",
        "weighted_slopes", "directional_tile", "mirror",
    )),
}  # fmt: skip


def found(run, name, seed, larger=()):
    """What an operation returns, and what it has written."""
    paths = {**arguments_of(name, seed, larger), **EXAMPLES.get(name, {})}
    with np.errstate(all="ignore"):
        returned = call(run, name, paths)
    d = sizes_of(name, larger)["d"]
    written = {
        leaf.path: meant(leaf.path, paths[leaf.path], d)
        for leaf in arrays_of(name)
        if leaf.spec.written and (name, leaf.path) not in OWN
    }
    return {"returned": 0.0 if returned is None else returned, **written}


def meant(path, array, d):
    """Of symmetric matrices the lower triangle, of fourth moments those that have a place."""
    if path == "moments":
        return expanded(array, d)
    return np.tril(array) if path in ("sums.hessian", "matrices") else array


@pytest.mark.parametrize("larger", [{}, BEYOND_VECTORS], ids=["small", "beyond_vectors"])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", [name for name in TABLE if name not in _compute.NUMBA_ONLY])
def test_both_backends_agree(extension, name, seed, larger):
    if larger and (larger := OF_THEIR_SIZE.get(name, larger)) is None:
        pytest.skip("its arguments are laid out for small sizes")
    mine = found(getattr(extension, name), name, seed, larger)
    theirs = found(_compute._numba_operation(name), name, seed, larger)
    assert mine.keys() == theirs.keys()
    for path, wanted in theirs.items():
        known = ~np.isnan(wanted)  # NaN: a problem of a batch that has too few rows
        assert known.all() or (name == "linear_batch" and known.any()), path
        # Infinite: rooms of rows that nothing moves. They are equal or not.
        size = TOLERANCE * np.abs(np.where(np.isfinite(wanted), wanted, 0.0)).max(initial=0.0)
        np.testing.assert_allclose(mine[path], wanted, rtol=TOLERANCE, atol=size, err_msg=path)


def resized(array, axis, by):
    shape = list(array.shape)
    shape[axis] += by
    return np.ones(shape, dtype=array.dtype)


@pytest.mark.parametrize("by", [-1, 1, 1000])
@pytest.mark.parametrize(("backend", "name"), CASES)
def test_wrong_lengths_are_refused(backend, name, by):
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
