"""`RandomizedSmoothing`: fits on noisy copies of the inputs (Theorem 5.4)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_array, check_X_y, get_tags
from sklearn.utils.validation import check_is_fitted

from ..data.noisy_copies import NoisyCopies, noisy_rows
from ..data.rows import RowSource
from ..utils import validation
from ..utils.inputs import MatrixLike, RandomState, TargetsLike, WeightsLike
from .base import LinearPredictor
from .certified_radii import Certified, certify
from .meta import Delegating, weights_for

Array = NDArray[Any]


class RandomizedSmoothing(Delegating):
    """Fit an estimator on noisy copies x + σz of the inputs, z ~ N(0, I).

    `aif`, `robust_fit` and `sensitivity` draw the same copies again: the objective, H and Φ
    are those of the copies, each attacked by itself; the radius s and, by default, the
    evaluation are those of the clean data. For Gaussian least squares Theorem 5.4 says
    how the sensitivity changes with σ (`theory.smoothing_ratio`).

    Parameters
    ----------
    estimator
        Not fitted: one that `aif` accepts. fastaif's own see the copies block by block;
        scikit-learn's and Pipelines are handed all n · n_copies rows at once.
    sigma : float
        σ ≥ 0, in the inputs' units.
    n_copies : int, default 10
        Copies of each sample.
    random_state : int, RandomState, Generator or None
        Of the noise, which is keyed by copy and sample: the rows have to come in the
        same order again.

    Attributes
    ----------
    estimator_
        The fitted clone, which predicts (without noise; `certify` has votes with it).
    seed_ : int
        What the noise is drawn from.
    n_features_in_, feature_names_in_, classes_
        Those of `estimator_`, where it has them.

    Examples
    --------
    >>> import fastaif as fa
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = fa.RandomizedSmoothing(fa.LinearRegression(), sigma=0.02, random_state=0)
    >>> result = fa.aif(model.fit(X, y), X, y)
    >>> result.influence.shape
    (11,)
    """

    def __init__(
        self, estimator: Any, sigma: float, n_copies: int = 10, random_state: RandomState = None
    ) -> None:
        self.estimator = estimator
        self.sigma = sigma
        self.n_copies = n_copies
        self.random_state = random_state

    def fit(
        self, X: MatrixLike, y: TargetsLike, sample_weight: WeightsLike = None
    ) -> RandomizedSmoothing:
        """Fit a clone of the estimator on the noisy copies.

        Parameters
        ----------
        X, y : arrays (n, m), (n,)
        sample_weight : array (n,), optional
            Of the samples; each copy has its sample's.

        Returns
        -------
        self
        """
        validation.number(self.sigma, "sigma", low=0.0)
        validation.count(self.n_copies, "n_copies")
        self.seed_ = validation.seed(self.random_state)
        fitted = clone(self.estimator)
        if isinstance(fitted, LinearPredictor):
            fitted.fit_rows(self.copies(fitted.rows_of_fit(X, y, sample_weight)))
        else:
            self._fit_on_all(fitted, X, y, sample_weight)
        self.estimator_ = fitted
        return self

    def certify(
        self,
        X: MatrixLike,
        *,
        n_draws: int = 1000,
        n_selection: int = 100,
        level: float = 0.999,
        random_state: RandomState = None,
    ) -> Certified:
        """What the classifier says most often under the noise, and the radius that this certifies.

        A class that x + σz has with a probability P above ½ is the most frequent one of every
        input closer to x than σ Φ⁻¹(P) in Euclidean length (Cohen, Rosenfeld & Kolter, 2019,
        theorem 1). P is estimated by draws and bounded from below (Clopper & Pearson), so that
        radii are certified with probability `level`, of each sample by itself. They are of the
        vote, which `predict` does not take, and at most σ Φ⁻¹((1 − level)^(1/n_draws)).

        Parameters
        ----------
        X : array (n, m)
        n_draws : int, default 1000
            Draws of noise, a sample, which tell how often its class wins. The longest radii grow
            with their number: 2.46 σ for 1,000, 3.81 σ for 100,000.
        n_selection : int, default 100
            Other draws, which tell which class that is.
        level : float in [½, 1), default 0.999
        random_state : int, RandomState, Generator or None
            Of the noise, which is never that of the fit.

        Returns
        -------
        Certified
            `labels`, `radii` in the inputs' units (0: abstained), `least_shares`, and
            `accuracy(y, radius)`.

        Raises
        ------
        ValueError
            A regression, or sigma = 0.

        Examples
        --------
        >>> import fastaif as fa
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> inner = fa.LogisticRegression(alpha=1e-3)
        >>> model = fa.RandomizedSmoothing(inner, sigma=0.5, random_state=0).fit(X, y)
        >>> votes = model.certify(X, random_state=0)
        >>> 0.8 < votes.accuracy(y, radius=0.25) < votes.accuracy(y) < 1.0
        True
        """
        check_is_fitted(self)
        if not hasattr(self.estimator_, "classes_"):
            raise ValueError(
                f"certify is of classifiers, but {type(self.estimator_).__name__} is none: votes "
                "are taken over classes"
            )
        sigma = validation.number(self.sigma, "sigma", low=0.0)
        if sigma == 0.0:
            raise ValueError("certify takes votes over noise, but sigma is 0: give a positive one")
        draws = validation.count(n_selection, "n_selection"), validation.count(n_draws, "n_draws")
        columns = list(X.columns) if hasattr(X, "columns") else None
        rows = check_array(X, dtype=[np.float64, np.float32], estimator=self)

        def predict(inputs: Array) -> Array:
            return self.predict(_framed(inputs, columns))

        # Of the same random_state a fit has other noise.
        seed = validation.seed(validation.seed(random_state))
        return certify(
            predict, self.classes_, rows, sigma, draws, _checked_level(level), seed
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # scikit-learn's own estimators are fitted to an array of all copies.
        ours = isinstance(self.estimator, LinearPredictor)
        tags.input_tags.sparse = ours
        tags.target_tags.multi_output = ours and get_tags(self.estimator).target_tags.multi_output
        return tags

    def copies(self, source: RowSource) -> RowSource:
        """The rows of all copies, of which only blocks exist."""
        return noisy_rows(source, float(self.sigma), int(self.n_copies), self.seed_)

    def _fit_on_all(self, fitted: Any, X: Any, y: Any, sample_weight: Any) -> None:
        columns = list(X.columns) if hasattr(X, "columns") else None
        array, targets = check_X_y(X, y, dtype=[np.float64, np.float32], estimator=self)
        noisy: Any = NoisyCopies(array, float(self.sigma), int(self.n_copies), self.seed_)[:]
        noisy = _framed(noisy, columns)
        w = validation.weights(sample_weight, len(array))
        w = None if w is None else np.tile(w, self.n_copies)
        fitted.fit(noisy, np.tile(targets, self.n_copies), **weights_for(fitted, w))


def _framed(rows: Array, columns: list[Any] | None) -> Any:
    """Rows as a frame where the inputs are one."""
    if columns is None:
        return rows
    import pandas as pd

    return pd.DataFrame(rows, columns=columns)


def _checked_level(level: Any) -> float:
    """A probability of being right."""
    share = validation.number(level, "level", low=0.5)
    if share >= 1.0:
        raise ValueError(f"level must be below 1, but is {level!r}: draws are never certain")
    return share


@dataclass(frozen=True)
class _Rebuild:
    """θ to a fitted copy of the meta-estimator."""

    smoothing: RandomizedSmoothing
    inner: Any

    def __call__(self, theta: Array) -> RandomizedSmoothing:
        fitted = copy.copy(self.smoothing)
        fitted.estimator_ = self.inner(theta)
        return fitted


def rebuild_around(smoothing: RandomizedSmoothing, inner: Callable[[Array], Any]) -> Any:
    """How a fitted copy with other parameters is made; `inner` makes that of the estimator."""
    return _Rebuild(smoothing, inner)
