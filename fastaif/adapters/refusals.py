"""Why an estimator is not taken, and what to give in its place: one reason, one way out."""

from __future__ import annotations

from typing import Any

_NO_GRADIENT = (
    "its predictions are constant between jumps and have no gradient in the inputs: fit a smooth "
    "model, of labels a fastaif.MLPClassification, of numbers a fastaif.KernelRegression (and try "
    "what fools that one on this)"
)
_BEST = "it is a search, not a model: give its best_estimator_"
_JOINT = "its penalty ties outputs to each other: fit a Lasso or an ElasticNet an output"
_HINGE = (
    "its loss, the hinge, has no second derivative: fit a LogisticRegression behind a Nystroem or "
    "an RBFSampler of its kernel, or where that is linear a LinearSVC with loss='squared_hinge'"
)
_QUANTILE = (
    "its loss has no second derivative: fit a fastaif.HuberRegression, whose loss bends about zero"
)
_TUBE = (
    "the epsilon-insensitive loss has no second derivative: fit a KernelRidge, or LinearSVR with "
    "loss='squared_epsilon_insensitive', epsilon=0"
)
_DENSITIES = (
    "it fits densities of the inputs, and no loss of predictions: fit a LogisticRegression"
)
_INNER = "it wraps another model: give the fitted model inside ({})"

# By the names of classes and of their bases, so that nothing is imported to say no.
_REASONS = {
    "BaseDecisionTree": _NO_GRADIENT,
    "BaseForest": _NO_GRADIENT,
    "BaseGradientBoosting": _NO_GRADIENT,
    "BaseHistGradientBoosting": _NO_GRADIENT,
    "BaseWeightBoosting": _NO_GRADIENT,
    "KNeighborsMixin": _NO_GRADIENT,
    "RadiusNeighborsMixin": _NO_GRADIENT,
    "XGBModel": _NO_GRADIENT,
    "LGBMModel": _NO_GRADIENT,
    "CatBoost": _NO_GRADIENT,
    "BaseSearchCV": _BEST,
    "MultiTaskLasso": _JOINT,
    "MultiTaskLassoCV": _JOINT,
    "MultiTaskElasticNet": _JOINT,
    "MultiTaskElasticNetCV": _JOINT,
    "QuantileRegressor": _QUANTILE,
    "SVR": _TUBE,
    "NuSVR": _TUBE,
    "SVC": _HINGE,
    "NuSVC": _HINGE,
    "CalibratedClassifierCV": _INNER.format("calibrated_classifiers_[0].estimator"),
    "BaseThresholdClassifier": _INNER.format("estimator_"),
    "_BaseNB": _DENSITIES,
    "LinearDiscriminantAnalysis": _DENSITIES,
    "QuadraticDiscriminantAnalysis": _DENSITIES,
    "VotingRegressor": _INNER.format("one of estimators_"),
    "VotingClassifier": _INNER.format("one of estimators_"),
    "StackingRegressor": _INNER.format("final_estimator_, or one of estimators_"),
    "StackingClassifier": _INNER.format("final_estimator_, or one of estimators_"),
    "BaggingRegressor": _INNER.format("one of estimators_"),
    "BaggingClassifier": _INNER.format("one of estimators_"),
    "OneVsRestClassifier": _INNER.format("one of estimators_, with the labels it was fitted to"),
}


def refused(step: Any, accepted: str) -> TypeError:
    """The error for an estimator that is not taken; `accepted` says what is."""
    name = type(step).__name__
    for kind in type(step).__mro__:
        if kind.__name__ in _REASONS:
            return TypeError(f"{name} is not supported: {_REASONS[kind.__name__]}")
    if not hasattr(step, "predict"):
        return TypeError(f"{name} is not supported: it has no predict; fastaif takes {accepted}")
    return TypeError(
        f"{name} is not supported: fastaif takes {accepted}; where it minimises one of fastaif's "
        "losses, adapters.register says how to read it"
    )
