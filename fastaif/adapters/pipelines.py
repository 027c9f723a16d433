"""What happens to the inputs before the model, held fixed under attack.

Scalers alone, and PolynomialFeatures(2) between them, are read into compiled bases; everything else
is traced step by step (`tracing`), and becomes a scaling of some columns, or a composed basis.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PolynomialFeatures

from ..bases.builtin import Linear, Quadratic
from ..bases.composed import Composed
from ..bases.expansion import Expansion
from ..bases.nodes import Columns, Filled, Node
from ..data.intake import FIXED, Intake, KeptColumns
from ..data.rows import Encoder
from .fitted import require_fitted
from .frames import NO_GAPS, FrameIntake, Gaps, Given, Missing
from .nesting import TransformedTargets
from .scalers import SCALERS, Scaling
from .tracing import Trace, begin, constants_of

Array = NDArray[Any]


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
    expands : str
        The step that makes features of several inputs, or that bends; "" where none does.
    composed : Expansion or None
        Such features, but for those of PolynomialFeatures(2).
    constants : tuple of (int, float)
        Columns that never change, and their values, among those that the model sees.
    intake : Intake or None
        What makes the columns of X to begin with; None where X is these.
    names : tuple of str or None
        Of the features, but for constants, where they are not the inputs' or the basis's.
    targets : tuple
        Transformers of the targets, the first to be applied last.
    """

    before: Scaling | None = None
    after: Scaling | None = None
    m: int | None = None
    expands: str = ""
    composed: Expansion | None = None
    constants: tuple[tuple[int, float], ...] = ()
    intake: Intake | None = None
    names: tuple[str, ...] | None = None
    targets: tuple[Any, ...] = ()
    constant_name: str = "intercept"

    def linear_basis(self) -> Linear:
        """The basis without features of several inputs."""
        return _AS_IT_IS if self.before is None else Linear(*self.before)

    def basis(self) -> Linear | Expansion:
        """v of a linear model behind this preprocessing."""
        if self.composed is not None:
            return self.composed
        if not self.expands or self.m is None:
            return self.linear_basis()
        inner = self.before or (np.zeros(self.m), np.ones(self.m))
        return Expansion(Quadratic(), *inner, *(self.after or (None, None)))

    def encoder(self, encode: Encoder) -> Encoder:
        """Raw targets to those of the model inside."""
        for transformer in self.targets:
            encode = TransformedTargets(transformer, encode)
        return encode

    def selected(self, kept: Array, d: int, names: tuple[str, ...] | None) -> Preprocessing:
        """The same with some of d features; `names` are the inputs', where they have any."""
        if self.composed is not None:
            basis = self.composed.basis
            assert isinstance(basis, Composed)
            labels = tuple(basis.labels[k] for k in kept)
            part = dataclasses.replace(
                self.composed, basis=Composed(basis.node.picked(kept), labels)
            )
            return dataclasses.replace(self, composed=part, names=labels)
        if self.expands or self.constants:
            raise TypeError(f"a model that prunes features behind {self.expands} is not supported")
        before = None if self.before is None else (self.before[0][kept], self.before[1][kept])
        own = None if self.names is None else tuple(self.names[k] for k in kept)
        return dataclasses.replace(
            self, before=before, intake=_kept(self.intake, kept, d, names), names=own
        )


_AS_IT_IS, _NOTHING = Linear(), Preprocessing()


def _kept(
    intake: Intake | None, kept: Array, d: int, names: tuple[str, ...] | None
) -> Intake:
    if isinstance(intake, FrameIntake):
        return dataclasses.replace(
            intake, columns=tuple(intake.columns[k] for k in kept), origin=intake.origin[kept],
            sources=tuple(intake.sources[k] for k in kept),
        )  # fmt: skip
    assert intake is None
    inputs = names or tuple(f"x{k}" for k in range(d))
    return KeptColumns(inputs, names is not None, tuple(inputs[k] for k in kept), kept)


