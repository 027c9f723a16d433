"""What each stage of the C sums costs: `python -m bench.stages [--isa avx512] [--markdown FILE]`.

Compiles `stages.c` with the extension's own sources (gcc or clang is needed) and times, on one core
and on rows that are in the cache, the stages of the logistic sums: what is left to gain, and where.
"""

from __future__ import annotations

import argparse
import runpy
import subprocess
import tempfile
from pathlib import Path

from threadpoolctl import threadpool_limits

from bench import floor, machine, report

SOURCES = Path(__file__).parent.parent / "csrc"
FLAGS = ("-std=gnu11", "-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast")
# As in csrc/isa_*.c, for the program around the operations as well.
TARGETS = {
    "avx512": ("-mavx512f", "-mavx512dq", "-mavx512vl", "-mavx512bw", "-mavx2", "-mfma"),
    "avx2": ("-mavx2", "-mfma"),
    "baseline": (),
}
HEADER = ("m", "load, predict, norm", "loss", "scale, three sums", "product", "a whole block",
          "floor", "product, Gflop/s")  # fmt: skip


def measure(isa: str, compiler: str) -> list[list[float]]:
    """Lines of m and nanoseconds a row."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "stages"
        runpy.run_path(str(SOURCES / "generate.py"))["write"](Path(folder))
        command = [
            compiler, *FLAGS, *TARGETS[isa], "-w", f"-I{SOURCES}", f"-I{folder}",
            f'-DFA_ISA_FILE="isa_{isa}.c"',
            str(Path(__file__).with_name("stages.c")), "-lm", "-o", str(program),
        ]  # fmt: skip
        subprocess.run(command, check=True)
        printed = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    return [[float(word) for word in line.split()] for line in printed.splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.stages", description=__doc__)
    parser.add_argument("--isa", choices=tuple(TARGETS), default="avx512")
    parser.add_argument("--compiler", default="gcc")
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    with threadpool_limits(1, user_api="blas"):
        rate = floor.gemm_rate(5)
    rows = [
        [f"{m:.0f}", *(f"{part:.1f}" for part in parts), f"{1e9 * m * m / rate:.1f}",
         f"{m * m / parts[3]:.0f}"]
        for m, *parts in measure(options.isa, options.compiler)
    ]  # fmt: skip
    lines = [
        *machine.describe(), "",
        f"Stages of the logistic sums, {options.isa}, one core: nanoseconds a row, medians of 101 "
        f"blocks; floor: m² flops at one thread's dgemm rate, {rate / 1e9:.0f} Gflop/s",
        "", *report.table(HEADER, rows),
    ]  # fmt: skip
    report.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
