"""What a fitted preprocessing does to each of its inputs, read step by step.

A `Trace` is where one has come to: the features so far as a node over columns, and a program that
computes the same from X, for what an encoder behind it makes of categories.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import decomposition, impute, kernel_approximation, preprocessing
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectorMixin
from sklearn.pipeline import FeatureUnion, Pipeline

from ..bases.maps import Bumps, Powered, Products, Projection, Splines, Ufunc, Waves
from ..bases.nodes import Columns, Node, side_by_side
from .fitted import require_fitted
from .frames import Applied, Fixed, Part, Program
from .scalers import SCALERS

Array = NDArray[Any]


@dataclass
class Ledger:
    """What has been met on the way.

    Attributes
    ----------
    n_inputs : int
        Columns 0 … of the leaves are the inputs.
    fixed : list of Fixed
        The columns behind these, with their names.
    fills : dict
        What stands for an input where it is missing, in raw units.
    mixing : str
        The first step that makes features of several inputs, or that bends; "" where none does.
    """

    n_inputs: int
    fixed: list[Fixed] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    fills: dict[int, float] = field(default_factory=dict)
    mixing: str = ""

    def freeze(self, program: Program, names: tuple[str, ...]) -> Columns:
        """The columns that a program makes, as ones that no attack moves."""
        first = self.n_inputs + len(self.fixed)
        self.fixed.extend(Fixed(program, k) for k in range(len(names)))
        self.labels.extend(names)
        return Columns.plain(np.arange(first, first + len(names)))


@dataclass(frozen=True)
class Trace:
    """Where the reading of a preprocessing has come to."""

    node: Node
    program: Program
    names: tuple[str, ...]
    ledger: Ledger

    def after(self, step: Any) -> Trace:
        """Behind a step, a fitted transformer or one of scikit-learn's words.

        Raises
        ------
        TypeError, ValueError
            The step is not supported.
        """
        if step is None or (isinstance(step, str) and step == "passthrough"):
            return self
        if isinstance(step, str):  # "drop"
            return self.part(np.empty(0, dtype=int))
        reader = reader_of(step)
        if reader is None:
            raise TypeError(
                f"a {type(step).__name__} before the model is not supported: {_why_not(step)}"
            )
        if not isinstance(step, (Pipeline, FeatureUnion, preprocessing.FunctionTransformer)):
            require_fitted(step, "n_features_in_")
        return reader(step, self)

    def part(self, places: Array, is_vector: bool = False) -> Trace:
        """Some of the features."""
        return dataclasses.replace(
            self, node=self.node.picked(places), program=Part(self.program, places, is_vector),
            names=tuple(self.names[k] for k in places),
        )  # fmt: skip

    def to(self, node: Node, step: Any) -> Trace:
        """The features that a step makes, with its own names."""
        names = names_from(step, self.names, node.n_outputs)
        return Trace(node, Applied(self.program, step), names, self.ledger)

    def mixed(self, step: Any, change: Callable[[Node], Node]) -> Trace:
        """The same for a step that mixes or bends."""
        self.ledger.mixing = self.ledger.mixing or type(step).__name__
        return self.to(change(self.node), step)


def names_from(step: Any, names: tuple[str, ...], d: int) -> tuple[str, ...]:
    """The names that a step gives its features, or numbered ones."""
    try:
        found = tuple(str(name) for name in step.get_feature_names_out(np.array(names, object)))
    except (AttributeError, ValueError, TypeError):
        found = ()
    stem = type(step).__name__.lower()
    return found if len(found) == d else tuple(f"{stem}{k}" for k in range(d))


# --- steps that hold others -------------------------------------------------------------------


def _pipeline(step: Pipeline, at: Trace) -> Trace:
    for _, inner in step.steps:
        at = at.after(inner)
    return at


def _column_transformer(step: ColumnTransformer, at: Trace) -> Trace:
    parts = []
    for _, inner, columns in step.transformers_:
        places = _places(columns, at.names)
        parts.append(at.part(places, isinstance(columns, str)).after(inner))
    return at.to(side_by_side([part.node for part in parts]), step)


def _places(columns: Any, names: tuple[str, ...]) -> Array:
    """Numbers of the columns that a ColumnTransformer names in one of its ways."""
    if isinstance(columns, slice):
        first, last = columns.start, columns.stop
        if isinstance(first, str) or isinstance(last, str):
            first = None if first is None else names.index(first)
            last = None if last is None else names.index(last) + 1
        return np.arange(len(names))[slice(first, last, columns.step)]
    given = np.atleast_1d(np.asarray(columns))
    if given.dtype == bool:
        return np.flatnonzero(given)
    if given.dtype.kind in "OUST":
        return np.array([names.index(str(name)) for name in given], dtype=int)
    return np.arange(len(names))[given.astype(int)]


def _feature_union(step: FeatureUnion, at: Trace) -> Trace:
    weights, parts = step.transformer_weights or {}, []
    for name, inner in step.transformer_list:
        part = at.after(inner)
        d = part.node.n_outputs
        if name in weights:
            node = part.node.scaled(np.zeros(d), np.full(d, 1.0 / weights[name]))
            part = dataclasses.replace(part, node=node)
        parts.append(part)
    return at.to(side_by_side([part.node for part in parts]), step)


# --- affine steps -----------------------------------------------------------------------------


def _scaler(step: Any, at: Trace) -> Trace:
    return at.to(at.node.scaled(*SCALERS[type(step)](step)), step)


def _selector(step: SelectorMixin, at: Trace) -> Trace:
    return at.to(at.node.picked(np.flatnonzero(step.get_support())), step)


def _pca(step: Any, at: Trace) -> Trace:
    matrix = np.asarray(step.components_, dtype=float)
    if step.whiten:
        matrix = matrix / np.sqrt(step.explained_variance_)[:, None]
    projection = Projection(matrix, np.asarray(step.mean_, dtype=float))
    return at.mixed(step, lambda node: node.behind(projection))


def _svd(step: Any, at: Trace) -> Trace:
    matrix = np.asarray(step.components_, dtype=float)
    return at.mixed(step, lambda node: node.behind(Projection(matrix, np.zeros(matrix.shape[1]))))


def _imputer(step: impute.SimpleImputer, at: Trace) -> Trace:
    """Present cells as they are; missing ones are filled where X is read."""
    if not _is_nan(step.missing_values):
        raise ValueError(
            f"SimpleImputer(missing_values={step.missing_values!r}) is not supported: mark missing "
            "cells by NaN"
        )
    statistics = np.asarray(step.statistics_, dtype=object)
    kept = np.array([k for k, value in enumerate(statistics) if not _is_nan(value)], dtype=int)
    if getattr(step, "keep_empty_features", False):
        kept = np.arange(len(statistics))
    for k in kept:
        _fill(at, int(k), statistics[k])
    d = len(kept)
    node = at.node.picked(kept)
    program = Applied(at.program, step)
    if step.indicator_ is not None and step.add_indicator:
        names = tuple(f"missing {at.names[k]}" for k in step.indicator_.features_)
        marks = at.ledger.freeze(Part(program, np.arange(d, d + len(names))), names)
        node = side_by_side([node, marks])
    return Trace(node, program, names_from(step, at.names, node.n_outputs), at.ledger)


def _fill(at: Trace, k: int, value: Any) -> None:
    node = at.node
    if isinstance(value, str):
        return  # of a category, which is no leaf of the model's
    if not isinstance(node, Columns):
        if all(leaf.places.max(initial=-1) >= at.ledger.n_inputs for leaf in node.leaves()):
            return
        raise TypeError(
            "a SimpleImputer behind a step that mixes inputs is not supported: put it first"
        )
    place = int(node.places[k])
    if place >= at.ledger.n_inputs or not _is_number(value):
        return
    raw = float(node.shift[k] + node.scale[k] * float(value))
    known = at.ledger.fills.setdefault(place, raw)
    if known != raw:
        raise ValueError(
            f"input {place} is imputed in two ways, by {known:g} and {raw:g}, which is not "
            "supported: impute once, before the branches"
        )


def _is_nan(value: Any) -> bool:
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and bool(np.isfinite(value))


# --- encoders, held fixed ---------------------------------------------------------------------


def _encoder(step: Any, at: Trace) -> Trace:
    program = Applied(at.program, step)
    names = names_from(step, at.names, _width(step, len(at.names)))
    return Trace(at.ledger.freeze(program, names), program, names, at.ledger)


def _width(step: Any, j: int) -> int:
    """How many columns an encoder makes of j."""
    try:
        return len(step.get_feature_names_out())
    except (AttributeError, ValueError):
        return j


# --- smooth steps -----------------------------------------------------------------------------


def _polynomial(step: preprocessing.PolynomialFeatures, at: Trace) -> Trace:
    return at.mixed(step, lambda node: node.behind(Products(np.asarray(step.powers_))))


def _splines(step: preprocessing.SplineTransformer, at: Trace) -> Trace:
    if step.degree < 2 or step.extrapolation == "periodic":
        raise ValueError(
            f"SplineTransformer(degree={step.degree}, extrapolation={step.extrapolation!r}) is not "
            "supported: its slopes jump; degrees from 2, without 'periodic', are"
        )
    n_each = step.bsplines_[0].c.shape[1] - (not step.include_bias)
    map_ = Splines(tuple(step.bsplines_), int(n_each), step.extrapolation)
    return at.mixed(step, lambda node: node.behind(map_))


def _waves(step: kernel_approximation.RBFSampler, at: Trace) -> Trace:
    phases = np.asarray(step.random_offset_, dtype=float)
    height = float(np.sqrt(2.0 / phases.size))
    waves = Waves(np.asarray(step.random_weights_, dtype=float), phases, height)
    return at.mixed(step, lambda node: node.behind(waves))


def _nystroem(step: kernel_approximation.Nystroem, at: Trace) -> Trace:
    if step.kernel != "rbf":
        raise ValueError(f"Nystroem(kernel={step.kernel!r}) is not supported: only 'rbf' is")
    centers = np.asarray(step.components_, dtype=float)
    gamma = 1.0 / centers.shape[1] if step.gamma is None else float(step.gamma)
    root = Projection(np.asarray(step.normalization_, dtype=float), np.zeros(len(centers)))
    return at.mixed(step, lambda node: node.behind(Bumps(centers, gamma)).behind(root))


def _powers(step: preprocessing.PowerTransformer, at: Trace) -> Trace:
    powered = Powered(np.asarray(step.lambdas_, dtype=float), step.method == "yeo-johnson")

    def change(node: Node) -> Node:
        node = node.behind(powered)
        if not step.standardize:
            return node
        return node.scaled(*SCALERS[preprocessing.StandardScaler](step._scaler))

    return at.mixed(step, change)


def _function(step: preprocessing.FunctionTransformer, at: Trace) -> Trace:
    if step.func is None:
        return at.to(at.node, step)
    if not Ufunc.is_known(step.func) or step.kw_args:
        name = getattr(step.func, "__name__", repr(step.func))
        raise TypeError(
            f"a FunctionTransformer({name}) before the model is not supported: its derivative is "
            "not known; numpy's log, log1p, sqrt, exp, … are, and fastaif.bases.Custom takes yours"
        )
    return at.mixed(step, lambda node: node.behind(Ufunc(step.func)))


_READERS: dict[type, Callable[[Any, Trace], Trace]] = {
    Pipeline: _pipeline, ColumnTransformer: _column_transformer, FeatureUnion: _feature_union,
    **dict.fromkeys(SCALERS, _scaler), SelectorMixin: _selector,
    decomposition.PCA: _pca, decomposition.IncrementalPCA: _pca, decomposition.TruncatedSVD: _svd,
    impute.SimpleImputer: _imputer,
    preprocessing.OneHotEncoder: _encoder, preprocessing.OrdinalEncoder: _encoder,
    preprocessing.TargetEncoder: _encoder, preprocessing.KBinsDiscretizer: _encoder,
    preprocessing.PolynomialFeatures: _polynomial, preprocessing.SplineTransformer: _splines,
    preprocessing.PowerTransformer: _powers, preprocessing.FunctionTransformer: _function,
    kernel_approximation.RBFSampler: _waves, kernel_approximation.Nystroem: _nystroem,
}  # fmt: skip
_WHY_NOT = {
    "QuantileTransformer": "it is flat between jumps of its slope: take a PowerTransformer",
    "Normalizer": "it ties all inputs of a row together: scale columns by a StandardScaler",
    "Binarizer": "what it makes has no gradient: fit with a KBinsDiscretizer, which is held fixed",
    "KNNImputer": "what it fills in moves with other inputs: take a SimpleImputer",
    "IterativeImputer": "what it fills in moves with other inputs: take a SimpleImputer",
}


def reader_of(step: Any) -> Callable[[Any, Trace], Trace] | None:
    """What reads a step; None where it is none of those that are known."""
    found = _READERS.get(type(step))
    return _selector if found is None and isinstance(step, SelectorMixin) else found


def _why_not(step: Any) -> str:
    known = ", ".join(sorted(kind.__name__ for kind in _READERS if kind is not SelectorMixin))
    return _WHY_NOT.get(type(step).__name__, f"fastaif takes scalers, selectors, {known}")


def begin(names: tuple[str, ...], program: Program) -> Trace:
    """The inputs, before any step."""
    k = len(names)
    return Trace(Columns.plain(np.arange(k)), program, names, Ledger(k))


def constants_of(node: Node, m: int) -> tuple[tuple[int, float], ...]:
    """The features that never change, (place, value) each."""
    places = np.flatnonzero(~node.varies)
    if not places.size:
        return ()
    values = node.value(np.zeros((1, m)))[0, places]
    return tuple(zip(places.tolist(), values.tolist(), strict=True))


