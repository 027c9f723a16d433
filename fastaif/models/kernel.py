"""Kernel regression: f(x) = Σ_j θ_j K(x, c_j)."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from .. import kernels
from ..bases.expansion import Expansion
from ..bases.kernel_functions import KernelBasis
from ..data.rows import RowSource
from ..families.finite_sum.natural_fit import natural_fit
from ..families.kernel.fit import fit_dual
from ..families.kernel.model import penalty_at
from ..kernels.functions import RBF, Kernel
from ..kernels.pairs import Pairs, make_gram
from ..losses import SquaredError
from ..losses.targets import as_float
from ..passes.basis import make_sweep
from ..utils import validation
from ..utils.arrays import ordered
from ..utils.inputs import MatrixLike, RandomState, TargetsLike, WeightsLike
from .inputs import by_blocks, dense_inputs, rows_at_once

Array = NDArray[Any]


class KernelRegression(RegressorMixin, BaseEstimator):
    """Least squares on kernel functions, f(x) = Σ_j θ_j K(x, c_j), without intercept.

    Minimises ``E (f − y)² + alpha ‖θ‖²`` (penalty="l2": eq. 7 of Deng, Dwork, Wang & Zhang,
    2020) or ``E (f − y)² + alpha θᵀKθ`` (penalty="rkhs": kernel ridge regression;
    scikit-learn's KernelRidge(alpha=a) is alpha = a / n here).

    Parameters
    ----------
    kernel : a kernel of fastaif.kernels, default RBF(1.0)
    alpha : float, default 1e-3
    penalty : {"l2", "rkhs"}, default "l2"
    centers : {"moving", "fixed"}, default "moving"
        What an attack on the training inputs does to the centres c_j, which are these same
        inputs: "moving" moves them too (adversarial training, the paper's section 6.1),
        "fixed" leaves them (the attack at prediction time). It makes no difference to a fit
        or its predictions.
    n_centers : int, optional
        With centers="fixed": that many centres drawn from the rows instead of all, for large
        n. The Gram matrix of all rows is never formed.
    random_state : int, RandomState, Generator or None
        Draws the centres.

    Attributes
    ----------
    dual_coef_ : array (k,)
        θ; k is n, or n_centers.
    X_fit_ : array (k, m)
        The centres.
    n_features_in_ : int

    Notes
    -----
    Sample weights multiply the squared errors. With penalty="l2" and moving centres they are
    not repetitions: a repeated sample has a dual coefficient, and a penalty, of its own.

    Examples
    --------
    >>> import numpy as np, fastaif as fa
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(50, 2))
    >>> model = fa.KernelRegression(fa.kernels.RBF(0.5), alpha=1e-2).fit(X, np.sin(X[:, 0]))
    >>> model.predict(X[:3]).shape
    (3,)
    """

    def __init__(
        self,
        kernel: Any = RBF(1.0),  # noqa: B008  (immutable)
        alpha: float = 1e-3,
        penalty: str = "l2",
        centers: str = "moving",
        n_centers: int | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.kernel = kernel
        self.alpha = alpha
        self.penalty = penalty
        self.centers = centers
        self.n_centers = n_centers
        self.random_state = random_state

    def fit(
        self, X: MatrixLike, y: TargetsLike, sample_weight: WeightsLike = None
    ) -> KernelRegression:
        """Fit the model.

        Parameters
        ----------
        X : array (n, m)
        y : array (n,)
        sample_weight : array (n,), optional

        Returns
        -------
        self

        Warns
        -----
        ConvergenceWarning
            The minimum is not unique (the minimum-norm one is taken).
        """
        self._check_parameters()
        X, y = rows_at_once(self, X, y, sample_weight)
        w = None
        if sample_weight is not None:
            w = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            validation.weights(w, len(X))
        if self.n_centers is None:
            self._fit_gram(X, as_float(y), w)
        else:
            self._fit_basis(X, as_float(y), w)
        return self

    def _check_parameters(self) -> None:
        if not isinstance(self.kernel, Kernel):
            raise TypeError(
                f"kernel must be one of fastaif.kernels ({', '.join(kernels.__all__)}), "
                f"but is {self.kernel!r}"
            )
        validation.number(self.alpha, "alpha", low=0.0)
        validation.option(self.penalty, "penalty", ["l2", "rkhs"])
        validation.option(self.centers, "centers", ["moving", "fixed"])
        if self.n_centers is not None:
            validation.count(self.n_centers, "n_centers")
            if self.centers != "fixed":
                raise ValueError(
                    f"n_centers={self.n_centers} needs centers='fixed': moving centres are all the "
                    "inputs of the fit"
                )

    def _fit_gram(self, X: Array, y: Array, w: Array | None) -> None:
        U = np.array(X, dtype=np.float64, order="C")
        self.kernel.check_inputs(U)
        n = len(U)
        omega = np.full(n, 1.0 / n) if w is None else w / validation.weight_factor(w)
        theta, singular = fit_dual(
            lambda: make_gram(self.kernel.compiled(), U, derivatives=False).K,
            y, omega / omega.sum(), float(self.alpha), self.penalty,
        )  # fmt: skip
        self.X_fit_, self.dual_coef_ = np.array(X), theta
        self._warn_if(singular)

    def _warn_if(self, singular: bool) -> None:
        if singular:
            warnings.warn(
                "KernelRegression: the Gram matrix is singular; of the many minimisers the one "
                "of least norm was taken (alpha > 0 makes it unique)",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _fit_basis(self, X: Array, y: Array, w: Array | None) -> None:
        assert self.n_centers is not None
        if self.n_centers > len(X):
            raise ValueError(f"n_centers={self.n_centers} is more than the {len(X)} rows of X")
        rng = np.random.default_rng(validation.seed(self.random_state))
        chosen = np.sort(rng.choice(len(X), size=self.n_centers, replace=False))
        centers = np.array(X[chosen], dtype=np.float64, order="C")
        self.kernel.check_inputs(X)
        penalized, work = penalty_at(self.kernel, centers, self.penalty)
        m = X.shape[1]
        basis = Expansion(KernelBasis(self.kernel, centers), np.zeros(m), np.ones(m))
        weight = None if w is None else w / validation.weight_factor(w)
        source = RowSource(X, y, weight, as_float)
        sweep = make_sweep(source, SquaredError(), basis, False)
        found = natural_fit(sweep, float(self.alpha), penalized=penalized, work=work)
        self.X_fit_, self.dual_coef_ = np.array(X[chosen]), found.x
        self._warn_if(found.singular)

    def predict(self, X: MatrixLike) -> Array:
        """f(X), shape (n,); X is read block by block where it is not in memory."""
        return self._predicted(X)

    @by_blocks
    def _predicted(self, X: Any) -> Array:
        """f at rows in memory; the matrix of kernel values exists in tiles only."""
        check_is_fitted(self)
        U = ordered(dense_inputs(self, X))
        self.kernel.check_inputs(U)
        centers = ordered(self.X_fit_)
        return Pairs(self.kernel.compiled(), U, centers, False).product(self.dual_coef_)
