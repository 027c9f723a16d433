"""How users call fastaif, for type checkers: mypy reads this file, nothing runs it.

An ignored error is one that mypy has to find: it complains of an ignore that nothing needs.
"""

from __future__ import annotations

from typing import assert_type

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

import fastaif as fa

X: NDArray[np.float64] = np.zeros((4, 2))
y: NDArray[np.float64] = np.zeros(4)
frame = pd.DataFrame(X, columns=["a", "b"])
model = fa.LinearRegression(alpha=0.1).fit(X, y)


def data_in_any_form() -> None:
    """Arrays, lists, frames, sparse matrices, blocks."""
    for result in (
        fa.aif(model, X, y),
        fa.aif(model, X.tolist(), y.tolist()),
        fa.aif(model, frame, frame["a"], sample_weight=frame["b"]),
        fa.aif(model, sparse.csr_matrix(X), y),
    ):
        assert_type(result, fa.InfluenceResult)
    fa.aif(model, None, y)  # type: ignore[arg-type]


def attacks_by_name_or_place() -> None:
    """Masks, names and mappings."""
    fa.aif(model, frame, y, attackable=["a"], feature_scale={"a": 2.0, "b": 1.0})
    fa.aif(model, X, y, attackable=np.array([True, False]), feature_scale=[2.0, 1.0])
    fa.aif(model, X, y, bounds=(0.0, None), budgets=np.ones(4))
    fa.aif(model, X, y, groups=[["a", "b"]])
    fa.aif(model, X, y, attackable=object())  # type: ignore[arg-type]
    fa.aif(model, X, y, bounds=1.0)  # type: ignore[arg-type]
    fa.aif(model, X, y, p="inf")  # type: ignore[arg-type]


def sizes_one_or_many() -> None:
    """One radius gives one fit, several a list; a path takes both."""
    assert_type(fa.robust_fit(model, X, y, 0.1), fa.RobustFit)
    assert_type(fa.robust_fit(model, X, y, [0.1, 0.2]), list[fa.RobustFit])
    path = fa.robust_path(model, X, y)
    assert_type(path, fa.RobustPath)
    path.params_at([0.1, 0.2])
    fa.sensitivity(model, X, y, 0.1)
    fa.robust_fit(model, X, y, {})  # type: ignore[call-overload]


def seeds() -> None:
    """A number, a generator, or nothing."""
    result = fa.aif(model, X, y)
    result.bootstrap(random_state=np.random.default_rng(0))
    result.bootstrap(random_state=None)
    result.bootstrap(random_state="0")  # type: ignore[arg-type]
