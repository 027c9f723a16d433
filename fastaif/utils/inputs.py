"""What users may hand in, as types.

scikit-learn's and statsmodels' objects carry no types: estimators are `Any`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike


class HasShape(Protocol):
    """Arrays and frames of other libraries: sparse, lazy, chunked."""

    @property
    def shape(self) -> Any: ...


# (n, m): rows of features; an iterable holds blocks of them, or of them and their targets.
MatrixLike: TypeAlias = ArrayLike | HasShape | Iterable[Any]
# (n,), or (n, K) of several outputs.
TargetsLike: TypeAlias = ArrayLike | HasShape | Iterable[Any]
# (n,), non-negative; None for weights that are all one.
WeightsLike: TypeAlias = ArrayLike | HasShape | None
# (m,), or by the names of the features.
ScaleLike: TypeAlias = ArrayLike | Mapping[str, float] | None
AttackableLike: TypeAlias = ArrayLike | Sequence[str] | Mapping[str, bool] | None
BoundLike: TypeAlias = ArrayLike | Mapping[str, float] | None
BoundsLike: TypeAlias = tuple[BoundLike, BoundLike] | Sequence[BoundLike] | None
GroupsLike: TypeAlias = Sequence[Sequence[str] | Sequence[int]] | None
# A seed, a generator that goes on from where it is, or None for a new one each time.
RandomState: TypeAlias = int | np.integer[Any] | np.random.Generator | np.random.RandomState | None