def split(estimator: Any, gaps: Gaps = NO_GAPS) -> tuple[Preprocessing, Any]:
    """What is before the model in Pipelines, and around its targets; and the model.

    Raises
    ------
    TypeError, ValueError
        A step is not supported; the message says what is.
    """
    steps, targets, last = _flat(estimator)
    if steps:
        for step in steps:
            if type(step) in (*SCALERS, PolynomialFeatures):
                require_fitted(step, "n_features_in_")
        found = _read(steps) if _is_plain(steps) else _traced(steps, estimator, gaps)
    else:
        found = _NOTHING
    return (dataclasses.replace(found, targets=targets) if targets else found), last


def _flat(estimator: Any) -> tuple[list[Any], tuple[Any, ...], Any]:
    """Steps before the model, transformers of its targets, and the model."""
    steps: list[Any] = []
    targets: list[Any] = []
    while isinstance(estimator, (Pipeline, TransformedTargetRegressor)):
        if isinstance(estimator, TransformedTargetRegressor):
            require_fitted(estimator, "regressor_")
            targets.insert(0, estimator.transformer_)
            estimator = estimator.regressor_
            continue
        inner = [step for _, step in estimator.steps if step is not None and step != "passthrough"]
        steps.extend(inner[:-1])
        estimator = inner[-1]
    if steps and type(estimator).__name__ == "RandomizedSmoothing":
        raise TypeError(
            "RandomizedSmoothing inside a Pipeline is not supported: put the Pipeline inside it, "
            "as in RandomizedSmoothing(make_pipeline(...), sigma)"
        )
    return steps, tuple(targets), estimator


def _is_plain(steps: list[Any]) -> bool:
    """Whether they are scalers, and at most one PolynomialFeatures(2)."""
    others = [step for step in steps if type(step) not in SCALERS]
    return not others or (len(others) == 1 and _is_quadratic(others[0]))


def _read(steps: list[Any]) -> Preprocessing:
    places = [k for k, step in enumerate(steps) if isinstance(step, PolynomialFeatures)]
    if not places:
        return Preprocessing(_scaling(steps))
    poly = steps[places[0]]
    after, bias = _scaling(steps[places[0] + 1 :]), 1.0
    if poly.include_bias and after is not None:
        bias = float((1.0 - after[0][0]) / after[1][0])
        after = after[0][1:], after[1][1:]
    constants = ((0, bias),) if poly.include_bias else ()
    return Preprocessing(
        _scaling(steps[: places[0]]), after, int(poly.n_features_in_), "PolynomialFeatures",
        constants=constants,
    )  # fmt: skip


def _is_quadratic(poly: Any) -> bool:
    """All of x_j and x_j x_k, j ≤ k, and nothing else but a bias."""
    if not isinstance(poly, PolynomialFeatures) or poly.degree not in (2, (0, 2), (1, 2)):
        return False
    m = int(poly.n_features_in_)
    first, second = np.triu_indices(m)
    wanted = np.vstack([np.eye(m, dtype=int), np.zeros((len(first), m), dtype=int)])
    for row, (j, k) in enumerate(zip(first, second, strict=True), start=m):
        wanted[row, j] += 1
        wanted[row, k] += 1
    powers = poly.powers_[int(poly.include_bias) :]
    return powers.shape == wanted.shape and np.array_equal(powers, wanted)


def _scaling(scalers: list[Any]) -> Scaling | None:
    """The composition of fitted scalers."""
    result: Scaling | None = None
    for scaler in scalers:
        mean, sd = SCALERS[type(scaler)](scaler)
        if result is None:
            result = np.array(mean, dtype=float), np.array(sd, dtype=float)
        else:
            shift, scale = result
            result = shift + scale * mean, scale * sd
    return result


# --- everything else --------------------------------------------------------------------------


def _traced(steps: list[Any], estimator: Any, gaps: Gaps) -> Preprocessing:
    """The preprocessing that a trace through the steps finds."""
    inputs, has_names = _inputs(steps, estimator)
    at = begin(inputs, Given())
    for step in steps:
        at = at.after(step)
    m = at.ledger.n_inputs + len(at.ledger.fixed)
    constants = constants_of(at.node, m)
    if constants:
        at = at.part(np.delete(np.arange(at.node.n_outputs), [k for k, _ in constants]))
    if at.node.n_outputs == 0:
        raise ValueError("the preprocessing leaves no feature that depends on X")
    found = Preprocessing(constants=constants, expands=at.ledger.mixing, names=at.names)
    return _finished(found, at, inputs, has_names, gaps)


