"""Builds the C extension where there is a compiler; everything static is in pyproject.toml.

FASTAIF_NO_NATIVE=1 leaves it out, FASTAIF_REQUIRE_NATIVE=1 makes its failure an error, and
FASTAIF_MARCH=native (or another -march) compiles the baseline operations for that processor.
FASTAIF_SANITIZE=address,undefined builds it for the tests with GCC's sanitizers.
"""

import os
import sys
from glob import glob
from pathlib import Path

from setuptools import Extension, setup

sys.path.insert(0, str(Path(__file__).parent / "csrc"))
from generate import SOURCES as TABLE
from generate import write as write_table

MADE = Path("build") / "csrc"
SOURCES = [
    "_native.pyx", "dispatch.c", "scratch.c", "isa_baseline.c", "isa_avx2.c", "isa_avx512.c",
]  # fmt: skip
# No -ffast-math: NaN and infinity must reach the sums, and additions keep their order.
FLAGS = [
    "-std=gnu11", "-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast",
    "-fvisibility=hidden",
]  # fmt: skip


def asked(name: str) -> bool:
    return os.environ.get(name, "") not in ("", "0")


def native() -> list[Extension]:
    required = asked("FASTAIF_REQUIRE_NATIVE")
    if asked("FASTAIF_NO_NATIVE") or (sys.platform == "win32" and not required):
        return []
    march = os.environ.get("FASTAIF_MARCH")
    sanitizers = os.environ.get("FASTAIF_SANITIZE")
    extra = [f"-march={march}"] if march else []
    link = [f"-fsanitize={sanitizers}"] if sanitizers else []
    extra += [*link, "-fno-sanitize-recover=all", "-g", "-O1"] if sanitizers else ["-g0"]
    made = [str(path) for path in write_table(MADE)]
    return [
        Extension(
            "fastaif._compute._native",
            [f"csrc/{name}" for name in SOURCES],
            include_dirs=["csrc", str(MADE)],
            depends=[
                *glob("csrc/**/*.h", recursive=True),
                *glob("csrc/shim/*.pxi"),
                *made,
                *(str(path) for path in TABLE),
            ],
            extra_compile_args=[*FLAGS, *extra],
            extra_link_args=link,
            optional=not required,
        )
    ]


setup(ext_modules=native())
