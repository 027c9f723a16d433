"""fastaif: adversarial influence functions.

How does adversarial training change a model, and what does that cost on clean data?
``aif(estimator, X, y)`` answers in closed form, without any adversarial training.

Names are imported on first use: ``import fastaif`` loads neither Numba nor scikit-learn.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.2.0"

_WHERE = {
    "aif": "api.aif",
    "BatchFit": "api.batch",
    "BatchInfluence": "api.batch",
    "adversarial_loss": "api.attack",
    "aif_batch": "api.batch",
    "attack": "api.attack",
    "choose_eps": "api.choose_eps",
    "fit_batch": "api.batch",
    "adversarial_accuracy": "api.robustness",
    "robustness_radius": "api.robustness",
    "interpolation_radius": "api.interpolation_radius",
    "robust_fit": "api.robust_fit",
    "robust_path": "api.robust_path",
    "sensitivity": "api.sensitivity",
    "WorstDistribution": "api.worst_distribution",
    "worst_distribution": "api.worst_distribution",
    "zero_radius": "api.zero_radius",
    "ComplexityCurve": "api.complexity",
    "complexity_curve": "api.complexity",
    "InfluenceAccumulator": "api.accumulator",
    "AdversarialTraining": "api.training",
    "AdversarialTrainingCV": "api.training_cv",
    "WithInfluence": "api.model_selection",
    "sensitivity_scorer": "api.model_selection",
    "BootstrapDraws": "influence.intervals",
    "InfluenceResult": "influence.result",
    "DifferentiableModel": "models.differentiable",
    "RobustFit": "influence.verification",
    "RobustPath": "influence.path",
    "Verification": "influence.verification",
    "LinearRegression": "models.linear",
    "HuberRegression": "models.linear",
    "ExpectileRegression": "models.linear",
    "LogisticRegression": "models.classifiers",
    "ProbitRegression": "models.classifiers",
    "CloglogRegression": "models.classifiers",
    "SquaredHingeClassification": "models.classifiers",
    "PoissonRegression": "models.log_link",
    "GammaRegression": "models.log_link",
    "TweedieRegression": "models.log_link",
    "NegativeBinomialRegression": "models.log_link",
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
    "set_backend": "api.config",
    "show_config": "api.config",
    "warmup": "api.config",
}
_MODULES = ("adapters", "bases", "experiments", "kernels", "losses", "norms", "plotting", "theory")

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
