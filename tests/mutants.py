"""Break formulas one by one, and see whether the quick suite notices.

    python -m tests.mutants [--list] [--workers N] [NAME ...]

Each mutant is a wrong sign, factor, term or index in one line of Python, Numba or C. It is made in
a copy of the checkout; there the tests run that its path says cover it, with the contracts, and
stop at the first that fails, which has to be green without the mutant. NAMEs are regular
expressions over the mutants' names. Ends with status 1 if a mutant was not found. C mutants build
the extension; Numba's compile anew.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
COPIED = ["fastaif", "csrc", "tests", "docs", "setup.py", "pyproject.toml", "README.md",
          "CITATION.cff", "CONTRIBUTING.md", "CHANGELOG.md", "conda"]  # fmt: skip

# Families that are made of another's code, of which its own folder says only what is shared.
MADE_OF = {"tests/families/vector": ["tests/families/softmax", "tests/families/outputs"]}


class Mutant(NamedTuple):
    """A file, what stands in it exactly once, and what takes its place."""

    path: str
    before: str
    after: str

    @property
    def name(self) -> str:
        return f"{self.path}: {self.before.strip()} -> {self.after.strip()}"

    @property
    def folders(self) -> list[str]:
        """The tests that cover the file: its own folder's, or the nearest above, and contracts.

        Of compiled operations those first that are named after the file.
        """
        parts = Path(self.path).parts
        if parts[0] == "csrc" or parts[1] == "_compute":
            own = sorted((ROOT / "tests").glob(f"[_c]*/test_{Path(self.path).stem}*.py"))
            named = [str(path.relative_to(ROOT)) for path in own]
            return [*named, "tests/_compute", "tests/contracts"]
        folder = Path("tests", *parts[1:-1])
        if len(parts) == 2:  # a module by itself, as its tests are
            alone = (ROOT / "tests").glob(f"test_{Path(parts[1]).stem}*.py")
            return [*(str(path.relative_to(ROOT)) for path in alone), "tests/contracts"]
        while not (ROOT / folder).exists():
            folder = folder.parent
        return [str(folder), *MADE_OF.get(str(folder), []), "tests/contracts"]


MUTANTS = [
    # Losses and norms.
    Mutant("fastaif/losses/logistic.py", "return -y * _expit(-y * f)", "return y * _expit(-y * f)"),
    Mutant("fastaif/losses/log_link.py", "reach**2 / 6.0", "reach**2 / 3.0"),
    Mutant("fastaif/losses/huber.py", "self.delta) ** -3.0", "self.delta) ** -2.0"),
    Mutant("fastaif/losses/squared_error.py", "y + 0.25 * slope", "y + 0.5 * slope"),
    Mutant("fastaif/losses/gamma.py", "1.0 - y * exp_gap(-1.0", "1.0 - y * exp_gap(1.0"),
    Mutant("fastaif/losses/expectile.py", "0.25 * slope", "0.5 * slope"),
    Mutant("fastaif/losses/cloglog.py", "m * (1 / 12", "m * (1 / 6"),
    Mutant("fastaif/_compute/numba_ops/point_losses.py", "a * up + b * down", "a * up + down"),
    Mutant("csrc/core/point_losses.h", "(z + rest) * rest}", "(z + rest) * z}"),
    Mutant("fastaif/norms.py", "p / (p - 1.0)", "p / (p + 1.0)"),
    Mutant("fastaif/norms.py", "(width / h) ** 2", "(width / h)"),
    # What an attacker may do.
    Mutant("fastaif/threat/ball.py", "np.outer(own.weights, own.weights) * inner", "inner"),
    Mutant(
        "fastaif/threat/ball.py",
        "return np.asarray(self.weights * dual_direction(self.weights * beta, self.p))",
        "return np.asarray(dual_direction(self.weights * beta, self.p))",
    ),
    Mutant("fastaif/threat/budget.py", "1.0 / (self.order - 1.0)", "1.0 / self.order"),
    Mutant("fastaif/threat/budget.py", "float(power ** (-1.0 / self.order))", "float(power**-1.0)"),
    # Linear predictors.
    Mutant(
        "fastaif/families/linear/problem.py",
        "slope * self.ball.gain_gradient(self.beta)\n        return self.radius * phi",
        "slope * self.ball.gain_gradient(self.beta)\n        return phi",
    ),
    Mutant("fastaif/families/linear/problem.py", "np.sign(slope) + spent", "np.sign(slope)"),
    Mutant("fastaif/families/linear/problem.py", "raw[m] -= shift", "raw[m] += shift"),
    Mutant(
        "fastaif/families/linear/shared_attack.py",
        "following = kappa *",
        "following = 0.5 * kappa *",
    ),
    Mutant(
        "fastaif/families/linear/bootstrap.py", "-radius[:, None] * phi", "radius[:, None] * phi"
    ),
    Mutant("fastaif/families/linear/bootstrap.py", "2.0 * problem.alpha", "problem.alpha"),
    Mutant("fastaif/families/linear/zero.py", "pull / steep if", "steep / pull if"),
    Mutant(
        "fastaif/families/linear/norm_expansion.py",
        "(sums.gain, sums.scalar(c.S_FF), 0.0)",
        "(sums.gain, 0.0, 0.0)",
    ),
    Mutant(
        "fastaif/families/linear/norm_expansion.py",
        "sums.gradient + 2.0 * problem.alpha * self._penalized * inner",
        "sums.gradient + problem.alpha * self._penalized * inner",
    ),
    Mutant(
        "fastaif/families/linear/one_sided.py",
        "lifted[:m] = s * steep * columns",
        "lifted[:m] = s * columns",
    ),
    Mutant(
        "fastaif/families/linear/robust/row_terms.py",
        "return along, -float(self._y @ along)",
        "return along, float(self._y @ along)",
    ),
    Mutant(
        "fastaif/families/linear/robust/certificate.py",
        "gap += problem.alpha * float(",
        "gap += 0.5 * problem.alpha * float(",
    ),
    Mutant(
        "fastaif/families/linear/robust/interior_point.py",
        "gradient[self._free] += self._scale * self.norm.force",
        "gradient[self._free] -= self._scale * self.norm.force",
    ),
    # Every sum over samples.
    Mutant(
        "fastaif/families/finite_sum/problem.py",
        "b = np.stack([-self.mixed(), self.gradient], axis=1)",
        "b = np.stack([self.mixed(), self.gradient], axis=1)",
    ),
    Mutant(
        "fastaif/families/finite_sum/natural_fit.py",
        "local.gradient + 2.0 * alpha * shrunk",
        "local.gradient + alpha * shrunk",
    ),
    Mutant("fastaif/passes/sums.py", "c.S_MIXED if self.exponent", "c.S_K if self.exponent"),
    # Bases, kernels, networks, frameworks.
    Mutant(
        "fastaif/families/basis/problem.py",
        "np.abs(slope)[:, None] * self.basis.moves_at(U, P)",
        "slope[:, None] * self.basis.moves_at(U, P)",
    ),
    Mutant(
        "fastaif/families/kernel/problem.py",
        "turned = rows[:, 0] + columns[0]",
        "turned = rows[:, 0] - columns[0]",
    ),
    Mutant(
        "fastaif/families/kernel/core.py",
        "return 2.0 * self.multiply(slope + self.alpha",
        "return 2.0 * self.multiply(slope - self.alpha",
    ),
    Mutant("fastaif/families/network/problem.py", "speed * speed + slope * bend", "speed * speed"),
    Mutant("fastaif/families/vector/problem.py", "own = 2.0 * self.alpha", "own = self.alpha"),
    Mutant("fastaif/families/vector/problem.py", "cells[:, :, :m] += at", "cells[:, :, :m] -= at"),
    Mutant("fastaif/families/softmax/problem.py", ".mean(axis=0) / curv", ".sum(axis=0) / curv"),
    Mutant(
        "fastaif/families/softmax/certificate.py",
        "up[self.rival], down[self.rival] = high,",
        "up[self.rival], down[self.rival] = low,",
    ),
    Mutant("fastaif/families/softmax/attack.py", "(own + ahead)", "(0 * own + ahead)"),
    Mutant("fastaif/families/softmax/fit.py", "still[:, :m] = 0.0", "still[:, :m] *= 1.0"),
    Mutant("fastaif/families/vector/kinks.py", "turned @ W + pulls", "turned @ W - pulls"),
    Mutant("fastaif/passes/softmax.py", "out[j, k] = -part", "out[j, k] = part"),
    Mutant("fastaif/passes/outputs.py", "mixed[:, :m] += (", "mixed[:, :m] -= ("),
    Mutant("fastaif/passes/outputs.py", "np.sqrt(2.0 * w)", "np.sqrt(w)"),
    Mutant("fastaif/passes/outputs.py", "r[are_flat(Z, coef, Y, r, self.step)] = 0.0", "r[:] = r"),
    Mutant("fastaif/families/outputs/pinned.py", "2.0 * problem.radius", "problem.radius"),
    Mutant("fastaif/families/outputs/attack.py", "(values**2)", "(0.5 * values**2)"),
    Mutant("fastaif/families/outputs/attack.py", "+ gains\n", "+ 0.5 * gains\n"),
    Mutant("fastaif/families/outputs/problem.py", "return 2.0 * self.sums", "return self.sums"),
    Mutant("fastaif/families/vector/problem.py", "+ self._solved_apart", "- self._solved_apart"),
    Mutant("fastaif/families/vector/pieces.py", "rho * (q - 1.0) / gains", "rho * q / gains"),
    Mutant("fastaif/families/vector/pieces.py", "out.hessian -= flat.T", "out.hessian += flat.T"),
    Mutant("fastaif/families/vector/tangent.py", "-s * sums.rates)", "s * sums.rates)"),
    Mutant("fastaif/families/vector/norm_expansion.py", "+ share * move", "- share * move"),
    Mutant("fastaif/families/softmax/certificate.py", "@ slopes) + spread", "@ slopes) - spread"),
    Mutant(
        "fastaif/families/autodiff/problem.py",
        "batch.shares * budgets[batch.rows]",
        "budgets[batch.rows]",
    ),
    # Attacks that take the rows, sparse coefficients, and layers.
    Mutant("fastaif/families/linear/rowwise/problem.py", "bend * side * gains", "bend * gains"),
    Mutant(
        "fastaif/families/linear/rowwise/problem.py",
        "np.abs(slope) * gains,",
        "np.abs(slope),",
    ),
    Mutant(
        "fastaif/families/linear/rowwise/problem.py",
        "+ slope[:, None] * m",
        "- slope[:, None] * m",
    ),
    Mutant("fastaif/families/rowwise.py", "room / self.radius", "room * self.radius"),
    Mutant("fastaif/families/vector/restricted.py", "* at.residuals).T", "* at.z).T"),
    Mutant("fastaif/families/basis/restricted.py", "curvature(f, y) * side", "curvature(f, y)"),
    Mutant("fastaif/families/linear/rowwise/ends.py", "-self.down.gains)", "self.down.gains)"),
    Mutant(
        "fastaif/families/linear/rowwise/soft_objective.py",
        "spread = np.hypot(gap, 2.0 * self.mu)",
        "spread = np.hypot(gap, self.mu)",
    ),
    Mutant("fastaif/families/linear/l1/problem.py", "(level * self", "(0.5 * level * self"),
    Mutant("fastaif/families/linear/l1/problem.py", "-self.params / infl", "self.params / infl"),
    Mutant("fastaif/families/linear/l1/problem.py", "drift - heights", "drift + heights"),
    Mutant(
        "fastaif/families/linear/l1/problem.py",
        "float(self.l1_weights @",
        "0.5 * float(self.l1_weights @",
    ),
    Mutant("fastaif/families/linear/l1/entering.py", "drift + heights", "drift - heights"),
    Mutant("fastaif/families/layered/heads.py", "shares * (T - (shares", "shares * (T + (shares"),
    Mutant("fastaif/families/layered/heads.py", "- y) + step) * step)", "- y) - step) * step)"),
    Mutant("fastaif/families/layered/layers.py", "back + pulled * dots", "back - pulled * dots"),
    Mutant("fastaif/families/layered/activations.py", "density * (2.0", "density * (1.0"),
    Mutant("fastaif/families/layered/derivatives.py", "second += 2.0 * ((", "second += (("),
    Mutant("fastaif/families/layered/fit.py", "+ 2.0 * self.alpha * np", "+ self.alpha * np"),
    Mutant("fastaif/losses/huber.py", "step + 2.0 * (f", "step + (f"),
    Mutant("fastaif/losses/huber.py", "(1.0 - size) * (1.0 + size)", "(1.0 - size)"),
    # Solvers.
    Mutant("fastaif/solvers/cg.py", "r -= step * Ap", "r -= 0.5 * step * Ap"),
    Mutant(
        "fastaif/solvers/nystrom.py",
        "self.vectors @ (self.shares",
        "-self.vectors @ (self.shares",
    ),
    Mutant("fastaif/solvers/woodbury.py", "first - self.inverse", "first + self.inverse"),
    Mutant("fastaif/solvers/box_qp.py", "level[simplex] -= float(", "level[simplex] += float("),
    Mutant(
        "fastaif/solvers/norm_quadratic.py",
        "model._g + kappa * model._h + slope",
        "model._g + slope",
    ),
    # Numba.
    Mutant("fastaif/_compute/numba_ops/losses.py", "weight = c / root", "weight = -c / root"),
    Mutant("fastaif/_compute/numba_ops/basis_features.py", "2.0 * beta[place]", "beta[place]"),
    Mutant("fastaif/_compute/numba_ops/kernel_tiles.py", "3.0 * gamma * gamma", "gamma * gamma"),
    # C.
    Mutant("csrc/core/losses.h", "end.second = small * inverse;", "end.second = small;"),
    Mutant("csrc/kernel/kernel_tiles.h", "s * s * (1.0 / 3.0)", "s * s * (1.0 / 2.0)"),
    Mutant("csrc/core/row_geometry.h", "norm = pow(total, 1.0 / q)", "norm = pow(total, 1.0 / p)"),
    Mutant("csrc/linear/linear_batch.h", "s->radius * gain * s->mixed[j]", "gain * s->mixed[j]"),
]


def copy_of_checkout(folder: Path) -> None:
    """The sources, the built extension and the tests."""
    junk = shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=junk)
        else:
            shutil.copy2(source, folder / name)


def built(folder: Path) -> None:
    """Build the extension of a copy."""
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=folder, check=True,
        env={**os.environ, "FASTAIF_REQUIRE_NATIVE": "1"}, capture_output=True,
    )  # fmt: skip


def extension_of(folder: Path) -> dict[Path, bytes]:
    """The built extension of a copy, which is kept to be put back: building takes a minute."""
    return {path: path.read_bytes() for path in folder.glob("fastaif/_compute/_native*")}


def put_back(folder: Path, extension: dict[Path, bytes]) -> None:
    """That extension in place of the mutant's."""
    for path in extension_of(folder):
        path.unlink()
    for path, content in extension.items():
        path.write_bytes(content)


