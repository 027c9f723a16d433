"""scikit-learn's scalers, (x − shift) / scale of each column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

Array = NDArray[Any]
Scaling = tuple[Array, Array]


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
SCALERS: dict[type, Callable[[Any], Scaling]] = {
    StandardScaler: _standard, RobustScaler: _robust, MinMaxScaler: _min_max,
    MaxAbsScaler: _max_abs,
}  # fmt: skip
