"""The one place where arguments are checked and coerced; called by public functions.

Every refusal is one sentence that names the argument and says what was found. Data are
not scanned for NaN or infinity here: these show in the sums, and only then
`locate_nonfinite` looks for the culprit.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .labelled import in_order
from .warnings import InfluenceWarning, warn

Array = NDArray[Any]

_NUMERIC = "buif"
_INDEX = r"Unnamed: \d+|__index_level_\d+__"
_LARGEST = 1e100  # of what is squared on the way
_HUGE, _TINY = 1e150, 1e-140  # numbers whose squares overflow, or leave few digits


def matrix(X: Any, name: str = "X") -> tuple[Array, tuple[str, ...] | None]:
    """A two-dimensional numeric array and its column names, without copying arrays.

    Accepts arrays of any layout, memory maps, nested sequences, pandas and polars frames, and
    rows that are read block by block, which stay what they are.
    """
    if getattr(X, "is_lazy", False):
        if 0 in X.shape:
            raise ValueError(f"{name} is empty: its shape is {X.shape}")
        rows: Any = X
        return rows, X.columns
    if type(X) is np.ndarray and X.ndim == 2 and X.size and X.dtype.kind in _NUMERIC:
        return X, None  # the usual case, without ceremony
    columns = getattr(X, "columns", None)
    names = tuple(columns) if columns is not None and hasattr(X, "to_numpy") else None
    _refuse_foreign(X, name)
    refuse_unreal(X, name)
    refuse_repeated(names, name)
    array = _frame_values(X, name) if names is not None else np.asarray(X)
    if array.dtype.kind not in _NUMERIC:
        raise TypeError(f"{name} must hold real numbers, but its type is {array.dtype}")
    if array.ndim != 2:
        single = "use reshape(-1, 1) for a single feature"
        way_out = single if array.ndim < 2 else f"use {name}.reshape(len({name}), -1)"
        raise ValueError(
            f"{name} must be two-dimensional (rows are samples), but has shape {array.shape}; "
            f"{way_out}"
        )
    if array.shape[0] == 0 or array.shape[1] == 0:
        raise ValueError(f"{name} is empty: its shape is {array.shape}")
    if names is not None and not all(isinstance(column, str) for column in names):
        names = None
    return array, names


def refuse_unreal(values: Any, name: str) -> None:
    """Refuse what would pass as numbers, but is none: dates, and entries that are masked.

    Raises
    ------
    TypeError
        Of dates: the message names the column, where there is one.
    ValueError
        Of masked entries.
    """
    if isinstance(values, np.ma.MaskedArray) and np.any(values.mask):
        raise ValueError(
            f"{name} is a masked array with {int(np.sum(values.mask))} masked entries: fill them, "
            "or leave these rows out"
        )
    if hasattr(values, "columns") and len(np.shape(values.dtypes)) == 1:  # not of a Dask vector
        kinds = zip(values.columns, values.dtypes, strict=True)
    else:
        kinds = zip([None], [getattr(values, "dtype", None)], strict=True)
    for column, kind in kinds:
        if getattr(kind, "kind", "") in ("m", "M") or _is_temporal(kind):
            what = "" if column is None else f" a column {column!r} of"
            raise TypeError(
                f"{name} has{what} dates or durations ({kind}): give numbers, such as days since "
                "a date"
            )


def _is_temporal(kind: Any) -> bool:
    return hasattr(kind, "is_temporal") and bool(kind.is_temporal())


def refuse_repeated(names: Sequence[Any] | None, name: str) -> None:
    """Refuse columns of which two have the same name."""
    seen: set[Any] = set()
    for column in names or ():
        if column in seen:
            raise ValueError(f"{name} has several columns named {column!r}: name each differently")
        seen.add(column)


def warn_of_indices(names: Sequence[Any] | None, name: str) -> None:
    """Say that a column is probably a frame's index, by the name that pandas gives to one."""
    for column in names or ():
        if isinstance(column, str) and re.fullmatch(_INDEX, column):
            warn(
                f"{name} has a column {column!r}, as pandas names the index of a frame that was "
                "written to a file: it is taken for a feature; drop it, or give it another name",
                InfluenceWarning,
            )