def run_pytest(
    folder: Path, what: list[str], workers: int, alone: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run tests of a copy; `alone` with compiled code that nobody else finds."""
    env = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", str(workers)]
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", *what], cwd=folder, capture_output=True, text=True,
        check=False, env=env | {"TMPDIR": str(folder)} if alone else env,
    )  # fmt: skip


def verdict(mutant: Mutant, folder: Path, workers: int) -> str:
    """What the tests say of a mutant in a copy, which is whole again afterwards."""
    path = folder / mutant.path
    original = path.read_text(encoding="utf-8")
    if original.count(mutant.before) != 1:
        return f"STALE: found {original.count(mutant.before)} times in its file"
    path.write_text(original.replace(mutant.before, mutant.after), encoding="utf-8")
    compiled, whole = mutant.path.startswith("csrc"), extension_of(folder)
    try:
        if compiled:
            built(folder)
        start = time.perf_counter()
        run = run_pytest(folder, mutant.folders, workers, alone="_compute" in mutant.path)
        took = time.perf_counter() - start
    finally:
        path.write_text(original, encoding="utf-8")
        if compiled:
            put_back(folder, whole)
    # An id may hold spaces; a message stands after a dash.
    failed = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", run.stdout, re.MULTILINE)
    if run.returncode in (1, 2) and failed:  # 2: xdist was told to stop
        if run_pytest(folder, ["-m", "", failed[1]], 0).returncode != 0:
            return f"RED WITHOUT IT: {failed[1]}"
        return f"found by {failed[1]} ({took:.0f} s)"
    if run.returncode == 0:
        return f"NOT FOUND ({took:.0f} s)"
    return "BROKEN: " + (run.stdout + run.stderr)[-300:]


def main() -> int:
    """Run the mutants that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="only name the mutants")
    parser.add_argument("--workers", type=int, default=0, help="of pytest-xdist")
    options = parser.parse_args()
    chosen = [
        mutant
        for mutant in MUTANTS
        if not options.names or any(re.search(name, mutant.name) for name in options.names)
    ]
    missed = 0
    with tempfile.TemporaryDirectory() as name:
        if not options.list:
            copy_of_checkout(Path(name))
        for mutant in chosen:
            said = "" if options.list else verdict(mutant, Path(name), options.workers)
            missed += bool(said) and not said.startswith("found")
            print(mutant.name, *[f"    {said}"] * bool(said), sep="\n", flush=True)
    if not options.list:
        print(f"{len(chosen) - missed} of {len(chosen)} mutants found")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
