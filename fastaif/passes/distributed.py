"""Passes over Dask's rows where they live: θ goes out, sums come back.

With a `distributed.Client` each chunk of a `DaskRows` is summed by the worker that holds it, and
partial sums merge along a binary tree of fixed shape: the result has the same bits on any number
of workers, and a worker that is lost costs only its tasks again.
"""

from __future__ import annotations

import copy
import dataclasses
import sys
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compute.types import EMPTY
from ..data.rows import RowSource
from ..data.sources.dask import DaskRows, refuse_other_shape

Array = NDArray[Any]


def client_for(source: RowSource) -> Any:
    """The client whose workers sum these rows, or None: no Dask, or no client."""
    distributed = sys.modules.get("distributed")
    if distributed is None or not isinstance(source.x, DaskRows):
        return None
    try:
        return distributed.default_client()
    except ValueError:
        return None


# Built-in functions alone: a function of ours could not even arrive where fastaif is not.
_VERSION = (
    "__import__('importlib.util').util.find_spec('fastaif') and __import__('fastaif').__version__"
)


def refuse_unprepared_workers(client: Any) -> None:
    """Refuse workers that could not run what they are sent, rather than wait for them.

    One that is lost before it answers is no longer there to be sent anything.

    Raises
    ------
    RuntimeError
        A worker has no fastaif, or another version of it.
    """
    from distributed.comm.core import CommClosedError

    from .. import __version__

    for worker, found in client.run(eval, _VERSION, on_error="return").items():
        if isinstance(found, CommClosedError):
            continue
        if found is None or isinstance(found, BaseException):
            why = "" if found is None else f" ({type(found).__name__}: {found})"
            raise RuntimeError(
                f"the Dask worker {worker} cannot import fastaif{why}: install fastaif "
                f"{__version__} on every worker, or close the client to read the chunks here"
            )
        if found != __version__:
            raise RuntimeError(
                f"the Dask worker {worker} has fastaif {found}, but this process has "
                f"{__version__}: install the same version everywhere"
            )


def run(
    client: Any, sweep: Any, executor: Any, theta: Array, need: int, options: dict[str, Any]
) -> Any:
    """`sweep.run` on the workers.

    Parameters
    ----------
    client : distributed.Client
    sweep : Sweep
        Over a source of `DaskRows`.
    executor : Executor
        Of a worker.
    theta, need, options
        Of its `run`; a multiplier has an entry a row.
    """
    from dask.delayed import delayed

    source = sweep.source
    nothing = source._replace(x=np.empty((0, source.n_columns)), y=EMPTY, weight=None)
    alone = delayed(dataclasses.replace(sweep, source=nothing, executor=executor), pure=True)
    multiplier = options.pop("multiplier", EMPTY)
    parts = []
    for number, (start, stop, block) in enumerate(source.x.delayed_blocks()):
        y, w = np.asarray(source.y[start:stop]), source.weights(start, stop)
        given = multiplier[start:stop] if multiplier.size else multiplier
        part = delayed(_part)(
            alone, number, block, y, w if w.size else None, theta, need, given, options
        )  # fmt: skip
        parts.append(part)
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        left = parts[-1:] if len(parts) % 2 else []
        parts = [delayed(_merged)(a, b) for a, b in pairs] + left
    with warnings.catch_warnings():
        # Targets and weights go out with the tasks, so that those of a lost worker can run again.
        warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
        return client.compute(parts[0], sync=True)


def _part(
    sweep: Any, number: int, block: Array, y: Array, w: Array | None, theta: Array, need: int,
    multiplier: Array, options: dict[str, Any],
) -> Any:  # fmt: skip
    """The sums over one chunk, on the worker that holds it."""
    refuse_other_shape(block, (len(y), sweep.source.n_columns), number)
    source = sweep.source._replace(x=np.asarray(block), y=y, weight=w)
    found = dataclasses.replace(sweep, source=source).run(
        theta, need, multiplier=multiplier, **options
    )
    return found.plain()


def _merged(mine: Any, theirs: Any) -> Any:
    """Both sums in a new one: Dask may use a part twice."""
    return copy.deepcopy(mine).merge(copy.deepcopy(theirs))
