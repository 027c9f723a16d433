"""fastaif: adversarial influence functions.

How does adversarial training change a model, and what does that cost on clean data?
``aif(estimator, X, y)`` answers in closed form, without any adversarial training.

Names are imported on first use: ``import fastaif`` loads neither Numba nor scikit-learn.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "aif": "_aif",
    "BatchFit": "_batch",
    "BatchInfluence": "_batch",
    "adversarial_loss": "_attack",
    "aif_batch": "_batch",
    "attack": "_attack",
    "fit_batch": "_batch",
    "robust_fit": "_robust",
    "sensitivity": "_sensitivity",
    "ComplexityCurve": "_complexity",
    "complexity_curve": "_complexity",
    "InfluenceAccumulator": "_accumulate",
    "WithInfluence": "_selection",
    "sensitivity_scorer": "_selection",
    "BootstrapDraws": "influence.intervals",
    "InfluenceResult": "influence.result",
    "DifferentiableModel": "models.differentiable",
    "RobustFit": "influence.verification",
    "Verification": "influence.verification",
    "LinearRegression": "models.linear",
    "LogisticRegression": "models.linear",
    "PoissonRegression": "models.linear",
    "HuberRegression": "models.linear",
    "QuadraticRegression": "models.basis",
    "BasisRegression": "models.basis",
    "KernelRegression": "models.kernel",
    "MLPRegression": "models.network",
    "MLPClassification": "models.network",
    "RandomizedSmoothing": "models.smoothing",
    "InfluenceWarning": "utils.warnings",
    "FlipWarning": "utils.warnings",
    "RangeWarning": "utils.warnings",
    "SolverWarning": "utils.warnings",
    "StationarityWarning": "utils.warnings",
    "TieWarning": "utils.warnings",
    "ZeroGradientWarning": "utils.warnings",
    "set_backend": "_config",
    "show_config": "_config",
    "warmup": "_config",
}
_MODULES = ("bases", "experiments", "kernels", "losses", "norms", "plotting", "theory")

__all__ = [*_WHERE, *_MODULES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    elif name in _MODULES:
        value = importlib.import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
