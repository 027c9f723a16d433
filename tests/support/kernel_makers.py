"""Kernel regressions of every kind, and what the slow twin needs to know of each."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from oracles import gram
from oracles import kernels as twin

import fastaif as fa
from support.makers import Array, Data

M = 3
ALPHA = 0.05
KERNELS = {
    "rbf": (lambda: fa.kernels.RBF(0.7), twin.RBF(0.7)),
    "matern 3/2": (lambda: fa.kernels.Matern(1.5, 0.8), twin.Matern(1.5, 0.8)),
    "matern 5/2": (lambda: fa.kernels.Matern(2.5, 0.9), twin.Matern(2.5, 0.9)),
    "cubic": (lambda: fa.kernels.Polynomial(3, 0.2, 1.0), twin.Polynomial(3, 0.2, 1.0)),
    "squares": (lambda: fa.kernels.Polynomial(2, 0.5, 0.0), twin.Polynomial(2, 0.5, 0.0)),
    "linear": (lambda: fa.kernels.Linear(), twin.Linear()),
    "ntk": (lambda: fa.kernels.NTK(), twin.NTK()),
    "deep ntk": (lambda: fa.kernels.NTK(3, output_layer=True), twin.NTK(3, True)),
}
PENALTIES = ["l2", "rkhs"]
# Fixed centres are the inputs themselves, or three rows drawn from them.
CENTERS = {
    "moving": {"centers": "moving"},
    "fixed": {"centers": "fixed"},
    "drawn": {"centers": "fixed", "n_centers": 3, "random_state": 5},
}


class Case(NamedTuple):
    """A kernel, a penalty, and where the centres are."""

    kernel: str
    penalty: str = "l2"
    centers: str = "moving"

    def __str__(self) -> str:
        return f"{self.kernel}-{self.penalty}-{self.centers}"


def is_defined(case: Case) -> bool:
    """Whether that model has an influence.

    An NTK has a kink where an attacked input meets a centre. In the RKHS norm of fixed centres
    the Hessian is singular where more functions than the kernel has are given: 3 and 6 here.
    """
    if case.centers != "moving" and "ntk" in case.kernel:
        return False
    singular = case.kernel in ("linear", "squares", "cubic") and case.penalty == "rkhs"
    return not (singular and case.centers == "fixed")


CASES = [
    case
    for kernel in KERNELS
    for penalty in PENALTIES
    for centers in CENTERS
    if is_defined(case := Case(kernel, penalty, centers))
]
# One kernel of each kind: for what does not depend on the kernel's formula.
FEW = [
    case
    for case in CASES
    if case.kernel in ("rbf", "ntk") or (case.kernel == "cubic" and case.centers == "moving")
]


def make(n: int = 24, m: int = M, seed: int = 10, weighted: bool = False) -> Data:
    """Inputs and targets well off the curve; some weights are zero."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, m)) @ (np.eye(m) + 0.2 * rng.normal(size=(m, m))) + 0.3
    jump = rng.choice([-1.0, 1.0], size=n) * rng.uniform(0.5, 1.0, size=n)
    y = np.sin(X @ np.linspace(1.0, -0.6, m)) + jump
    return Data(X, y, rng.integers(0, 4, size=n).astype(float) if weighted else None)


def positive(data: Data) -> Data:
    """The same data with weights of which none is zero."""
    rng = np.random.default_rng(17)
    return Data(data.X, data.y, rng.uniform(0.5, 2.0, size=len(data.y)))


def estimator(case: Case, alpha: float = ALPHA, **options: Any) -> Any:
    """`KernelRegression` of that kind, not fitted."""
    known = {"kernel": KERNELS[case.kernel][0](), "alpha": alpha, "penalty": case.penalty}
    return fa.KernelRegression(**(known | CENTERS[case.centers] | options))


def twin_of(case: Case, model: Any, data: Data, alpha: float = ALPHA) -> gram.Regression:
    """The twin of a fitted model."""
    centers = None if case.centers == "moving" else np.asarray(model.X_fit_, dtype=np.float64)
    y = np.asarray(data.y, dtype=np.float64)
    return gram.Regression(KERNELS[case.kernel][1], y, alpha, case.penalty, centers, data.w)


class Fitted(NamedTuple):
    """A fitted model, its data and its twin."""

    model: Any
    data: Data
    twin: gram.Regression

    @property
    def theta(self) -> Array:
        """The parameters as the library found them."""
        return np.asarray(self.model.dual_coef_)

    def inspected(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """The library's result and the twin's."""
        X, y, w = self.data
        result = fa.aif(self.model, X, y, sample_weight=w, **options)
        return result, gram.influence(self.twin, X, self.theta, **options)

    def robust(self, eps: float, **options: Any) -> Any:
        """The library's robust fit."""
        X, y, w = self.data
        return fa.robust_fit(self.model, X, y, eps, sample_weight=w, **options)


def fitted(case: Case, data: Data, alpha: float = ALPHA) -> Fitted:
    """A model of that kind, fitted to the data."""
    model = estimator(case, alpha).fit(data.X, data.y, sample_weight=data.w)
    return Fitted(model, data, twin_of(case, model, data, alpha))


def smooth(case: Case, data: Data) -> Fitted:
    """A model whose robust path is smooth for decades.

    In the RKHS norm dual coefficients are residuals over alpha: where alpha is small they are
    large, and the path bends early.
    """
    return fitted(case, data, alpha=0.5 if case.penalty == "rkhs" else ALPHA)
