"""An attacker, as the arguments of public functions describe it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..data.intake import Intake
from ..utils import validation
from .attack_set import AttackSet
from .ball import make_ball
from .budget import Sharing


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
        scale = validation.feature_scale(self.feature_scale, len(inputs))
        mask = validation.attackable(self.attackable, inputs)
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
        return found


def _of_inputs(intake: Intake) -> str:
    names = [name for name, free in zip(intake.inputs, intake.attackable, strict=True) if free]
    listed = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f": this model's inputs that can be are {listed}" if names else (
        ": this model's inputs are all categories, or dropped, and held fixed"
    )
