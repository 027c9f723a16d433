"""Selection of models by clean loss and sensitivity together, in scikit-learn's idiom."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..data.checked_rows import evaluation_rows, locating
from ..influence.result import InfluenceResult
from ..models.meta import Delegating, weights_for
from ..threat.threat import Threat
from ..utils import validation
from ..utils.inputs import AttackableLike, MatrixLike, ScaleLike, TargetsLike, WeightsLike
from ..utils.warnings import RangeWarning
from .aif import influence_of


class WithInfluence(Delegating):
    """An estimator that computes its adversarial influence as it is fitted.

    It predicts and scores as the estimator inside does. `sensitivity_scorer` needs it, for
    only the fit has the data of which the influence ``I = −H⁻¹ Φ`` (Theorem 4.1, eq. 5) is made.

    Parameters
    ----------
    estimator
        Not fitted: one that `aif` accepts, such as a Pipeline of StandardScaler and Ridge
        (whose penalty is ``estimator__ridge__alpha`` then). As the last step of a Pipeline a
        WithInfluence attacks what the steps before it hand over.
    p : float in [1, inf], default 2
    radius : "mean_norm" or float, default "mean_norm"
    feature_scale : array (m,), optional
    attackable : boolean array (m,) or list of feature names, optional
    attack_space : {"scaled", "raw"}, default "scaled"
    damping : float, default 0.0
        The attack, and what is added to H, as in `aif`.

    Attributes
    ----------
    estimator_
        The fitted clone.
    result_ : InfluenceResult
        It refers to the data of the fit, which a pickle therefore holds.
    influence_ : array (d,)
        ``result_.influence``.
    n_features_in_, feature_names_in_, classes_
        Those of `estimator_`, where it has them.
    """

    def __init__(
        self,
        estimator: Any,
        p: float = 2,
        radius: str | float = "mean_norm",
        feature_scale: ScaleLike = None,
        attackable: AttackableLike = None,
        attack_space: str = "scaled",
        damping: float = 0.0,
    ) -> None:
        self.estimator = estimator
        self.p = p
        self.radius = radius
        self.feature_scale = feature_scale
        self.attackable = attackable
        self.attack_space = attack_space
        self.damping = damping

    def fit(
        self, X: MatrixLike, y: TargetsLike, sample_weight: WeightsLike = None
    ) -> WithInfluence:
        """Fit a clone of the estimator, and compute its influence on the same data.

        Parameters
        ----------
        X, y : arrays (n, m), (n,)
        sample_weight : array (n,), optional
            For the estimator (in a Pipeline for each step that takes any) and `aif`.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError, numpy.linalg.LinAlgError
            What the estimator and `aif` raise; GridSearchCV's `error_score` handles it.
        """
        fitted = clone(self.estimator)
        fitted.fit(X, y, **weights_for(fitted, sample_weight))
        threat = Threat(
            self.p, radius=self.radius, feature_scale=self.feature_scale,
            attackable=self.attackable, attack_space=self.attack_space,
        )  # fmt: skip
        self.result_ = influence_of(fitted, X, y, threat, sample_weight, self.damping)
        self.influence_ = self.result_.influence
        self.estimator_ = fitted
        return self


def sensitivity_scorer(
    eps: float, weight: float = 1.0, expansion: str = "quadratic"
) -> SensitivityScorer:
    """A scorer for GridSearchCV and its kin: ``−(E_e ℓ(θ̂) + weight · S_ε)``, higher is better.

    E_e is over the data to be scored, mostly a held-out fold, I is of the fit, and
    ``S_ε = ½ ε² IᵀH_eI`` (eq. 4 of Deng, Dwork, Wang & Zhang, 2020) with the Hessian H_e
    of the loss on the data scored.

    To second order S is what robust training would cost in clean loss and what it would win
    against the adversary: a model of small S has little left to gain from it. A ridge penalty
    makes S small: it raises the least eigenvalues of H, along which ``I = −H⁻¹Φ`` is longest
    where features are nearly collinear. So the larger ε, the stronger the penalty chosen.

    S ranks models and does not forecast their loss after robust training (``expansion="norm"``
    does; ``lambda estimator, X, y: -adversarial_loss(estimator, X, y, eps)`` scores a model as it
    is, under attack): beyond the first kinks of the robust path eq. 4 overstates the cost, and
    most for the models that it ranks last (``result_.verify(eps)``). RangeWarning, which each
    candidate and fold would raise, is silenced in here; ``result_.rough_at(eps)`` says why it
    would come.

    Parameters
    ----------
    eps : float
        ε, in units of the radius s of the fit. At 0 the score is minus the mean loss.
    weight : float, default 1.0
        The price of a unit of S in units of the loss.
    expansion : {"quadratic", "taylor", "norm", "auto"}, default "quadratic"
        As of `InfluenceResult.sensitivity`: "taylor" adds the slope ``ε g_eᵀI``; "norm" keeps the
        bend of the coefficients' norm and forecasts the clean loss after robust training, where
        eq. 4 ranks; "auto" is "norm" where a model has it.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``, which can be pickled. The estimator is a fitted
        `WithInfluence` or a Pipeline that ends in one. The score is in units of the
        model's loss (squared errors have no factor ½), so only models of one loss compare.

    Raises
    ------
    TypeError, ValueError
        For eps, weight or expansion; and, when called, for any other estimator.

    Examples
    --------
    >>> import fastaif as fa
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = fa.WithInfluence(make_pipeline(StandardScaler(), Ridge()))
    >>> grid = {"estimator__ridge__alpha": [0.1, 0.3, 1, 3, 10, 30, 100]}
    >>> for eps in (0.0, 0.02):
    ...     search = GridSearchCV(model, grid, scoring=fa.sensitivity_scorer(eps), cv=5)
    ...     print(eps, search.fit(X, y).best_params_["estimator__ridge__alpha"])
    0.0 0.3
    0.02 30
    """
    return SensitivityScorer(
        validation.number(eps, "eps", low=0.0),
        validation.number(weight, "weight", low=0.0),
        validation.option(expansion, "expansion", ["quadratic", "taylor", "norm", "auto"]),
    )


@dataclass(frozen=True, repr=False)
class SensitivityScorer:
    """What `sensitivity_scorer` returns."""

    eps: float
    weight: float
    expansion: str

    def __call__(self, estimator: Any, X: MatrixLike, y: TargetsLike) -> float:
        """Minus the mean natural loss of the data and the priced sensitivity there."""
        result, X = fitted_influence(estimator, X)
        loss, cost = priced(result, self.eps, X, y, self.expansion)
        return -(loss + self.weight * cost)

    def __repr__(self) -> str:
        return (
            f"sensitivity_scorer(eps={self.eps:g}, weight={self.weight:g}, "
            f"expansion={self.expansion!r})"
        )


def last_step(estimator: Any) -> Any:
    """The estimator itself, or what a Pipeline ends in."""
    return last_step(estimator.steps[-1][1]) if isinstance(estimator, Pipeline) else estimator


def fitted_influence(estimator: Any, X: MatrixLike) -> tuple[InfluenceResult, Any]:
    """A fitted estimator's influence, and X as the steps before its model transform it."""
    if not isinstance(last_step(estimator), WithInfluence):
        raise TypeError(
            f"a {type(last_step(estimator)).__name__} keeps no influence to score: wrap the model, "
            "or the Pipeline that it ends, in fastaif.WithInfluence"
        )
    while isinstance(estimator, Pipeline):
        for _, step in estimator.steps[:-1]:
            if step is not None and step != "passthrough":
                X = step.transform(X)
        estimator = estimator.steps[-1][1]
    check_is_fitted(estimator)
    return estimator.result_, X


def priced(
    result: InfluenceResult, eps: ArrayLike, X: MatrixLike, y: TargetsLike, expansion: str
) -> tuple[float, Any]:
    """E_e ℓ(θ̂), unweighted and without penalty, and S_ε, shaped like eps and never warning."""
    source = evaluation_rows(result.problem.model, X, y)
    with locating(source):
        loss = float(result.problem.mean_loss(result.params, source))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RangeWarning)
        return loss, result.sensitivity(eps, X, y, expansion=expansion)
