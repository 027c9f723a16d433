"""An attacker, as the arguments of public functions describe it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..data.intake import Intake
from ..utils import validation
from .attack_set import AttackSet
from .ball import Ball, make_ball
from .bounded import Bounded
from .budget import Sharing
from .gaps import Gaps
from .groups import Groups
from .metric import make_metric

_OF_BALLS = ("feature_scale", "attackable")  # None by default as well
_OF_SAMPLES = ("bounds", "budgets")  # of which sets that know of missing cells are made


@dataclass(frozen=True, eq=False)
class Threat:
    """What an attacker may do, checked as far as that is possible without a model.

    Parameters
    ----------
    p : float in [1, inf]
        The attack's norm.
    order : float in [1, inf]
        u of a budget that the samples share; inf: each sample has its own.
    radius : "mean_norm" or float
        s, in units of the norm; "mean_norm" is E‖x/c‖_p.
    feature_scale : array (m,), optional
        Multiplies c.
    attackable : boolean array (m,) or list of feature names, optional
    attack_space : {"scaled", "raw"}
        Whether c is in a scaler's standard deviations or in raw units.
    formula : {"exact", "paper", "ball"}
        How a shared budget is divided; "ball", of order 1, the Wasserstein ball itself.
    bounds : (lo, hi), optional
        Numbers or arrays (m,) in raw units, or None, between which attacked samples stay.
    budgets : array (n,), optional
        What multiplies ε s, a number a sample.
    metric : array (m, m), optional
        Σ of δᵀΣ⁻¹δ ≤ ε²s², p = 2.
    groups : lists of features, optional
        Whose norms are taken together.

    Raises
    ------
    TypeError, ValueError
        For an argument that is wrong whatever the model; what depends on the model's features
        is found by `attack_set`.
    """

    p: Any = 2
    order: Any = math.inf
    radius: Any = "mean_norm"
    feature_scale: Any = None
    attackable: Any = None
    attack_space: Any = "scaled"
    formula: Any = "exact"
    bounds: Any = None
    budgets: Any = None
    metric: Any = None
    groups: Any = None

    def __post_init__(self) -> None:
        checked = {
            "p": validation.number(self.p, "p", low=1.0, infinite=True),
            "order": validation.number(self.order, "order", low=1.0, infinite=True),
            "radius": validation.radius(self.radius),
        }
        validation.option(self.attack_space, "attack_space", ["scaled", "raw"])
        validation.option(self.formula, "formula", ["exact", "paper", "ball"])
        self.__dict__.update(checked)
        if self.formula == "ball" and self.order != 1.0:
            raise ValueError(
                f"formula='ball' is the Wasserstein ball of order 1, not of order {self.order:g}: "
                "use order=1, or formula='exact'"
            )
        self._refuse_together()

    @property
    def _extras(self) -> dict[str, Any]:
        """What is given beside p, feature_scale and attackable.

        Every field that is None by default, so that a new one is passed over nowhere.
        """
        names = [part.name for part in fields(self) if part.default is None]
        given = {name: getattr(self, name) for name in names if name not in _OF_BALLS}
        return {name: value for name, value in given.items() if value is not None}

    def _refuse_together(self) -> None:
        """Refuse arguments that have no meaning beside one another, or none that is known."""
        given = list(self._extras)
        if not given:
            return
        if self.order < math.inf:
            raise ValueError(
                f"{given[0]} at order={self.order:g} is not known: where samples share a budget "
                "attacks are by p, feature_scale and attackable alone; use order=inf"
            )
        shapes = [name for name in given if name != "budgets"]
        if len(shapes) > 1:
            raise ValueError(
                f"{shapes[0]} and {shapes[1]} together are not known: give one of them"
            )
        if self.metric is not None and self.p != 2.0:
            raise ValueError(f"metric is for p=2, not for p={self.p:g}: use p=2, or no metric")
        if self.metric is not None and self.feature_scale is not None:
            raise ValueError(
                "metric has the features' scales in it, and takes none beside it: give "
                "np.outer(scale, scale) * metric"
            )

    def refuse_copies(self) -> None:
        """Refuse what noisy copies of samples do not keep to."""
        for name in self._extras:
            if name in ("bounds", "budgets"):
                raise ValueError(
                    f"{name} are of samples, which randomized smoothing replaces by noisy copies: "
                    "inspect the estimator within, or leave them out"
                )

    def refuse_blocks(self) -> None:
        """Refuse what is of all rows at once."""
        if self.budgets is not None:
            raise ValueError(
                "budgets are not for sums of blocks, nor for X as an iterator: call "
                "aif(estimator, X, y) with all of the data"
            )

    @property
    def budget(self) -> Sharing:
        """How the budget is divided between samples."""
        return Sharing(self.order, self.formula)

    def attack_set(
        self, basis: Any, names: tuple[str, ...], intake: Intake | None = None
    ) -> AttackSet:
        """The attacks of a sample on a model of this basis and these features.

        With an intake scales and masks are of its inputs, and what it holds fixed stays so.

        Raises
        ------
        TypeError, ValueError
            The features' scales or names are not those of the model, or none can be attacked.
        """
        inputs = names if intake is None else intake.inputs
        fixed = () if intake is None else intake.fixed
        mask = validation.attackable(self.attackable, inputs, fixed)
        if mask is not None:
            held = [name for name, moves in zip(inputs, mask, strict=True) if not moves]
            scale = validation.feature_scale(self.feature_scale, inputs, (*fixed, *held))
        else:
            scale = validation.feature_scale(self.feature_scale, inputs, fixed)
        if intake is not None:
            scale, mask = intake.spread(scale, mask)
        found = make_ball(
            basis, len(names), p=self.p, radius=self.radius, feature_scale=scale, attackable=mask,
            attack_space=self.attack_space,
        )  # fmt: skip
        if found.free.size == 0:
            raise ValueError(
                "attackable and feature_scale leave no feature that can be attacked"
                + ("" if intake is None else _of_inputs(intake))
            )
        if intake is None:
            return self._shaped(found, inputs, np.arange(len(names)))
        return self._shaped(found, inputs, intake.origin, intake.marks)

    @property
    def takes_gaps(self) -> bool:
        """Whether the attack set may be told which cells are missing, and robust fits are known."""
        shaped = any(name not in _OF_SAMPLES for name in self._extras)
        return self.order == math.inf and not shaped and (self.p <= 2.0 or self.p == math.inf)

    def _shaped(
        self, ball: Ball, inputs: tuple[str, ...], origin: Any, marks: Any = None
    ) -> AttackSet:
        """The ball, or what else is asked for in its units; `origin` has each column's input."""
        if self.metric is not None:
            sigma = validation.metric(self.metric, inputs)
            return make_metric(ball, sigma, origin[ball.free])
        if self.groups is not None:
            group = validation.groups(self.groups, inputs)
            return Groups(ball, group[origin])
        if self.bounds is None and marks is None:
            return ball
        ends = validation.bounds((None, None) if self.bounds is None else self.bounds, inputs)
        attacked = np.isin(np.arange(len(origin)), ball.free)
        low, high = (
            np.where(attacked, end[origin], free)
            for end, free in zip(ends, (-np.inf, np.inf), strict=True)
        )
        return Bounded(ball, low, high) if marks is None else Gaps(ball, low, high, marks)


def _of_inputs(intake: Intake) -> str:
    names = [name for name, free in zip(intake.inputs, intake.attackable, strict=True) if free]
    listed = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f": this model's inputs that can be are {listed}" if names else (
        ": this model's inputs are all categories, or dropped, and held fixed"
    )
