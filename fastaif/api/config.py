"""`show_config`, `set_backend`, `warmup`: what runs, and getting it ready."""

from __future__ import annotations

import platform
import sys
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from .. import _compute
from ..data.parallel import default_threads
from ..utils import validation

_PACKAGES = ("numpy", "scipy", "numba", "llvmlite", "scikit-learn", "pandas", "matplotlib")


def show_config(verbose: bool = False) -> None:
    """Print versions, backends, threads and BLAS libraries.

    Parameters
    ----------
    verbose : bool
        Whether each compiled operation has a line of its own; else only those that do not run on
        the backend of most.
    """
    from .. import __version__

    lines = [f"fastaif {__version__}", f"python {platform.python_version()} ({sys.platform})"]
    for package in _PACKAGES:
        try:
            lines.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            lines.append(f"{package} not installed")
    lines += [_native_line(), f"machine: {platform.machine()}"]
    lines.append(f"threads: {default_threads()}")
    lines += _operation_lines(verbose)
    lines += _blas_lines()
    print("\n".join(lines))


def _operation_lines(verbose: bool) -> list[str]:
    backends = {name: _compute.backend_of(name) for name in _compute.OPERATIONS}
    if verbose:
        return [f"operation {name}: {backend}" for name, backend in backends.items()]
    (most, count), *_ = Counter(backends.values()).most_common()
    others = [f"operation {name}: {found}" for name, found in backends.items() if found != most]
    return [f"operations: {count} of {len(backends)} {most}", *others]


def _native_line() -> str:
    if not _compute.native_available():
        return "native extension: not built; Numba runs everything"
    extension = _compute.native()
    others = ", ".join(extension.available_instruction_sets())
    return f"native extension: built; instruction set {extension.instruction_set()} of {others}"


def _blas_lines() -> list[str]:
    import scipy.linalg.cython_blas  # noqa: F401  (loads the library that is used)
    from threadpoolctl import threadpool_info

    return [
        f"BLAS: {info.get('internal_api')} {info.get('version')}"
        f"{' (' + info['architecture'] + ')' if info.get('architecture') else ''}"
        for info in threadpool_info()
        if info.get("user_api") == "blas"
    ]


def set_backend(name: str) -> None:
    """Choose the backend of every later call.

    Parameters
    ----------
    name : {"auto", "numba", "native"}
        "auto": native where it was built, else Numba.

    Raises
    ------
    RuntimeError
        "native" where the C extension was not built.
    """
    _compute.set_backend(validation.option(name, "backend", _compute.BACKENDS))


def warmup() -> None:
    """Compile, or load from the disk cache, every operation for float64 and float32."""
    from ..models.basis import QuadraticRegression
    from ..models.linear import LinearRegression
    from ..models.smoothing import RandomizedSmoothing
    from .aif import aif
    from .attack import attack

    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    y = X @ np.array([1.0, -2.0, 0.5]) + rng.normal(size=50)
    models = (LinearRegression(), QuadraticRegression(), RandomizedSmoothing(LinearRegression(), 1))
    for model in models:
        for dtype in (np.float64, np.float32):
            model.fit(X.astype(dtype), y)
            result = aif(model, X.astype(dtype), y, refine=True)
            aif(model, X.astype(dtype), y, refine=True, solver="cg")
            if isinstance(model, LinearRegression):
                result.bootstrap(2, 0)
        attack(model, X, y, 0.1)
        attack(model, X, y, 0.1, method="pgd", n_restarts=3, random_state=0)
    _warm_up_networks(X, y)


def _warm_up_networks(X: Any, y: Any) -> None:
    """A fit, its influence with shares and kinks, and attacks: every operation of networks."""
    from ..models.network import MLPRegression
    from .aif import aif
    from .attack import attack

    model = MLPRegression(hidden=2, alpha=0.1, random_state=0).fit(X, y)
    for dtype in (np.float64, np.float32):
        inputs = X.astype(dtype)
        result = aif(model, inputs, y, order=2, damping="auto", refine=True)
        result.per_sample()
        result.flip_fraction(1e-6)
        attack(model, inputs, y, 0.1, n_restarts=3, random_state=0)
