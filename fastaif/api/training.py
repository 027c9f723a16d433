"""`AdversarialTraining`: estimators trained against an attacker, in scikit-learn's idiom."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from sklearn.base import clone

from ..models.meta import Delegating, weights_for
from ..utils import validation
from ..utils.inputs import (
    AttackableLike,
    MatrixLike,
    RandomState,
    ScaleLike,
    TargetsLike,
    WeightsLike,
)
from .robust_fit import robust_fit


class AdversarialTraining(Delegating):
    """Fit an estimator, and then its robust optimum: ``argmin E max ℓ(f_θ(x + δ), y) + α ‖β‖²``.

    The maximum is over ‖δ/c‖_p ≤ ε s. It predicts and scores as the robust model does; `score` is
    the estimator's own, on the data as they are. For the loss under attack hand `estimator_` to
    `adversarial_loss`, in a scorer if a search is to choose `eps` by it.

    Parameters
    ----------
    estimator
        Not fitted: one that `robust_fit` accepts when fitted, such as a Pipeline of StandardScaler
        and Ridge. What comes before the model is fitted to the data as they are, and held fixed
        under attack.
    eps : float, default 0.1
        ε ≥ 0, in units of the radius s of the training data. At 0 the natural optimum.
    p, order, radius, feature_scale, attackable, attack_space
        The attack, as in `aif`.
    method : {"auto", "exact", "pgd"}, default "auto"
    tol : float, default 1e-8
    max_iter : int, optional
    random_state : int, RandomState, Generator or None
    n_threads : int, optional
        Of the robust fit, as in `robust_fit`.

    Attributes
    ----------
    estimator_
        The estimator with the robust parameters θ_ε, which predicts.
    natural_estimator_
        The clone as it was fitted, without any attack: what `aif` takes.
    robust_ : RobustFit
        How the robust fit went: its residual, its gap and whether it converged.
    n_iter_ : int
        ``robust_.n_iter``.
    n_features_in_, feature_names_in_, classes_
        Those of `estimator_`, where it has them.

    See Also
    --------
    robust_fit : the same for an estimator that is fitted already.

    Examples
    --------
    >>> import fastaif as fa
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = fa.AdversarialTraining(make_pipeline(StandardScaler(), Ridge()))
    >>> def attacked(model, X, y):
    ...     s = model.robust_.radius  # that of the rows of the fit, as AdversarialTrainingCV has it
    ...     return -fa.adversarial_loss(model.estimator_, X, y, 0.05, radius=s)
    >>> for scoring in (None, attacked):
    ...     search = GridSearchCV(model, {"eps": [0.0, 0.01, 0.05]}, scoring=scoring).fit(X, y)
    ...     print(search.best_params_)
    {'eps': 0.0}
    {'eps': 0.05}
    """

    instead: ClassVar[str] = (
        "its natural_estimator_ to aif (an influence is that of the natural optimum), and its "
        "estimator_, the robust model, to attack and adversarial_loss"
    )

    def __init__(
        self,
        estimator: Any,
        eps: float = 0.1,
        *,
        p: float = 2,
        order: float = math.inf,
        radius: str | float = "mean_norm",
        feature_scale: ScaleLike = None,
        attackable: AttackableLike = None,
        attack_space: str = "scaled",
        method: str = "auto",
        tol: float = 1e-8,
        max_iter: int | None = None,
        random_state: RandomState = None,
        n_threads: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.eps = eps
        self.p = p
        self.order = order
        self.radius = radius
        self.feature_scale = feature_scale
        self.attackable = attackable
        self.attack_space = attack_space
        self.method = method
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.n_threads = n_threads

    def fit(
        self, X: MatrixLike, y: TargetsLike, sample_weight: WeightsLike = None
    ) -> AdversarialTraining:
        """Fit a clone of the estimator, and from there its robust optimum on the same data.

        Parameters
        ----------
        X, y : arrays (n, m), (n,)
        sample_weight : array (n,), optional
            For the estimator (in a Pipeline for each step that takes any) and `robust_fit`.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            What the estimator and `robust_fit` raise; GridSearchCV's `error_score` handles it.

        Warns
        -----
        SolverWarning
            The tolerance was not reached.
        """
        options = self.get_params(deep=False)
        eps = validation.number(options.pop("eps"), "eps", low=0.0)
        natural = clone(options.pop("estimator"))
        natural.fit(X, y, **weights_for(natural, sample_weight))
        self.robust_ = robust_fit(natural, X, y, eps, sample_weight=sample_weight, **options)
        self.natural_estimator_ = natural
        self.n_iter_ = self.robust_.n_iter
        self.estimator_ = self.robust_.estimator
        return self
