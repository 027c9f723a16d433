"""What the extension's checks of its arguments cost: `python -m bench.checks [--quick]`.

Builds the extension a second time, with a shim that looks at nothing (`csrc/generate.py`,
`unchecked.pxi`), and times one operation and the whole of `aif` with either. With `--instructions`
it also counts them, by valgrind's callgrind: a load on the machine does not change these.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import fastaif as fa
from bench import machine, report, timing
from fastaif import _compute
from fastaif._compute import codes, types

HERE = Path(__file__).parent
SOURCES = HERE.parent / "csrc"
CHECKED = "as it is"
UNCHECKED = "without checks"
SIZES, QUICK = ((1_000, 5), (1_000_000, 16)), ((1_000, 5),)
AT_ONCE = 200_000  # rows of one timing, of small problems several calls
REPEAT = 51
COUNTED = 400  # calls whose instructions are counted
HEADER = ("n x m", "what", CHECKED, UNCHECKED, "checks")


def built(folder: Path, compiler: str) -> Path:
    """The extension without checks, compiled there."""
    shutil.copy(SOURCES / "_native.pyx", folder)
    (folder / "shim").mkdir()
    shutil.copy(SOURCES / "shim" / "arrays.pxi", folder / "shim")
    shutil.copy(HERE / "unchecked.pxi", folder / "shim" / "take.pxi")
    runpy.run_path(str(SOURCES / "generate.py"))["write"](folder, checked=False)
    shim = folder / "_native.c"
    subprocess.run([sys.executable, "-m", "cython", "-3", str(folder / "_native.pyx"),
                    "-o", str(shim)], check=True)  # fmt: skip
    flags = runpy.run_path(str(HERE.parent / "bench" / "stages.py"))["FLAGS"]
    made = folder / f"_native{sysconfig.get_config_var('EXT_SUFFIX')}"
    parts = [str(SOURCES / f"{part}.c") for part in
             ("dispatch", "isa_baseline", "isa_avx2", "isa_avx512")]  # fmt: skip
    subprocess.run(
        [compiler, *flags, "-fPIC", "-shared", "-fvisibility=hidden", "-g0", "-w", f"-I{SOURCES}",
         f"-I{folder}", f"-I{sysconfig.get_path('include')}", str(shim), *parts, "-lm",
         "-o", str(made)],
        check=True,
    )  # fmt: skip
    return made


def loaded(path: Path) -> Any:
    """That extension as a module, on the instruction set of the other."""
    spec = importlib.util.spec_from_file_location("unchecked._native", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.choose_instruction_set(_compute.native().instruction_set())
    return module


def arguments(n: int, m: int) -> tuple[Any, ...]:
    """What `linear_sums` is handed by an `aif` of a logistic regression."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((n, m)), np.where(rng.random(n) < 0.5, 1.0, -1.0)
    need = codes.NEED_HESSIAN | codes.NEED_MIXED | codes.NEED_NORM
    beta = rng.standard_normal(m) / m
    return (
        types.Rows(x, y, types.EMPTY), types.Predictor(beta, 0.1, types.EMPTY, types.EMPTY),
        types.NormOf(2.0, types.EMPTY, types.EMPTY),
        fa.LogisticRegression()._loss.inner(), need,
        types.Sums(np.zeros((m, m)), np.zeros((codes.N_VECTORS, m)), np.zeros(codes.N_SCALARS)),
    )  # fmt: skip


def lines(extensions: dict[str, Any], n: int, m: int, repeat: int) -> list[list[str]]:
    """The operation by itself, and `aif` whole."""
    given = arguments(n, m)
    X, y = given[0].x, given[0].y
    model = fa.LogisticRegression().fit(X[:20_000], y[:20_000])
    calls = max(1, AT_ONCE // n)

    def operation(extension: Any) -> Callable[[], None]:
        def run() -> None:
            for _ in range(calls):
                extension.linear_sums(*given)

        return run

    def whole(extension: Any) -> Callable[[], None]:
        def run() -> None:
            with mock.patch.object(_compute, "native", return_value=extension):
                for _ in range(calls):
                    fa.aif(model, X, y)

        return run

    found = []
    for name, maker in (("linear_sums", operation), ("aif", whole)):
        runs = {key: maker(extension) for key, extension in extensions.items()}
        for run in runs.values():
            run()
        times = timing.interleaved(runs, repeat)
        with_, without = (1e6 * times[key] / calls for key in (CHECKED, UNCHECKED))
        share = f"{100.0 * (with_ / without - 1.0):+.2f} %"
        found.append([f"{n:,} x {m}", name, f"{with_:,.2f} us", f"{without:,.2f} us", share])
    return found


# --- instructions --------------------------------------------------------------------------------


def instructions(path: Path | None, n: int, m: int) -> float:
    """Instructions of one call of `linear_sums`, by callgrind.

    Those of many calls less those of none, as both begin with the same imports. Valgrind knows
    AVX2, but no AVX-512.
    """
    many, none = (_counted(path, n, m, calls) for calls in (COUNTED, 0))
    return (many - none) / COUNTED


def _counted(path: Path | None, n: int, m: int, calls: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "counts")
        subprocess.run(
            ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}", sys.executable,
             "-m", "bench.checks", "--call", str(path or "-"), str(n), str(m), str(calls)],
            check=True, stderr=subprocess.DEVNULL,
            env={**os.environ, "FASTAIF_ISA": "avx2", "PYTHONHASHSEED": "0",
                 "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        (total,) = (line for line in out.read_text().splitlines() if line.startswith("summary:"))
    return int(total.split()[1])


def _call(path: str, n: int, m: int, calls: int) -> None:
    """What is counted."""
    extension = _compute.native() if path == "-" else loaded(Path(path))
    given = arguments(n, m)
    extension.linear_sums(*given)
    for _ in range(calls):
        extension.linear_sums(*given)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.checks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the small size, few runs")
    parser.add_argument("--instructions", action="store_true", help="count them, without timing")
    parser.add_argument("--repeat", type=int, default=REPEAT)
    parser.add_argument("--compiler", default="gcc")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--call", nargs=4, metavar=("PATH", "N", "M", "CALLS"),
                        help=argparse.SUPPRESS)  # fmt: skip
    options = parser.parse_args()
    if options.call:
        path, *sizes = options.call
        _call(path, *map(int, sizes))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = built(Path(folder), options.compiler)
        if options.instructions:
            with_, without = (instructions(each, *SIZES[0]) for each in (None, path))
            title, rows = "Instructions of a call, avx2, by callgrind", [
                [f"{SIZES[0][0]:,} x {SIZES[0][1]}", "linear_sums", f"{with_:,.0f}",
                 f"{without:,.0f}", f"{100.0 * (with_ / without - 1.0):+.2f} %"],
            ]  # fmt: skip
        else:
            extensions = {CHECKED: _compute.native(), UNCHECKED: loaded(path)}
            repeat = 5 if options.quick else options.repeat
            title, rows = f"Medians of {repeat} interleaved runs", [
                line for n, m in (QUICK if options.quick else SIZES)
                for line in lines(extensions, n, m, repeat)
            ]  # fmt: skip
    report.publish([*machine.preamble(title), *report.table(HEADER, rows)], options.markdown)


if __name__ == "__main__":
    main()
