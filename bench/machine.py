"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from threadpoolctl import threadpool_info

BLAS_VARIABLES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
PACKAGES = ("fastaif", "numpy", "scipy", "scikit-learn", "numba", "jax")


def threads() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe() -> list[str]:
    """Lines for a person: processor, versions, BLAS."""
    packages = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    return [
        f"Processor: {_processor()}, {threads()} threads",
        f"Python {platform.python_version()} on {platform.system()}; {packages}",
        f"BLAS: {_blas()}",
    ]


def preamble(*more: str) -> list[str]:
    """The same and more as a Markdown list, with a warning before it where one is due."""
    warning = blas_warning()
    facts = [*describe(), *more]
    return [*([warning] if warning else []), *(f"- {fact}" for fact in facts), ""]


def blas_warning() -> str | None:
    """BLAS reads these variables when NumPy is imported: too late to unset them here."""
    found = [f"{name}={os.environ[name]}" for name in BLAS_VARIABLES if name in os.environ]
    if not found:
        return None
    return f"WARNING: {' '.join(found)} may slow NumPy's BLAS and flatters the ratios: unset it."


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent" if package != "fastaif" else "(not installed)"


def _blas() -> str:
    """NumPy's BLAS; SciPy may bring a second one, which the benchmarks do not use."""
    found = [info for info in threadpool_info() if info["user_api"] == "blas"]
    found = [info for info in found if "numpy" in info["filepath"]] or found
    return "; ".join(
        f"{info['internal_api']} {info['version']}, kernel {info.get('architecture', 'unknown')}, "
        f"{info['num_threads']} threads"
        for info in found
    )


def _processor() -> str:
    if sys.platform != "linux":
        return platform.processor() or platform.machine()
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    facts = dict(map(str.strip, line.split(":", 1)) for line in reversed(lines) if ":" in line)
    name = facts.get("model name", platform.machine())
    simd = [flag for flag in ("avx512f", "avx2") if flag in facts.get("flags", "").split()]
    family = f", family {facts['cpu family']}" if "cpu family" in facts else ""
    return name + family + (f", {simd[0]}" if simd else "")
