"""Robust fits whose budget the samples share: `python -m bench.distributions [--markdown FILE]`.

Beside dro and skwdro: logistic regression of order 1 in the Wasserstein ball itself, least squares
and logistic regression of order 2, on embedded and generated data with columns of size one. All
objectives are measured by the same formula at what each found; times are the processor's, on one
thread. skwdro's logistic fit of order 2 samples an entropic dual; its other fits and dro's are
CVXPY's.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # before BLAS is loaded
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
from sklearn.datasets import load_breast_cancer, load_diabetes  # noqa: E402

import fastaif as fa  # noqa: E402
from bench import machine, report, timing  # noqa: E402
from bench.peers import wasserstein  # noqa: E402

Array = npt.NDArray[np.float64]
Fit = Callable[[], Array]
RADII = (0.01, 0.1)
_LONG = 1.0  # seconds: a peer that takes longer runs once
HEADER = ("data", "n", "m", "loss", "order", "p", "eps", "fastaif", "peer", "its", "ratio",
          "J above fastaif's")  # fmt: skip


def data(name: str) -> tuple[Array, Array]:
    """Inputs with columns of mean 0 and size 1, and targets (of labels −1 and 1)."""
    if name == "breast cancer":
        X, labels = load_breast_cancer(return_X_y=True)
        y = 2.0 * labels - 1.0
    elif name == "diabetes":
        X, y = load_diabetes(return_X_y=True)
        y = (y - y.mean()) / y.std()
    else:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((2000, 50))
        y = X @ rng.standard_normal(50) / np.sqrt(50) + rng.standard_normal(2000)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


CASES = (
    ("breast cancer", "logistic", 1), ("breast cancer", "linear", 2), ("diabetes", "linear", 2),
    ("normal", "linear", 2), ("breast cancer", "logistic", 2),
)  # fmt: skip


def peers(X: Array, y: Array, kind: str, order: int, p: float, eps: float) -> dict[str, Fit]:
    """Those that are installed and know the case."""
    found: dict[str, Fit] = {}
    if (kind, order) != ("logistic", 2) and not wasserstein.missing("dro"):
        found["dro"] = functools.partial(wasserstein.by_dro, X, y, eps, p, kind)
    if p == 2.0 and not wasserstein.missing("skwdro"):
        found["skwdro"] = (
            functools.partial(wasserstein.by_sampling, X, y, eps)
            if (kind, order) == ("logistic", 2)
            else functools.partial(wasserstein.by_skwdro, X, y, eps, kind)
        )
    return found


def objective(fit: Any, X: Array, y: Array, theta: Array, case: tuple[str, int, float]) -> float:
    """J of θ: by its formula, or, of the logistic loss at order 2, by fastaif's worst case."""
    (kind, order, p), eps = case, fit.eps
    beta, f = theta[:-1], X @ theta[:-1] + theta[-1]
    size = eps * float(np.linalg.norm(beta, ord=1.0 if np.isinf(p) else 2.0))
    if kind == "linear":
        return (float(np.sqrt(np.mean((f - y) ** 2))) + size) ** 2
    if order == 1:
        return float(np.mean(np.logaddexp(0.0, -y * f))) + size
    model = fa.LogisticRegression(alpha=1.0).fit(X, y)
    model.coef_, model.intercept_ = beta.copy(), float(theta[-1])
    return float(fa.adversarial_loss(model, X, y, eps, p=p, order=2, radius=1.0))


@contextlib.contextmanager
def hushed() -> Any:
    """Without what peers print, and warn of."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def rows_of(name: str, kind: str, order: int, p: float, eps: float, repeat: int) -> list[list[str]]:
    """A line a peer."""
    X, y = data(name)
    model = (fa.LogisticRegression if kind == "logistic" else fa.LinearRegression)(alpha=0.0)
    with hushed():
        model.fit(X, y)
    options: dict[str, Any] = {"formula": "ball"} if order == 1 else {}

    def mine() -> Any:
        return fa.robust_fit(
            model, X, y, eps, p=p, order=order, radius=1.0, n_threads=1, **options
        )

    found, case, rows = mine(), (kind, order, p), []
    assert found.converged, (name, kind, order, p, eps)
    lowest = objective(found, X, y, found.params, case)
    for peer, fit in peers(X, y, kind, order, p, eps).items():
        with hushed():
            start = time.process_time()
            theta = fit()
            spent = time.process_time() - start
            above = objective(found, X, y, theta, case) - lowest
            runs = {"mine": mine} if spent > _LONG else {"mine": mine, "theirs": fit}
            times = timing.interleaved(runs, repeat, time.process_time, lambda run: None)
            times.setdefault("theirs", spent)
        rows.append([
            name, f"{len(X):,}", f"{X.shape[1]}", kind, f"{order}", f"{p:g}", f"{eps:g}",
            report.milliseconds(times["mine"]), report.milliseconds(times["theirs"]), peer,
            f"{times['theirs'] / times['mine']:.1f}", f"{above / lowest:.0e}",
        ])  # fmt: skip
        print("  ".join(rows[-1]), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.distributions", description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    print("  ".join(HEADER), flush=True)
    rows = [
        row
        for name, kind, order in CASES for p in (2.0, np.inf) for eps in RADII
        for row in rows_of(name, kind, order, p, eps, options.repeat)
    ]  # fmt: skip
    lines = [
        "", *machine.describe(), "",
        f"Robust fits with a shared budget, to 1e-12: medians of {options.repeat} interleaved "
        "runs on one thread (over a second: of one), ms",
        "", *report.table(HEADER, rows), "",
    ]  # fmt: skip
    if rows:
        ratios = [float(row[-2]) for row in rows]
        middle, least = median(ratios), min(ratios)
        lines.append(f"{middle:.1f} times as fast in the median, {least:.1f} at least")
    report.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