def _finished(
    found: Preprocessing, at: Trace, inputs: tuple[str, ...], has_names: bool, gaps: Gaps
) -> Preprocessing:
    """With the columns that are left numbered in the order in which the model has them."""
    node, ledger = at.node, at.ledger
    missing = tuple(place for place in gaps.inputs if place in ledger.fills)
    leaves = node.leaves()
    met = np.concatenate([leaf.places for leaf in leaves])
    is_linear = isinstance(node, Columns) and len(np.unique(met)) == len(met)
    marked: tuple[int, ...] = ()
    if is_linear and gaps.are_marked:
        marked, missing = missing, ()
    is_linear = is_linear and not missing
    used = met if is_linear else np.unique(met)
    columns = (*inputs, *ledger.labels)
    shift, scale = _units(leaves, used)
    sources = [int(k) if k < len(inputs) else ledger.fixed[k - len(inputs)] for k in used]
    names = [columns[k] for k in used]
    if missing:
        sources += [Missing(place) for place in missing]
        names += [f"{inputs[place]} is missing" for place in missing]
        shift = np.append(shift, np.zeros(len(missing)))
        scale = np.append(scale, np.ones(len(missing)))
    origin = np.array([k if isinstance(k, int) else FIXED for k in sources])
    middle = dict(zip(used.tolist(), shift.tolist(), strict=False)) if gaps.is_scaled else {}
    intake = FrameIntake(
        inputs, has_names, tuple(names), origin, tuple(sources), ledger.fills,
        {place: middle.get(place, 0.0) for place in missing}, marked,
    )  # fmt: skip
    plain = not ledger.fills and np.array_equal(origin, np.arange(len(inputs)))
    found = dataclasses.replace(found, intake=None if plain else intake)
    if is_linear:
        return dataclasses.replace(found, before=(shift, scale))
    masks = {place: len(used) + k for k, place in enumerate(missing)}
    inner = node.on_leaves(lambda leaf: _rebased(leaf, used, shift, scale, masks, ledger.fills))
    basis = Composed(inner, at.names)
    return dataclasses.replace(
        found, composed=Expansion(basis, shift, scale), expands=found.expands or "SimpleImputer"
    )


def _inputs(steps: list[Any], estimator: Any) -> tuple[tuple[str, ...], bool]:
    """The names of X's columns, and whether the fit had them."""
    for thing in (estimator, *steps[:1]):
        names = getattr(thing, "feature_names_in_", None)
        if names is not None:
            return tuple(str(name) for name in names), True
    require_fitted(steps[0], "n_features_in_")
    return tuple(f"x{k}" for k in range(int(steps[0].n_features_in_))), False


def _units(leaves: list[Columns], used: Array) -> tuple[Array, Array]:
    """Shift and scale of each column where it first goes into a feature."""
    shift, scale = np.zeros(used.size), np.ones(used.size)
    place_of = {int(place): k for k, place in enumerate(used)}
    for leaf in reversed(leaves):
        for j in range(leaf.places.size - 1, -1, -1):
            k = place_of[int(leaf.places[j])]
            shift[k], scale[k] = leaf.shift[j], leaf.scale[j]
    return shift, scale


def _rebased(
    leaf: Columns, used: Array, shift: Array, scale: Array, masks: dict[int, int],
    fills: dict[int, float],
) -> Node:  # fmt: skip
    """A leaf over the columns u = (x − shift) / scale that are left, gaps filled."""
    places = np.searchsorted(used, leaf.places)
    own_shift, own_scale = shift[places], scale[places]
    moved = Columns(places, (leaf.shift - own_shift) / own_scale, leaf.scale / own_scale)
    where = np.array([masks.get(int(place), -1) for place in leaf.places])
    if np.all(where < 0):
        return moved
    raw = np.array([fills.get(int(place), 0.0) for place in leaf.places])
    return Filled(moved, where, (raw - leaf.shift) / leaf.scale)
