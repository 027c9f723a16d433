"""The preprocessing of a scikit-learn Pipeline, held fixed under attack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

from ..bases.builtin import Linear, Quadratic
from ..bases.expansion import Expansion

Array = NDArray[Any]
Scaling = tuple[Array, Array]


@dataclass(frozen=True)
class Preprocessing:
    """What happens to the inputs before the model.

    Attributes
    ----------
    before, after : pair of arrays or None
        Shift and scale before the polynomial features (the only ones without these), and
        behind them, a bias column left out.
    m : int or None
        The number of inputs, where some step knows it.
    polynomial : bool
        Whether the products of inputs are formed.
    bias : float or None
        The constant in the bias column that the model sees; None where there is none.
    """

    before: Scaling | None = None
    after: Scaling | None = None
    m: int | None = None
    polynomial: bool = False
    bias: float | None = None

    def linear_basis(self) -> Linear:
        """The basis without polynomial features."""
        return _AS_IT_IS if self.before is None else Linear(*self.before)

    def basis(self) -> Linear | Expansion:
        """v of a linear model behind this preprocessing."""
        if not self.polynomial or self.m is None:
            return self.linear_basis()
        inner = self.before or (np.zeros(self.m), np.ones(self.m))
        return Expansion(Quadratic(), *inner, *(self.after or (None, None)))


_AS_IT_IS, _NOTHING = Linear(), Preprocessing()


def split(estimator: Any, accepted: str) -> tuple[Preprocessing, Any]:
    """The preprocessing and the last step of a Pipeline, or of a bare estimator.

    Raises
    ------
    TypeError
        A step is neither a scaler nor PolynomialFeatures; `accepted` says what is.
    """
    if not isinstance(estimator, Pipeline):
        return _NOTHING, estimator
    steps = [step for _, step in estimator.steps if step is not None and step != "passthrough"]
    if type(steps[-1]).__name__ == "RandomizedSmoothing":
        raise TypeError(
            "RandomizedSmoothing inside a Pipeline is not supported: put the Pipeline inside it, "
            "as in RandomizedSmoothing(make_pipeline(...), sigma)"
        )
    for step in steps[:-1]:
        if type(step) not in (*_SCALERS, PolynomialFeatures):
            raise TypeError(
                f"a Pipeline with a {type(step).__name__} before the model is not supported: "
                f"fastaif takes {accepted}"
            )
        require_fitted(step, "n_features_in_")
    return _read(steps[:-1]), steps[-1]


def _read(steps: list[Any]) -> Preprocessing:
    places = [k for k, step in enumerate(steps) if isinstance(step, PolynomialFeatures)]
    if not places:
        return Preprocessing(_scaling(steps))
    if len(places) > 1:
        raise TypeError("a Pipeline with PolynomialFeatures twice is not supported")
    poly = steps[places[0]]
    m = int(poly.n_features_in_)
    _require_quadratic(poly, m)
    after, bias = _scaling(steps[places[0] + 1 :]), 1.0 if poly.include_bias else None
    if bias is not None and after is not None:
        bias = float((1.0 - after[0][0]) / after[1][0])
        after = after[0][1:], after[1][1:]
    return Preprocessing(_scaling(steps[: places[0]]), after, m, True, bias)


def _require_quadratic(poly: PolynomialFeatures, m: int) -> None:
    """All of x_j and x_j x_k, j ≤ k, and nothing else but a bias."""
    first, second = np.triu_indices(m)
    wanted = np.vstack([np.eye(m, dtype=int), np.zeros((len(first), m), dtype=int)])
    for row, (j, k) in enumerate(zip(first, second, strict=True), start=m):
        wanted[row, j] += 1
        wanted[row, k] += 1
    powers = poly.powers_[int(poly.include_bias) :]
    if powers.shape != wanted.shape or not np.array_equal(powers, wanted):
        raise ValueError(
            f"PolynomialFeatures(degree={poly.degree!r}, "
            f"interaction_only={poly.interaction_only}) is not supported: only degree=2 with "
            "all squares and products is"
        )


def _standard(scaler: StandardScaler) -> Scaling:
    m = scaler.n_features_in_
    mean = np.zeros(m) if scaler.mean_ is None or not scaler.with_mean else scaler.mean_
    return mean, np.ones(m) if scaler.scale_ is None else scaler.scale_


def _robust(scaler: RobustScaler) -> Scaling:
    m = scaler.n_features_in_
    center = scaler.center_ if scaler.with_centering else np.zeros(m)
    return center, scaler.scale_ if scaler.with_scaling else np.ones(m)


def _min_max(scaler: MinMaxScaler) -> Scaling:
    if scaler.clip:
        raise ValueError(
            "MinMaxScaler(clip=True) is not supported: what it cuts off has no gradient; fit it "
            "with clip=False"
        )
    return -scaler.min_ / scaler.scale_, 1.0 / scaler.scale_


def _max_abs(scaler: MaxAbsScaler) -> Scaling:
    if getattr(scaler, "clip", False):
        raise ValueError(
            "MaxAbsScaler(clip=True) is not supported: what it cuts off has no gradient; fit it "
            "with clip=False"
        )
    return np.zeros(scaler.n_features_in_), scaler.scale_


# (x − shift) / scale of each; all of them are held fixed.
_SCALERS: dict[type, Callable[[Any], Scaling]] = {
    StandardScaler: _standard, RobustScaler: _robust, MinMaxScaler: _min_max,
    MaxAbsScaler: _max_abs,
}  # fmt: skip


def _scaling(scalers: list[Any]) -> Scaling | None:
    """The composition of fitted scalers."""
    result: Scaling | None = None
    for scaler in scalers:
        mean, sd = _SCALERS[type(scaler)](scaler)
        if result is None:
            result = np.array(mean, dtype=float), np.array(sd, dtype=float)
        else:
            shift, scale = result
            result = shift + scale * mean, scale * sd
    return result


def require_fitted(estimator: Any, attribute: str) -> None:
    """Raise NotFittedError for an estimator without the attribute that fit sets."""
    if not hasattr(estimator, attribute):
        raise NotFittedError(
            f"This {type(estimator).__name__} instance is not fitted yet: call fit first"
        )
