"""Cold start: what the first result costs in a fresh process (`python -m bench.cold`).

The parent starts two of them in a row with an empty Numba cache: the second must find everything
compiled.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

SIZE = (1000, 16)


def processes(backend: str) -> list[dict[str, Any]]:
    """Figures of a first and a second process that share an initially empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        command = [sys.executable, "-m", "bench.cold", backend]
        return [_child(command, environment) for _ in range(2)]


def _child(command: list[str], environment: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=600
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure(backend: str) -> dict[str, Any]:
    """Seconds of each step in this process, then what Numba did meanwhile."""
    clock = [time.perf_counter()]

    def lap() -> float:
        clock.append(time.perf_counter())
        return clock[-1] - clock[-2]

    import sklearn.base  # noqa: F401  (NumPy and scikit-learn: what fastaif may take as given)

    figures: dict[str, Any] = {"given": lap()}
    import fastaif  # noqa: F401

    figures["import"] = lap()
    from bench import data, ours

    ours.set_backend(backend)
    X, y = data.logistic(*SIZE)
    lap()
    model = ours.fitted(X, y, alpha=1e-3)
    figures["fit"] = lap()
    for name in ("first", "second"):
        ours.influence(model, X, y)
        figures[name] = lap()
    return figures | numba_activity()


def numba_activity() -> dict[str, Any]:
    """Functions that Numba compiled and loaded from its cache; it counts them itself."""
    if "numba" not in sys.modules:
        return {"numba": False, "compiled": 0, "loaded": 0}
    from numba.core.dispatcher import Dispatcher

    # gc: the only list of all of them, those compiled without a cache included.
    stats = [item.stats for item in gc.get_objects() if isinstance(item, Dispatcher)]
    return {
        "numba": True,
        "compiled": sum(sum(s.cache_misses.values()) for s in stats),
        "loaded": sum(sum(s.cache_hits.values()) for s in stats),
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1] if len(sys.argv) > 1 else "auto")))
