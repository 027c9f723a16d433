"""Random cases in as many as there is time for: forms of rows, faults and accumulators.

    python -m tests.fuzz [--first SEED] [--seeds N] [--at-most SECONDS]

Each seed is one case in every form and with every fault. What fails is printed with its seed and
how it failed; ends with status 1 where anything did.
"""

from __future__ import annotations

import argparse
import faulthandler
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import conftest  # noqa: F401 - where compiled code is kept
from support.fuzz import FAULTS, FORMS
from support.fuzz_checks import SMALL, check_accumulator, check_fault, check_form

_HANGS = 120.0  # seconds, after which a case ends the run with the stacks of its threads


def checks() -> dict[str, Callable[[int, Path], None]]:
    """What is asked of each seed, by name."""
    return {
        **{form: partial(check_form, form) for form in FORMS},
        **{fault: partial(check_fault, fault) for fault in FAULTS},
        "accumulator": check_accumulator,
    }


def run(first: int, seeds: int, at_most: float) -> int:
    """Run the cases; returns how many failed."""
    start, counts, failures = time.monotonic(), Counter[str](), 0
    for seed in range(first, first + seeds):
        if time.monotonic() - start > at_most:
            break
        for name, check in checks().items():
            faulthandler.dump_traceback_later(_HANGS, exit=True)
            with tempfile.TemporaryDirectory() as folder:
                try:
                    check(seed, Path(folder))
                except BaseException as error:
                    if isinstance(error, KeyboardInterrupt):
                        raise
                    failures += 1
                    print(f"seed {seed}, {name}:", flush=True)
                    traceback.print_exc(limit=-4, file=sys.stdout)
            faulthandler.cancel_dump_traceback_later()
            counts[name] += 1
        if seed % 50 == 0:
            print(f"seed {seed}: {counts.total()} cases, {failures} failed", flush=True)
    took = time.monotonic() - start
    print(
        f"{counts.total()} cases in {took:.0f} s, {failures} failed; of each {min(counts.values())}"
    )
    return failures


def main() -> int:
    """Run as asked on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1060)
    parser.add_argument("--at-most", type=float, default=float("inf"))
    asked = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, entries in SMALL.items():
            mock.patch(name, entries).start()
        return int(run(asked.first, asked.seeds, asked.at_most) > 0)


if __name__ == "__main__":
    sys.exit(main())
