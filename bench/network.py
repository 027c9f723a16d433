"""PGD training of a small network beside PyTorch: `python -m bench.network [--markdown FILE]`."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

import fastaif as fa
from bench import machine, report, timing
from bench.peers import torch_network

Array = npt.NDArray[np.float64]

ATTACK_HEADER = ("rows", "hidden", "steps", "fastaif", "torch", "ratio", "loss", "loss, torch")
FIT_HEADER = ("eps", "contestant", "ms", "objective", "above the lowest")
STEPS = 40
ALPHA = 1e-2
ATTACKS = ((442, 8), (442, 64), (20000, 64))
RADII = (1e-3, 0.1)


def data(rows: int, hidden: int) -> tuple[Array, Array, fa.MLPRegression]:
    """The diabetes data, repeated with noise, and a network fitted to them."""
    X, y = load_diabetes(return_X_y=True)
    X, y = scale(X), scale(y)
    model = fa.MLPRegression(hidden, alpha=ALPHA, random_state=0).fit(X, y)
    rng = np.random.default_rng(0)
    take = np.arange(rows) % len(y)
    return X[take] + 0.1 * rng.standard_normal((rows, X.shape[1])) * (rows > len(y)), y[take], model


def attack_row(rows: int, hidden: int, repeat: int) -> list[str]:
    """The same number of steps, and what each reaches: fastaif stops samples that stand still."""
    X, y, model = data(rows, hidden)
    radius = 0.3
    theirs = torch_network.Trainer(X, y, model.parameters(), radius, ALPHA)

    def mine() -> Array:
        return fa.attack(model, X, y, radius, radius=1.0, method="pgd", n_steps=STEPS)

    reached = [float(np.mean((model.predict(Z) - y) ** 2)) for Z in (
        mine(), X + theirs.attack(STEPS).numpy(),
    )]  # fmt: skip
    times = timing.interleaved({"mine": mine, "theirs": lambda: theirs.attack(STEPS)}, repeat)
    return [
        f"{rows:,}", str(hidden), str(STEPS), report.milliseconds(times["mine"]),
        report.milliseconds(times["theirs"]), f"{times['theirs'] / times['mine']:.1f}",
        *(f"{value:.10f}" for value in reached),
    ]  # fmt: skip


def objective(model: fa.MLPRegression, X: Array, y: Array, theta: Array, radius: float) -> float:
    """The adversarial objective, by the same tight attacks whoever trained."""
    m, h = model.coefs_[0].shape
    model.set_parameters(np.array(theta), m)
    found = fa.adversarial_loss(model, X, y, radius, radius=1.0, n_steps=300)
    penalised = np.concatenate([theta[: m * h], theta[m * h + h : -1]])
    return found + ALPHA * float(penalised @ penalised)


def fit_rows(eps: float, repeat: int) -> list[list[str]]:
    """Robust fits from the same θ̂: time, and the objective that it bought."""
    X, y, model = data(442, 8)
    start, radius = model.parameters(), eps * float(np.mean(np.linalg.norm(X, axis=1)))
    fitted = fa.MLPRegression(8, alpha=ALPHA)

    def mine() -> Array:
        fitted.__dict__.update(model.__dict__)
        fitted.set_parameters(start, X.shape[1])
        return fa.robust_fit(fitted, X, y, radius, radius=1.0).params

    def trainer() -> torch_network.Trainer:
        return torch_network.Trainer(X, y, start, radius, ALPHA)

    contestants = {
        "fastaif": mine,
        "torch, L-BFGS": torch_network.runner(trainer, lambda t: t.lbfgs(200, STEPS)),
        "torch, Adam": torch_network.runner(trainer, lambda t: t.adam(300, STEPS)),
    }
    reached = {
        name: objective(fitted, X, y, run(), radius) for name, run in contestants.items()
    }
    times = timing.interleaved(contestants, repeat)
    least = min(reached.values())
    return [
        [f"{eps:g}", name, report.milliseconds(times[name]), f"{reached[name]:.12f}",
         f"{reached[name] - least:.1e}"]
        for name in contestants
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    if torch_network.missing():
        raise SystemExit(torch_network.missing())
    warnings.simplefilter("ignore", fa.InfluenceWarning)
    lines = [
        *machine.describe(),
        "",
        f"Attacks on a tanh network, p = 2: medians of {options.repeat} runs, ms",
        "",
        *report.table(ATTACK_HEADER, [attack_row(*cell, options.repeat) for cell in ATTACKS]),
        "",
        "Adversarial training, 442 × 10, 8 hidden units: medians, ms, and the objective reached",
        "",
        *report.table(FIT_HEADER, [row for e in RADII for row in fit_rows(e, options.repeat)]),
    ]
    report.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
