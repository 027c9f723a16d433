"""Peak memory of one contestant in a fresh process, above what it holds with the data ready.

`python -m bench.memory MODULE CONTESTANT N M` prints bytes. The module offers
`generate(size)`, which makes the data, and `COMPLETE`, contestants by name, called with them.
"""

from __future__ import annotations

import gc
import importlib
import subprocess
import sys
from pathlib import Path

from bench import data

WARM_UP: data.Size = (20_000, 4)  # enough rows that everybody starts all of his threads
CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
RESET_PEAK = "5"


def peak(module: str, name: str, size: data.Size) -> float | None:
    """Bytes, or None where the system keeps no resettable peak (all but Linux)."""
    if not CLEAR.exists():
        return None
    command = [sys.executable, "-m", "bench.memory", module, name, *map(str, size)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=1800)
    return float(done.stdout.splitlines()[-1])


def megabytes(value: float | None) -> str:
    return "–" if value is None else f"{value / 1e6:,.0f}" if value >= 1e7 else f"{value / 1e6:.1f}"


def measure(module: str, name: str, size: data.Size) -> int:
    """Bytes that this process needs at most for the contestant, once it is warm."""
    workload = importlib.import_module(module)
    run = workload.COMPLETE[name]
    run(*workload.generate(getattr(workload, "WARM_UP", WARM_UP)))
    arguments = workload.generate(size)
    restart()
    run(*arguments)
    return max(_status("VmHWM") - _baseline[0], 0)


_baseline = [0]


def restart() -> None:
    """Measure from here on: for contestants that make something first."""
    gc.collect()
    CLEAR.write_text(RESET_PEAK, encoding="ascii")
    _baseline[0] = _status("VmRSS")


def _status(key: str) -> int:
    lines = STATUS.read_text(encoding="ascii").splitlines()
    (value,) = (line.split()[1] for line in lines if line.startswith(key + ":"))
    return 1024 * int(value)


if __name__ == "__main__":
    n, m = map(int, sys.argv[3:])
    # The module that workloads know, not its copy that runs as a command.
    print(importlib.import_module("bench.memory").measure(sys.argv[1], sys.argv[2], (n, m)))
