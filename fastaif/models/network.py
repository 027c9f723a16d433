"""Networks with one hidden layer, fitted by L-BFGS and Newton's method."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..bases.builtin import Linear
from ..data.rows import RowSource
from ..families.network.fit import fit_network, random_start
from ..families.network.model import penalized_entries
from ..losses import Logistic, SquaredError
from ..passes.network import ACTIVATIONS, NetworkSweep
from ..utils import validation
from .base import LinearPredictor
from .binary import BinaryClassifier
from .inputs import by_blocks, dense_inputs

Array = NDArray[Any]


class Network(LinearPredictor):
    """What both networks share: ``f = w2ᵀ σ(W1ᵀ x + b1) + b2``."""

    hidden: int
    activation: str
    max_iter: int
    tol: float
    random_state: Any

    kind = "network"

    def __init__(
        self,
        hidden: int = 64,
        activation: str = "tanh",
        alpha: float = 1e-4,
        max_iter: int = 2000,
        tol: float = 1e-10,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.alpha = alpha
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def fit_rows(self, source: RowSource) -> None:
        """Fit to checked rows, which need not exist all at once."""
        alpha = validation.number(self.alpha, "alpha", low=0.0)
        tol = validation.number(self.tol, "tol", low=0.0, strict=True)
        max_iter = validation.count(self.max_iter, "max_iter")
        hidden = validation.count(self.hidden, "hidden")
        validation.option(self.activation, "activation", list(ACTIVATIONS))
        sweep = NetworkSweep(
            source, self.loss_description(), Linear(), True, hidden=hidden,
            activation=self.activation,
        )  # fmt: skip
        with np.errstate(over="ignore", invalid="ignore"):
            rng = check_random_state(self.random_state)
            start = random_start(sweep, rng, _moments(source))
        penalized = penalized_entries(source.n_columns, hidden)
        with sweep.executor.watching("fit"):
            found = fit_network(sweep, alpha, start, penalized, tol=tol, max_iter=max_iter)
        if not np.isfinite(found.local.value):
            raise FloatingPointError(
                "the loss overflows on these data although X and y are finite; rescale the "
                "features or the targets"
            )
        self.n_iter_ = found.n_iter
        self.set_parameters(found.x, source.n_columns)
        if not found.converged:
            warnings.warn(
                f"{type(self).__name__} stopped after {found.n_iter} iterations at a relative "
                f"gradient of {found.local.residual:.1e}: raise max_iter, alpha or tol (and "
                "standardise the features, if they are not)",
                ConvergenceWarning,
                stacklevel=3,
            )

    def set_parameters(self, theta: Array, m: int) -> None:
        """Take over θ (d,): W1 by rows of (m, hidden), b1, w2, b2."""
        h = (theta.size - 1) // (m + 2)
        self.coefs_ = [theta[: m * h].reshape(m, h).copy(), theta[m * h + h : -1].copy()]
        self.intercepts_ = [theta[m * h : m * h + h].copy(), float(theta[-1])]

    def parameters(self) -> Array:
        """θ (d,)."""
        (w1, w2), (b1, b2) = self.coefs_, self.intercepts_
        return np.concatenate([np.ravel(w1), b1, w2, [b2]])

    @by_blocks
    def _decision(self, X: Any) -> Array:
        check_is_fitted(self)
        X = dense_inputs(self, X)
        rows = RowSource(X, np.zeros(len(X)), None, self._encode)
        h = len(self.coefs_[1])
        sweep = NetworkSweep(
            rows, self.loss_description(), Linear(), True, hidden=h, activation=self.activation
        )
        return sweep.predictions(self.parameters())


def _moments(source: RowSource) -> tuple[Array, Array]:
    """Weighted means and standard deviations of the inputs, (m,) each.

    Rows of weight zero are left out: however large, they must not cost digits.
    """
    first, second, middle = np.zeros((3, source.n_columns))
    total = 0.0
    for start, stop in source.chunks():
        w = source.weights(start, stop)
        w = w if w.size else np.ones(stop - start)
        X, w = source.inputs(start, stop)[w > 0.0], w[w > 0.0]
        if w.size == 0:
            continue
        if total == 0.0:
            middle = np.array(X[0], dtype=float)
        X = X - middle
        first, second, total = first + w @ X, second + w @ X**2, total + w.sum()
    mean = np.asarray(first / total)
    return middle + mean, np.sqrt(np.maximum(second / total - mean**2, 0.0))


class MLPRegression(RegressorMixin, Network):
    """Regression by a network with one hidden layer.

    ``f = w2ᵀ σ(W1ᵀ x + b1) + b2`` minimises ``E (f − y)² + alpha (‖W1‖² + ‖w2‖²)``: no
    factor ½, the mean rather than the sum, and no penalty on the biases. L-BFGS from a random
    start, then damped Newton steps lead to a local minimum that is stationary to rounding,
    as the influence needs it. Up to 5,000 parameters; larger networks take L-BFGS alone.

    Parameters
    ----------
    hidden : int, default 64
        Hidden units.
    activation : {"tanh", "softplus", "gelu"}, default "tanh"
        σ; "gelu" is the exact one, ``z Φ(z)``. Where a strong penalty leaves only a linear model
        to be fitted, softplus units run off to where they are straight, and `aif` needs damping.
    alpha : float, default 1e-4
        Units that it switches off (tanh, gelu) have no part in the influence.
    max_iter : int, default 2000
        Of L-BFGS; Newton's method takes at most 100 steps, and no more than max_iter.
    tol : float, default 1e-10
        Bound on the gradient's norm relative to ``E |ℓ'| ‖∇_θ f‖``.
    random_state : int, RandomState or None
        Draws the start. Standardise the features: the penalty depends on their units.

    Attributes
    ----------
    coefs_ : list of arrays (m, hidden) and (hidden,)
        W1 and w2.
    intercepts_ : list of an array (hidden,) and a float
        b1 and b2.
    n_iter_ : int
        L-BFGS iterations and Newton steps.
    n_features_in_ : int

    Warns
    -----
    ConvergenceWarning
        The gradient did not meet `tol`.

    Examples
    --------
    >>> import fastaif as fa
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = fa.MLPRegression(hidden=8, alpha=0.1, random_state=0).fit(scale(X), scale(y))
    >>> fa.aif(model, scale(X), scale(y)).influence.shape
    (97,)
    """

    _loss = SquaredError()

    def predict(self, X: Any) -> Array:
        """f(X), shape (n,)."""
        return self._decision(X)


class MLPClassification(BinaryClassifier, Network):
    """Binary classification by a network with one hidden layer.

    ``f = w2ᵀ σ(W1ᵀ x + b1) + b2`` minimises
    ``E log(1 + exp(−y f)) + alpha (‖W1‖² + ‖w2‖²)``, y = ±1. See `MLPRegression`.

    Parameters
    ----------
    hidden : int, default 64
    activation : {"tanh", "softplus", "gelu"}, default "tanh"
    alpha : float, default 1e-4
        With alpha = 0 and classes that the network can separate there is no finite optimum.
    max_iter : int, default 2000
    tol : float, default 1e-10
    random_state : int, RandomState or None

    Attributes
    ----------
    classes_ : array (2,)
        The labels; f > 0 means the second.
    coefs_ : list of arrays (m, hidden) and (hidden,)
    intercepts_ : list of an array (hidden,) and a float
    n_iter_ : int
    n_features_in_ : int
    """

    _loss = Logistic()
