"""torch and JAX behind one small interface: `grad`, `vjp` and `vmap` of functions of arrays.

Both have these with the same meaning. Arrays are float64 on either; torch works on the
processor.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Function = Callable[..., Any]

NAMES = ("torch", "jax")


@dataclass(frozen=True)
class Framework:
    """A framework's own functions.

    Attributes
    ----------
    name : {"torch", "jax"}
    grad, vjp, vmap, compiled : callable
        Of functions; `compiled` is JAX's jit, and nothing for torch.
    array : callable
        From NumPy to the framework.
    session : callable
        A context in which JAX computes in float64.
    knows_shapes : bool
        Whether what is compiled is so for given shapes, and anew for every other.
    """

    name: str
    grad: Function
    vjp: Function
    vmap: Function
    compiled: Function
    array: Callable[[Array], Any]
    session: Callable[[], AbstractContextManager[Any]]
    knows_shapes: bool


def load(name: str) -> Framework:
    """The framework of that name.

    Raises
    ------
    ImportError
        It is not installed.
    """
    if find_spec(name) is None:
        raise ImportError(
            f"backend={name!r} needs {name}, which is not installed: pip install {name}"
        )
    return _torch() if name == "torch" else _jax()


def _torch() -> Framework:
    import torch
    from torch import func

    return Framework(
        "torch", func.grad, func.vjp, func.vmap, lambda f: f,
        lambda values: torch.from_numpy(np.array(values)), nullcontext, False,
    )  # fmt: skip


def _jax() -> Framework:
    import jax

    def session() -> AbstractContextManager[Any]:
        if hasattr(jax, "enable_x64"):
            return jax.enable_x64(True)
        from jax.experimental import enable_x64  # its place in older versions

        return enable_x64()

    return Framework(
        "jax", jax.grad, jax.vjp, jax.vmap, jax.jit, jax.numpy.asarray, session, True,
    )  # fmt: skip


def framework_of(arrays: list[Any]) -> str | None:
    """The name of the framework whose arrays these are; None for NumPy's alone.

    Raises
    ------
    TypeError
        Arrays of both.
    """
    modules = {type(array).__module__.split(".")[0] for array in arrays}
    found = [name for name in NAMES if {name, f"{name}lib"} & modules]
    if len(found) > 1:
        raise TypeError("params mixes arrays of torch and of JAX; use one of them")
    return found[0] if found else None


def to_numpy(value: Any) -> Array:
    """An array of either framework, or a number, as NumPy's."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        # bfloat16 is not known to NumPy.
        value = value.double() if value.is_floating_point() else value
    array = np.asarray(value)
    # JAX's own short types have no kind of NumPy's.
    return array.astype(np.float64) if "float" in str(array.dtype) else array
