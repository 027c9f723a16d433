"""The models of `fastaif analyze`: from what its options say to an estimator."""

from __future__ import annotations

import re
from typing import Any

import fastaif

_SUFFIX = re.compile("(Regression|Classification)$")


def _key(name: str) -> str:
    """What an option calls an estimator: negative_binomial, of NegativeBinomialRegression."""
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", _SUFFIX.sub("", name)).lower()


# Every public model but those that take more than an option can say.
MODELS = {
    _key(name): name
    for name in fastaif.__all__
    if _SUFFIX.search(name) and not name.startswith(("Basis", "MLP"))
}
_USUAL = 0.05  # what people ask for


def make_estimator(
    model: str, alpha: float | None, kernel: str | None, gamma: float | None, n_features: int
) -> Any:
    """An estimator, not fitted.

    Parameters
    ----------
    model : a key of MODELS
    alpha : float or None
        None for the estimator's own default.
    kernel : a key of kernels(), or None
        None for "rbf"; for model="kernel" only.
    gamma : float or None
        None for the kernel's own choice, `usual_gamma`; for kernels that have it only.
    n_features : int

    Raises
    ------
    ValueError
        An option does not apply, or its value is out of range.
    """
    known: dict[str, Any] = {} if alpha is None else {"alpha": alpha}
    if model == "kernel":
        known["kernel"] = _kernel(kernel or "rbf", gamma, n_features)
    elif kernel is not None or gamma is not None:
        given = "--gamma" if kernel is None else "--kernel"
        raise ValueError(f"{given} is for --model kernel, but the model is {model}")
    return getattr(fastaif, MODELS[model])(**known)


def columns_step(X: Any, categories: tuple[str, ...]) -> Any:
    """Gaps filled, and categories as indicators of all their values but the first."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    numbers = [name for name in X.columns if name not in categories]
    own = SimpleImputer(strategy="constant", fill_value="missing")
    encoder = OneHotEncoder(drop="first", sparse_output=False)
    text = list(categories)
    return ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median"), numbers),
            ("categories", make_pipeline(own, encoder), text),
        ],
        verbose_feature_names_out=False,
    )


def has_labels(model: str) -> bool:
    """Whether a model's targets are labels rather than numbers."""
    from sklearn.base import is_classifier

    return bool(is_classifier(getattr(fastaif, MODELS[model])()))


def kernels() -> dict[str, Any]:
    """Every public kernel, by what an option calls it."""
    from .. import kernels

    return {_key(name): getattr(kernels, name) for name in kernels.__all__}


def _kernel(name: str, gamma: float | None, n_features: int) -> Any:
    kind = kernels()[name]
    usual = kind.usual_gamma(n_features)
    if usual is None and gamma is not None:
        raise ValueError(f"--gamma does not apply: --kernel {name} has none")
    return kind() if usual is None else kind(gamma=usual if gamma is None else gamma)


def default_eps(model: str, problem: Any) -> list[float]:
    """Attack sizes: 0.05 and some on the way to the zero radius, where there is one."""
    from ..families.registry import adversary_of

    try:
        end = adversary_of(problem).zero_radius()
    except ValueError:  # kernel models with moving centres have their kinks early
        return [1e-4, 1e-3] if model == "kernel" else [0.01, 0.05]
    on_the_way = {float(f"{share * end:.2g}") for share in (0.1, 1.0 / 3.0, 0.9)}
    return sorted(on_the_way | {_USUAL} if end > _USUAL else on_the_way)


def notes_on(model: str, y: Any) -> list[str]:
    """What may be amiss with a model of this target."""
    if model == "linear" and len(set(y.tolist())) == 2:
        return ["the target has two values only: --model logistic may be meant"]
    if model == "kernel" and abs(y.mean()) > y.std() > 0.0:
        return [
            f"the target is {y.mean():.4g} on average, {y.std():.4g} about that, and kernel "
            "regression has no intercept: centering the target first may be meant"
        ]
    return []
