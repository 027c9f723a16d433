"""`robustness_radius` and `adversarial_accuracy`: how much attack each prediction withstands."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.sources import LazyRows
from ..families.adversary import Adversary
from ..families.model import told
from ..families.registry import adversary_of
from ..threat.ascent_settings import ENOUGH, PgdSettings
from ..threat.threat import Threat
from ..utils import validation
from ..utils.inputs import (
    AttackableLike,
    BoundsLike,
    GroupsLike,
    MatrixLike,
    ScaleLike,
    TargetsLike,
    WeightsLike,
)
from .attack import like
from .prepare import prepare

Array = NDArray[Any]

_FIRST = 2.0**-7  # ε of the search, in units of the radius s, which doubles
_DOUBLINGS = 20
_HALVINGS = 7  # of the interval in which a prediction turns: to 1 %
_SETTINGS = PgdSettings(n_restarts=2, enough=ENOUGH)


def robustness_radius(
    estimator: Any,
    X: MatrixLike,
    y: TargetsLike | None = None,
    *,
    p: float = 2,
    change: float | None = None,
    radius: str | float = "mean_norm",
    feature_scale: ScaleLike = None,
    attackable: AttackableLike = None,
    attack_space: str = "scaled",
    sample_weight: WeightsLike = None,
    return_exact: bool = False,
    n_threads: int | None = None,
    bounds: BoundsLike = None,
    budgets: ArrayLike | None = None,
    metric: ArrayLike | None = None,
    groups: GroupsLike = None,
) -> Any:
    """The least ε that turns each prediction, or that moves it by `change`.

    Of a linear predictor that is exact: an attack of size ε moves every f by at most
    ``ε s ‖Dβ‖_q`` (section 4.1 of the paper), so that a label turns at ``|f| / (s ‖Dβ‖_q)``. So it
    is of softmax models, of which each class's lead is linear, and within bounds. Of other
    classifiers it is an upper bound: the least ε, to 1 %, at which ascent on the loss was seen to
    turn the label.

    Parameters
    ----------
    estimator
        A fitted model (see `aif`): a classifier, or, with `change`, a linear predictor.
    X : array (n, m)
        s = E‖x/c‖_p is computed on these rows.
    y : array (n,), optional
        Labels: samples that are classified wrongly have radius 0. None: what counts is that the
        predicted label stays.
    p, radius, feature_scale, attackable, attack_space, sample_weight
        As in `aif`; weights enter s alone.
    change : float, optional
        By how much the prediction of a regression has to move, in units of the target (of a
        Poisson regression the expected count).
    return_exact : bool, default False
    n_threads : int, optional
    bounds, budgets, metric, groups
        As in `aif`; without `change` where bounds or budgets are given.

    Returns
    -------
    radii : array (n,)
        In units of the radius s; inf where no attack was found.
    exact : bool
        Whether they are exact, not upper bounds; if `return_exact`.

    Raises
    ------
    ValueError
        A regression without `change`, or one whose predictions are not linear.

    Examples
    --------
    >>> import numpy as np
    >>> import fastaif as fa
    >>> X = np.array([[-3.0], [-1.0], [1.0], [3.0]])
    >>> model = fa.LogisticRegression().fit(X, [0, 0, 1, 1])
    >>> np.round(fa.robustness_radius(model, X, radius=1.0), 6) + 0.0
    array([3., 1., 1., 3.])
    """
    threat = Threat(
        p, np.inf, radius, feature_scale, attackable, attack_space,
        bounds=bounds, budgets=budgets, metric=metric, groups=groups,
    )  # fmt: skip
    given = _predicted(estimator, X) if y is None else y
    adversary = _adversary(estimator, X, given, threat, sample_weight, n_threads)
    labels = adversary.problem.model.loss.has_labels
    if change is not None:
        size = validation.number(change, "change", low=0.0, strict=True)
        radii = None if labels else adversary.radii_of_change(size)
    elif labels:
        radii = adversary.radii_of_labels()
    else:
        raise ValueError(
            "robustness_radius of a regression needs change=..., how far a prediction may move"
        )
    if radii is None and not labels:
        raise ValueError(
            f"the robustness radius of a {told(adversary.problem.model)} is not known: only of "
            "classifiers, and of linear predictors with change=..., all of whose cells are there"
        )
    exact = radii is not None
    if radii is None:
        radii = _searched(adversary, _turned(estimator, X, given, adversary))
    return (radii, exact) if return_exact else radii


def adversarial_accuracy(
    estimator: Any,
    X: MatrixLike,
    y: TargetsLike,
    eps: float,
    *,
    p: float = 2,
    radius: str | float = "mean_norm",
    feature_scale: ScaleLike = None,
    attackable: AttackableLike = None,
    attack_space: str = "scaled",
    sample_weight: WeightsLike = None,
    n_threads: int | None = None,
    bounds: BoundsLike = None,
    budgets: ArrayLike | None = None,
    metric: ArrayLike | None = None,
    groups: GroupsLike = None,
) -> float:
    """The share of samples that are classified rightly whatever an attack of size ε does.

    Exact of linear predictors and softmax models, whatever the set; of other classifiers an upper
    bound, by the attacks of `attack`. With several classes the worst loss need not turn a label, so
    that a score on attacked inputs may be a little higher. Steps and restarts of your own:
    ``model.score(fa.attack(model, X, y, eps, n_restarts=20), y)``.

    Parameters
    ----------
    estimator
        A fitted classifier (see `aif`).
    X : array (n, m)
    y : array (n,)
    eps : float
    p, radius, feature_scale, attackable, attack_space, sample_weight
        As in `aif`; weights enter s and the share.
    n_threads : int, optional
    bounds, budgets, metric, groups
        As in `aif`.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        The model is no classifier.
    """
    threat = Threat(
        p, np.inf, radius, feature_scale, attackable, attack_space,
        bounds=bounds, budgets=budgets, metric=metric, groups=groups,
    )  # fmt: skip
    eps = validation.number(eps, "eps", low=0.0)
    adversary = _adversary(estimator, X, y, threat, sample_weight, n_threads)
    problem = adversary.problem
    if not problem.model.loss.has_labels:
        raise ValueError(f"accuracy is of classifiers, not of a {problem.model.kind} model")
    radii = adversary.radii_of_labels()
    if radii is not None:
        return problem.source.mean((radii > eps).astype(float))
    turned = _turned(estimator, X, y, adversary)
    rows = np.arange(problem.n_rows)
    settings = None if adversary.has_exact else _SETTINGS
    wrong = turned(np.asarray(problem.source.x), rows)
    wrong |= turned(adversary.attacked(problem.params, eps, settings), rows)
    return problem.source.mean(1.0 - wrong)


def _adversary(
    estimator: Any, X: Any, y: Any, threat: Threat, sample_weight: Any, n_threads: int | None
) -> Adversary[Any]:
    problem = prepare(
        estimator, X, y, threat, sample_weight=sample_weight, n_threads=n_threads, only_radius=True
    )
    if isinstance(problem.source.x, LazyRows):
        raise TypeError(
            "X is read block by block, but radii are of samples: ask block by block, with radius "
            "set to that of the whole (aif(...).radius)"
        )
    return adversary_of(problem)


def _predicted(estimator: Any, X: Any) -> Array:
    if not hasattr(estimator, "predict"):
        raise TypeError(f"a {type(estimator).__name__} predicts no labels: give y")
    return np.asarray(estimator.predict(X))


def _turned(
    estimator: Any, X: Any, y: Any, adversary: Adversary[Any]
) -> Callable[[Array, Array], Array]:
    """Whether predictions at inputs of some rows are not their labels."""
    labels, intake = np.asarray(y).ravel(), adversary.problem.model.intake

    def turned(inputs: Array, rows: Array) -> Array:
        some = X.iloc[rows] if hasattr(X, "iloc") else X[rows] if intake else X
        given = like(some, inputs, intake)
        return np.asarray(_predicted(estimator, given) != labels[rows])

    return turned


def _searched(adversary: Adversary[Any], turned: Callable[[Array, Array], Array]) -> Array:
    """The least ε at which attacks turn each label: doubled until they do, then halved between."""
    x = np.asarray(adversary.problem.source.x)
    n = len(x)
    low, high = np.zeros(n), np.full(n, np.inf)
    high[turned(x, np.arange(n))] = 0.0
    eps = _FIRST
    for _ in range(_DOUBLINGS):
        rows = np.flatnonzero(np.isinf(high))
        if not rows.size:
            break
        _attack(adversary, turned, rows, np.full(len(rows), eps), low, high)
        eps *= 2.0
    rows = np.flatnonzero(np.isfinite(high) & (high > 0.0))
    together = adversary.problem.is_restricted  # then samples may have sizes of their own
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)[rows]
        for some in [rows] if together else [rows[middle == eps] for eps in np.unique(middle)]:
            _attack(adversary, turned, some, 0.5 * (low + high)[some], low, high)
    return high


def _attack(
    adversary: Adversary[Any], turned: Callable[[Array, Array], Array], rows: Array, eps: Array,
    low: Array, high: Array,
) -> None:  # fmt: skip
    """Attack some rows, each at its ε, and narrow the interval in which each of them turns."""
    if not rows.size:
        return
    problem = adversary.problem
    source, most = problem.source, float(eps.max())
    budget = None
    if problem.is_restricted:
        budget = source.budgets(0, source.n_rows)[rows] * (eps / most)
    part = source._replace(
        x=np.asarray(source.x)[rows], y=np.asarray(source.y)[rows], weight=None, budget=budget
    )  # fmt: skip
    ball = problem.ball.with_radius(problem.radius)
    some = dataclasses.replace(
        adversary, problem=dataclasses.replace(problem, source=part, ball=ball)
    )
    settings = None if adversary.has_exact else _SETTINGS
    gone = turned(some.attacked(problem.params, most, settings), rows)
    high[rows[gone]], low[rows[~gone]] = eps[gone], eps[~gone]
