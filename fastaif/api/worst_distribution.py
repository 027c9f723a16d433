"""`worst_distribution`: what data look like at the edge of a Wasserstein ball."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.checked_rows import locating
from ..data.sources import LazyRows
from ..families.registry import adversary_of
from ..threat.threat import Threat
from ..utils import validation
from ..utils.arrays import ReadOnlyArrays
from ..utils.inputs import AttackableLike, MatrixLike, ScaleLike, TargetsLike, WeightsLike
from .prepare import prepare

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class WorstDistribution(ReadOnlyArrays):
    """The worst attack of a finite order, as a distribution of k ≥ n weighted rows.

    Attributes
    ----------
    inputs : array (k, m)
        Attacked rows, those that stay where they are among them, in the columns that the model
        sees: an encoder's in place of a category, and no constant of statsmodels.
    targets : array (k,)
        Theirs, as they were given.
    weights : array (k,)
        Their shares, of sum 1. A sample's weight is divided where its best move jumps at the price
        of the budget; its parts add up to its weight.
    rows : array (k,) of int
        The sample that each was.
    loss : float
        The mean loss of the distribution, without the penalty, in units of the loss.
    eps, order, radius : float
        ``(E ‖δ/c‖_p^u)^{1/u} ≤ ε s`` holds with equality, but for models that no move harms.
    """

    inputs: Array = field(repr=False)
    targets: Array = field(repr=False)
    weights: Array = field(repr=False)
    rows: Array = field(repr=False)
    loss: float
    eps: float
    order: float
    radius: float


def worst_distribution(
    estimator: Any,
    X: MatrixLike,
    y: TargetsLike,
    eps: float,
    *,
    order: float = 2.0,
    p: float = 2,
    radius: str | float = "mean_norm",
    feature_scale: ScaleLike = None,
    attackable: AttackableLike = None,
    attack_space: str = "scaled",
    sample_weight: WeightsLike = None,
) -> WorstDistribution:
    """The attacked rows and their weights, where all samples share a budget.

    The worst case of distributional robustness (section 6.2 of Deng, Dwork, Wang & Zhang, 2020):
    each sample moves by what its loss is worth at the price of the budget. Its mean loss is
    `adversarial_loss` where every sample moves as a whole, and no less than that where some
    sample's best move jumps: there a part of its weight moves far and the rest near.

    Parameters
    ----------
    estimator
        A fitted linear predictor (see `aif`).
    X : array (n, m)
    y : array (n,)
    eps : float
        ε ≥ 0, in units of the radius s.
    order : float in [1, inf), default 2
        u of the budget. At 1 one sample alone moves; of the Wasserstein ball itself
        (``formula="ball"``) the worst case is a limit that no distribution attains.
    p, radius, feature_scale, attackable, attack_space, sample_weight
        As in `aif`.

    Returns
    -------
    WorstDistribution

    Raises
    ------
    ValueError
        The order is inf, where `attack` has each sample's worst input; or the model is no linear
        predictor.

    Examples
    --------
    >>> import fastaif as fa
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = fa.LinearRegression().fit(X, y)
    >>> worst = fa.worst_distribution(model, X, y, 0.1)
    >>> worst.inputs.shape
    (442, 10)
    >>> bool(abs(worst.loss - fa.adversarial_loss(model, X, y, 0.1, order=2)) < 1e-8)
    True
    """
    eps = validation.number(eps, "eps", low=0.0)
    threat = Threat(p, order, radius, feature_scale, attackable, attack_space)
    if threat.order == math.inf:
        raise ValueError(
            "order=inf gives each sample a budget of its own: attack(estimator, X, y, eps) has "
            "their worst inputs; worst_distribution is for finite orders"
        )
    problem = prepare(estimator, X, y, threat, sample_weight=sample_weight, only_radius=True)
    if isinstance(problem.source.x, LazyRows):
        raise TypeError(
            "X is read block by block, but a distribution is an array of its whole shape: give an "
            "array"
        )
    with locating(problem.source):
        found = adversary_of(problem).distribution(problem.params, eps)
    return WorstDistribution(
        found.inputs, np.asarray(y)[found.rows], found.weights, found.rows, found.loss, eps,
        threat.order, problem.radius,
    )  # fmt: skip