def _refuse_foreign(X: Any, name: str) -> None:
    if X is None:
        raise TypeError(f"{name} is None; give the data of the fit")
    module = type(X).__module__.split(".")[0]
    if module == "scipy" and hasattr(X, "tocsr"):
        raise TypeError(f"{name} is a sparse matrix, which is not supported; use {name}.toarray()")
    if hasattr(X, "__cuda_array_interface__"):
        raise TypeError(f"{name} lives on a GPU; copy it to a NumPy array first")
    if module in ("dask", "distributed"):
        raise TypeError(f"{name} is a Dask collection, which is not supported; compute() it first")


def refuse_text(frame: Any, name: str) -> None:
    """Refuse a pandas or polars frame with a column that is neither numeric nor boolean."""
    dtypes = frame.dtypes
    for column, dtype in dtypes.items() if hasattr(dtypes, "items") else zip(
        frame.columns, dtypes, strict=True
    ):
        if not _is_numeric(dtype):
            raise TypeError(f"{name} has a column {column!r} of type {dtype}: encode it first")


def _frame_values(frame: Any, name: str) -> Array:
    """The values of a pandas or polars frame whose columns are all numeric or boolean."""
    refuse_text(frame, name)
    array = np.asarray(frame.to_numpy())
    if array.dtype == object:  # columns of several types, or with missing values
        array = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    return array


def _is_numeric(dtype: Any) -> bool:
    """Whether a pandas or NumPy type (which has a kind) or a polars type is a number.

    So are pandas' categories of numbers, as for scikit-learn.
    """
    if str(dtype) == "category":
        return _is_numeric(dtype.categories.dtype)
    if hasattr(dtype, "kind"):
        return dtype.kind in _NUMERIC
    return bool(dtype.is_numeric()) or str(dtype) == "Boolean"


def column(y: Any, n: int, name: str = "y") -> Array:
    """A one-dimensional array of n entries; (n, 1) is flattened."""
    if y is None:
        raise TypeError(f"{name} is None; give one target for each row of X")
    if type(y) is np.ndarray and y.shape == (n,) and y.dtype.kind in _NUMERIC:
        return y
    refuse_unreal(y, name)
    array = y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, but has shape {array.shape}")
    if array.shape[0] != n:
        raise ValueError(f"{name} has {array.shape[0]} entries, but X has {n} rows")
    if array.dtype.kind == "c":
        raise TypeError(f"{name} must be real, but its type is {array.dtype}")
    return array


def targets(y: Any, n: int, name: str = "y", n_targets: int | None = None) -> Array:
    """Targets of n rows, (n,) or (n, t); t is given, or any.

    Raises
    ------
    TypeError, ValueError
        There are not so many rows, or columns.
    """
    if n_targets == 1 or (np.ndim(y) < 2 and not hasattr(y, "tocsr")):
        found = column(y, n, name)
        if n_targets in (None, 1):
            return found
        raise ValueError(
            f"{name} has one column, but the model was fitted to {n_targets} outputs"
        )
    array, _ = matrix(y, name)
    if array.shape[0] != n:
        raise ValueError(f"{name} has {array.shape[0]} rows, but X has {n}")
    if n_targets is not None and array.shape[1] != n_targets:
        raise ValueError(
            f"{name} has {array.shape[1]} columns, but the model was fitted to {n_targets} outputs"
        )
    return array


