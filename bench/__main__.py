"""Every table, one after the other, each in a process of its own (`python -m bench [--quick]`).

What a table needs and this machine has not (PyTorch, JAX, CVXPY, `linadvtrain`, dro, mlxtend) is
said, and left out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from bench import machine


class Table(NamedTuple):
    """Options of a command of this package, those of a quick run, and what it cannot do without."""

    options: tuple[str, ...]
    quick: tuple[str, ...] | None  # None: not at all
    needs: str = ""


TABLES = {
    "logistic": Table((), ("--quick",)),
    "squared error": Table(("--loss", "squared_error", "--no-cold"), ("--quick",)),
    "poisson": Table(("--loss", "poisson", "--no-cold"), ("--quick",)),
    "small": Table((), ("--repeat", "5")),
    "first": Table((), ()),
    "stages": Table((), None),
    "quadratic": Table((), ("--quick",)),
    "softmax": Table((), ("--quick",)),
    "robust": Table((), None, "cvxpy"),
    "robust_large": Table((), ("--no-clarabel",)),
    "robust_peers": Table((), ("--sizes", "200x10"), "linadvtrain"),
    "distributions": Table((), ("--repeat", "1"), "dro"),
    "bootstrap": Table((), ("--quick",)),
    "batch": Table((), ("--quick",)),
    "streams": Table((), ("--quick",)),
    "kernels": Table((), ("--quick",)),
    "network": Table((), None, "torch"),
    "solvers": Table((), ("--quick",)),
    "figure2a": Table((), ("--quick",)),
    "growth": Table((), ("--quick",)),
}
_LOSSES = ("logistic", "squared error", "poisson")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that all works")
    parser.add_argument("--only", metavar="A,B,...", help=f"of {', '.join(TABLES)}")
    parser.add_argument("--out", type=Path, metavar="DIR", help="also write DIR/<table>.md")
    options = parser.parse_args()
    chosen = options.only.split(",") if options.only else list(TABLES)
    unknown = [name for name in chosen if name not in TABLES]
    if unknown:
        parser.error(f"--only: {', '.join(unknown)} is unknown; there are {', '.join(TABLES)}")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    print(machine.blas_warning() or "", flush=True)
    failed = [name for name in chosen if not run(name, options.quick, options.out)]
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def run(name: str, quick: bool, out: Path | None) -> bool:
    """One table; whether it ended well."""
    table = TABLES[name]
    print(f"\n## {name}\n", flush=True)
    if table.needs and find_spec(table.needs) is None:
        print(f"left out: {table.needs} is not installed", flush=True)
        return True
    if quick and table.quick is None:
        print("left out: it has no quick version", flush=True)
        return True
    module = "bench.table" if name in _LOSSES else f"bench.{name}"
    command = [sys.executable, "-m", module, *table.options]
    command += (table.quick or ()) if quick else ()
    if out:
        command += ["--markdown", str(out / f"{name.replace(' ', '_')}.md")]
    start = time.perf_counter()
    done = subprocess.run(command, check=False)
    print(f"\n{name}: {time.perf_counter() - start:.0f} s", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    main()
