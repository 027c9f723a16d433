"""Values with labels go by them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

import fastaif as fa
from fastaif.utils.labelled import in_order

NAMES = ("a", "b", "c")


def test_by_labels() -> None:
    series = pd.Series([3.0, 1.0, 2.0], index=["c", "a", "b"])
    assert_array_equal(in_order(series, NAMES, "what"), [1.0, 2.0, 3.0])
    assert_array_equal(in_order({"b": 2.0, "c": 3.0, "a": 1.0}, NAMES, "what"), [1.0, 2.0, 3.0])
    assert_array_equal(in_order({"b": 2.0}, NAMES, "what", np.inf), [np.inf, 2.0, np.inf])
    frame = pd.DataFrame(np.arange(9.0).reshape(3, 3), index=list("cab"), columns=list("bca"))
    assert_array_equal(
        in_order(frame, NAMES, "what"), [[5.0, 3.0, 4.0], [8.0, 6.0, 7.0], [2.0, 0.0, 1.0]]
    )


def test_without_labels_as_it_stands() -> None:
    for value in ([3.0, 1.0, 2.0], np.ones(3), 1.0, None, pd.Series([3.0, 1.0, 2.0])):
        assert in_order(value, NAMES, "what") is value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": 1.0, "b": 2.0}, "what says nothing of 'c'"),
        ({"a": 1.0, "b": 2.0, "c": 1.0, "d": 1.0}, "what names unknown features: 'd'"),
        (pd.Series([1.0, 2.0], index=["a", "x"]), "what names unknown features: 'x'"),
        (pd.Series([1.0, 2.0], index=["a", "b"]), "what says nothing of 'c'"),
        (pd.Series([1.0] * 4, index=["a", "b", "c", "a"]), "what has two values for 'a'"),
    ],
)
def test_refusals(value, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        in_order(value, NAMES, "what")


def test_a_default_for_features_that_are_not_named() -> None:
    for value in ({"c": 2.0}, pd.Series([2.0], index=["c"])):
        np.testing.assert_array_equal(in_order(value, NAMES, "what", 5.0), [5.0, 5.0, 2.0])


@pytest.mark.parametrize("option", ["feature_scale", "attackable", "bounds", "metric"])
def test_attacks_go_by_names(option: str) -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 3)), columns=list(NAMES))
    y = X.to_numpy() @ [1.0, -2.0, 0.5] + rng.normal(size=60)
    model = fa.LinearRegression().fit(X, y)
    scale = pd.Series([1.0, 10.0, 0.1], index=list(NAMES))
    high = X.max()
    spread = pd.DataFrame(np.diag([1.0, 4.0, 9.0]), index=list(NAMES), columns=list(NAMES))
    plain, turned = {
        "feature_scale": (scale.to_numpy(), scale[::-1]),
        "attackable": (np.array([True, False, True]), (scale != 10.0)[::-1]),
        "bounds": ((None, high.to_numpy()), (None, high[::-1])),
        "metric": (spread.to_numpy(), spread.iloc[::-1, [1, 0, 2]]),
    }[option]
    wanted = fa.attack(model, X, y, 0.3, **{option: plain})
    assert_array_equal(fa.attack(model, X, y, 0.3, **{option: turned}), wanted)