def weights(sample_weight: Any, n: int, weightless: bool = False) -> Array | None:
    """Non-negative finite weights, not all zero unless `weightless`, or None."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, str):
        raise TypeError(
            f"sample_weight must be an array of a weight for each row, but is {sample_weight!r}"
        )
    w = column(sample_weight, n, "sample_weight")
    if w.dtype.kind not in _NUMERIC:
        raise TypeError(f"sample_weight must hold numbers, but its type is {w.dtype}")
    if not np.isfinite(w).all():
        raise ValueError("sample_weight contains NaN or infinity")
    if w.min() < 0:
        raise ValueError(f"sample_weight has a negative entry ({w.min():g})")
    if not (weightless or w.any()):
        raise ValueError("sample_weight is zero for every sample")
    return w


def weight_factor(w: Array | None) -> float:
    """A power of two that brings extreme weights to about 1; 1 for ordinary ones."""
    largest = 1.0 if w is None else float(w.max())
    if largest == 0.0 or 1e-60 < largest < 1e60:
        return 1.0
    return float(np.exp2(np.round(np.log2(largest))))


def number(
    value: Any, name: str, *, low: float = -math.inf, infinite: bool = False, strict: bool = False
) -> float:
    """A real number of at least (or, if strict, above) `low`; finite unless allowed."""
    usual = type(value) in (float, int) and (low < value or (low == value and not strict))
    if usual and (-math.inf < value < math.inf or (infinite and value == math.inf)):
        return float(value)  # the usual case, without ceremony
    bound = f"a number {'above' if strict else 'of at least'} {low:g}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(
        value, (numbers.Real, np.integer, np.floating)
    ):
        hint = " (infinity is np.inf)" if infinite and isinstance(value, str) else ""
        raise TypeError(f"{name} must be {bound}, but is {value!r}{hint}")
    result = float(value)
    wrong = result <= low if strict else result < low
    if math.isnan(result) or wrong or (math.isinf(result) and not infinite):
        raise ValueError(f"{name} must be {bound}, but is {value!r}")
    return result


def count(value: Any, name: str, low: int = 1) -> int:
    """An integer of at least `low`."""
    if type(value) is int and value >= low:
        return value  # the usual case, without ceremony
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer of at least {low}, but is {value!r}")
    if int(value) < low:
        raise ValueError(f"{name} must be an integer of at least {low}, but is {value!r}")
    return int(value)


def seed(random_state: Any) -> int:
    """A 62-bit seed from None, an integer, a RandomState or a Generator."""
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**62))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(0, 2**62, dtype=np.int64))
    if random_state is None:
        return int(np.random.default_rng().integers(2**62))
    if isinstance(random_state, numbers.Integral) and int(random_state) >= 0:
        return int(np.random.SeedSequence(int(random_state)).generate_state(1, np.uint64)[0] >> 2)
    raise ValueError(
        f"random_state must be None, a non-negative integer, a RandomState or a Generator, "
        f"but is {random_state!r}"
    )


def option(value: Any, name: str, known: Sequence[str]) -> str:
    """One of the known strings."""
    if not isinstance(value, str) or value not in known:
        choices = ", ".join(repr(k) for k in known)
        raise ValueError(f"{name} must be one of {choices}, but is {value!r}")
    return value


def radii(eps: Any) -> Array:
    """ε: a scalar or an array of finite non-negative numbers, as a float array."""
    array = np.asarray(eps)
    if array.dtype.kind not in "uif":
        raise TypeError(f"eps must be a number or an array of numbers, but is {eps!r}")
    if np.ma.is_masked(eps):
        raise ValueError("eps has masked entries: leave them out, with eps.compressed()")
    array = array.astype(float)
    if not np.isfinite(array).all() or (array < 0).any():
        raise ValueError(f"eps must be finite and at least 0, but is {eps!r}")
    return array


def sizes(eps: Any, *, strict: bool = False, some: bool = False) -> list[float]:
    """ε: a number or a list of them, of at least (or, if strict, above) 0, as a list.

    An empty list is one, unless there must be `some`.
    """
    if is_single(eps):
        return [number(eps, "eps", low=0.0, strict=strict)]
    array = radii(eps)
    if array.ndim != 1:
        raise ValueError(f"eps must be a number or a list of numbers, but has shape {array.shape}")
    if some and not array.size:
        raise ValueError("eps is a list without a number: give one radius or more")
    return [number(e, "eps", low=0.0, strict=strict) for e in array]


def is_single(eps: Any) -> bool:
    """Whether ε is a number, and not a list of them."""
    return isinstance(eps, float) or np.ndim(eps) == 0


def radius(value: Any) -> float | None:
    """None for the mean norm, or a positive number."""
    if isinstance(value, str):
        if value != "mean_norm":
            raise ValueError(f"radius must be 'mean_norm' or a number above 0, but is {value!r}")
        return None
    found = number(value, "radius", low=0.0, strict=True)
    if found > _LARGEST:
        raise ValueError(
            f"radius must be at most {_LARGEST:g}, for numbers of its square's size are computed, "
            f"but is {value!r}: rescale the features"
        )
    return found


def feature_scale(value: Any, names: Sequence[str], fixed: Sequence[str] = ()) -> Array | None:
    """Non-negative finite scales, one a feature, not all zero; by names where they have them.

    A mapping need not name the features that are `fixed`.
    """
    if value is None:
        return None
    m = len(names)
    if isinstance(value, Mapping):
        value = {**dict.fromkeys(fixed, 0.0), **value}
    scale = np.asarray(in_order(value, names, "feature_scale"), dtype=float)
    if scale.shape != (m,):
        raise ValueError(f"feature_scale must have shape ({m},), but has {scale.shape}")
    if not np.isfinite(scale).all() or (scale < 0).any():
        raise ValueError("feature_scale must be finite and non-negative")
    if not scale.any():
        raise ValueError("feature_scale is zero for every feature: nothing can be attacked")
    return scale


def attackable(value: Any, names: Sequence[str], fixed: Sequence[str] = ()) -> Array | None:
    """A mask of the features that may be attacked; a list of feature names will do.

    A mask may be True for features that are `fixed` (no attack moves them); naming one is refused.
    """
    if value is None:
        return None
    if isinstance(value, Mapping):
        in_order(value, names, "attackable", False)
        value = [name for name, moves in value.items() if moves]
    if str(getattr(value, "dtype", "")) == "bool":  # a mask; names have their own check
        value = in_order(value, names, "attackable")
    array = np.atleast_1d(np.asarray(value))
    if array.size == 0:
        raise ValueError("attackable is empty: nothing can be attacked")
    if array.dtype.kind in "UST" or all(isinstance(v, str) for v in array):
        array = array.astype(str)
        unknown = [str(v) for v in array if str(v) not in names]
        if unknown:
            raise ValueError(f"attackable names unknown features: {', '.join(unknown)}")
        refused = [str(v) for v in array if str(v) in fixed]
        if refused:
            raise ValueError(
                f"attackable names {', '.join(refused)}, which no attack can move (constants, "
                "categories, and what a pipeline drops are held fixed): leave it out"
            )
        array = np.isin(np.asarray(names), array)
    if array.dtype != bool:
        hint = ""
        if array.dtype.kind in "ui":
            hint = f"; of column numbers make one: np.isin(np.arange({len(names)}), [...])"
        raise TypeError(f"attackable must be a boolean mask or a list of feature names{hint}")
    if array.shape != (len(names),):
        raise ValueError(
            f"attackable must have one entry for each of {len(names)} features, "
            f"but has shape {array.shape}"
        )
    if not array.any():
        raise ValueError("attackable is False for every feature: nothing can be attacked")
    return array


def metric(value: Any, names: Sequence[str]) -> Array:
    """A symmetric matrix of finite numbers (m, m)."""
    m, sigma = len(names), np.asarray(in_order(value, names, "metric"))
    if sigma.shape != (m, m):
        raise ValueError(f"metric must have shape ({m}, {m}), but has {sigma.shape}")
    if sigma.dtype.kind not in "uif" or not np.isfinite(sigma).all():
        raise ValueError("metric must hold finite real numbers")
    sigma = sigma.astype(float)
    if not np.allclose(sigma, sigma.T, rtol=1e-12, atol=0.0):
        raise ValueError("metric must be symmetric: give (metric + metric.T) / 2")
    return np.asarray((sigma + sigma.T) / 2.0)


def groups(value: Any, names: Sequence[str]) -> Array:
    """The number of each feature's group (m,); features that no group lists are groups alone."""
    if isinstance(value, str) or not all(np.ndim(part) == 1 and len(part) for part in value):
        raise ValueError("groups must be a list of lists of features, none of them empty")
    found = np.full(len(names), -1)
    for number, part in enumerate(value):
        for feature in part:
            place = _place_of(feature, names)
            if found[place] >= 0:
                raise ValueError(f"groups lists {names[place]} more than once: groups are disjoint")
            found[place] = number
    alone = found < 0
    found[alone] = len(value) + np.arange(int(alone.sum()))
    return found


def _place_of(feature: Any, names: Sequence[str]) -> int:
    """Which feature a name or a number is."""
    if isinstance(feature, str):
        if feature not in names:
            raise ValueError(f"groups names an unknown feature: {feature}")
        return list(names).index(feature)
    place = count(feature, "the number of a feature in groups", low=0)
    if place >= len(names):
        raise ValueError(f"groups has the feature number {place}, but X has {len(names)} features")
    return place


def bounds(value: Any, names: Sequence[str]) -> tuple[Array, Array]:
    """Lower and upper bounds (m,), infinite where a feature is free."""
    if not isinstance(value, (tuple, list, np.ndarray)) or len(value) != 2:
        raise ValueError("bounds must be a pair (lo, hi) of numbers, arrays or None")
    low, high = (
        _bound(in_order(end, names, f"bounds: {name}", free), name, free, len(names))
        for end, name, free in zip(value, ("lo", "hi"), (-np.inf, np.inf), strict=True)
    )
    if np.any(low > high):
        k = int(np.argmax(low > high))
        raise ValueError(
            f"bounds: lo is above hi for {names[k]} ({low[k]:g} and {high[k]:g})"
        )
    return low, high


def _bound(value: Any, name: str, free: float, m: int) -> Array:
    if value is None:
        return np.full(m, free)
    array = np.asarray(value)
    if array.dtype.kind not in "uif":
        raise TypeError(f"bounds: {name} must be numbers, but its type is {array.dtype}")
    if array.shape not in ((), (m,)):
        raise ValueError(
            f"bounds: {name} must be a number or have shape ({m},), but has shape {array.shape}"
        )
    if np.isnan(array).any():
        raise ValueError(f"bounds: {name} contains NaN; infinity, or None, leaves a feature free")
    return np.array(np.broadcast_to(array, (m,)), dtype=float)


def budgets(value: Any, n: int) -> Array | None:
    """Finite factors of ε s, not negative and not all zero, one a sample; or None."""
    if value is None:
        return None
    found = column(value, n, "budgets")
    if found.dtype.kind not in _NUMERIC:
        raise TypeError(f"budgets must hold numbers, but its type is {found.dtype}")
    found = found.astype(float)
    if not np.isfinite(found).all() or found.min() < 0.0:
        raise ValueError("budgets must be finite and non-negative")
    if not found.any():
        raise ValueError("budgets are zero for every sample: nothing can be attacked")
    return found


def threads(value: Any) -> int | None:
    """None for all cores, or a positive integer."""
    if value is None:
        return None
    return count(value, "n_threads")


def refuse_tiny_targets(size: float) -> None:
    """Refuse targets of a regression whose squares underflow, of which `size` is the largest."""
    if 0.0 < size < _TINY:
        raise ValueError(
            f"the entries of y are so small (at most {size:.0e}) that their squares underflow: "
            "multiply y, and the delta of a Huber loss, by a power of ten; coefficients and "
            "influences are then multiplied by it as well"
        )


def locate_nonfinite(
    X: Array, y: Array, block: int = 65536, columns: Sequence[str] | None = None
) -> None:
    """Raise a ValueError that says where the first NaN or infinity of the data is."""
    size, place = 0.0, 0
    for start in range(0, X.shape[0], block):
        rows = np.asarray(X[start : start + block], dtype=float)
        bad = ~np.isfinite(rows)
        if bad.any():
            row, place = (int(v) for v in np.argwhere(bad)[0])
            raise ValueError(
                f"X contains NaN or infinity (first at row {start + row}, column "
                f"{place if columns is None else repr(columns[place])})"
            )
        largest = np.abs(rows).max(axis=0, initial=0.0)
        if largest.max(initial=0.0) > size:
            size, place = float(largest.max()), int(largest.argmax())
    if y.dtype.kind in "f" and not np.isfinite(y).all():
        bad = ~np.isfinite(y).reshape(len(y), -1).all(axis=1)
        raise ValueError(f"y contains NaN or infinity (first at row {int(np.argmax(bad))})")
    if size > _HUGE:
        raise FloatingPointError(
            f"column {place} of X has entries of {size:.0e}, whose squares overflow: divide X by a "
            "power of ten, and feature_scale and radius, if they are given, as well; coefficients "
            "and influences are then multiplied by it"
        )
    if y.dtype.kind in "f" and np.abs(y).max(initial=0.0) > _HUGE:
        raise FloatingPointError(
            f"y has entries of {np.abs(y).max():.0e}, whose squares overflow: divide y, and the "
            "delta of a Huber loss, by a power of ten; coefficients and influences are then "
            "divided by it as well"
        )
    raise FloatingPointError(
        "the loss overflows on these data although X and y are finite; "
        "rescale the features or the targets"
    )
