"""Networks, fitted by L-BFGS and Newton's method.

One hidden layer and one output have a compiled pass; whatever else goes by `layers`.
"""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..bases.builtin import Linear
from ..data.rows import RowSource
from ..families.layered.activations import ACTIVATIONS
from ..families.layered.layers import Layers
from ..families.network.fit import fit_network, random_start
from ..families.network.model import penalized_entries
from ..losses import Logistic, SquaredError
from ..losses.softmax import Softmax
from ..losses.targets import check_classes, class_encoder
from ..passes.network import NetworkSweep
from ..solvers.newton import NewtonResult
from ..utils import validation
from ..utils.inputs import MatrixLike, RandomState
from .base import LinearPredictor
from .binary import BinaryClassifier
from .inputs import by_blocks, dense_inputs
from .layers import fit_stack, has_pass, layers_of, outputs_of, widths_of

Array = NDArray[Any]


class Network(LinearPredictor):
    """What both networks share: layers ``σ(Wᵀ a + b)``, the last of them without σ."""

    hidden: int | tuple[int, ...]
    activation: str
    max_iter: int
    tol: float
    random_state: Any

    kind = "network"

    def __init__(
        self,
        hidden: int | tuple[int, ...] = 64,
        activation: str = "tanh",
        alpha: float = 1e-4,
        max_iter: int = 2000,
        tol: float = 1e-10,
        random_state: RandomState = None,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.alpha = alpha
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    @property
    def n_network_outputs(self) -> int:
        """How many outputs the network has for the targets of its fit."""
        return 1

    def layers(self, m: int) -> Layers:
        """The sizes of all layers, for m inputs."""
        return Layers((m, *widths_of(self.hidden), self.n_network_outputs), self.activation)

    def fit_rows(self, source: RowSource) -> None:
        """Fit to checked rows, which need not exist all at once."""
        alpha = validation.number(self.alpha, "alpha", low=0.0)
        options: dict[str, Any] = {
            "tol": validation.number(self.tol, "tol", low=0.0, strict=True),
            "max_iter": validation.count(self.max_iter, "max_iter"),
        }
        widths_of(self.hidden)
        validation.option(self.activation, "activation", list(ACTIVATIONS))
        compiled = has_pass(self.layers(source.n_columns))
        fit = self._fit_compiled if compiled else self._fit_layers
        found = fit(source, alpha, options)
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

    def _fit_compiled(
        self, source: RowSource, alpha: float, options: dict[str, Any]
    ) -> NewtonResult:
        (hidden,) = widths_of(self.hidden)
        sweep = NetworkSweep(
            source, self.loss_description(), Linear(), True, hidden=hidden,
            activation=self.activation,
        )  # fmt: skip
        with np.errstate(over="ignore", invalid="ignore"):
            rng = check_random_state(self.random_state)
            start = random_start(sweep, rng, _moments(source))
        penalized = penalized_entries(source.n_columns, hidden)
        with sweep.executor.watching("fit"):
            return fit_network(sweep, alpha, start, penalized, **options)

    def _fit_layers(
        self, source: RowSource, alpha: float, options: dict[str, Any]
    ) -> NewtonResult:
        rng = check_random_state(self.random_state)
        with np.errstate(over="ignore", invalid="ignore"):
            return fit_stack(
                source, self.layers(source.n_columns), self.loss_description(), alpha, rng,
                _moments(source), **options,
            )  # fmt: skip

    def set_parameters(self, theta: Array, m: int) -> None:
        """Take over θ (d,): W1 by rows of (m, hidden), b1, W2, b2, ….

        The W and b of a single output are an array (hidden,) and a number.
        """
        parts = self.layers(m).unpack(np.array(theta, dtype=float))
        self.coefs_ = [W.copy() for W, _ in parts]
        self.intercepts_: list[Any] = [b.copy() for _, b in parts]
        if self.n_network_outputs == 1:
            self.coefs_[-1] = self.coefs_[-1][:, 0]
            self.intercepts_[-1] = float(self.intercepts_[-1][0])

    def parameters(self) -> Array:
        """θ (d,)."""
        parts = zip(self.coefs_, self.intercepts_, strict=True)
        return np.concatenate([np.ravel(part) for pair in parts for part in pair])

    @by_blocks
    def _decision(self, X: Any) -> Array:
        check_is_fitted(self)
        X = dense_inputs(self, X)
        layers = layers_of(self)
        if not has_pass(layers):
            return outputs_of(layers, self.parameters(), X)
        rows = RowSource(X, np.zeros(len(X)), None, self._encode)
        h = layers.sizes[1]
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
    """Regression by a network of one hidden layer or more.

    ``f = w2ᵀ σ(W1ᵀ x + b1) + b2`` (and so on for more layers) minimises
    ``E (f − y)² + alpha (‖W1‖² + ‖w2‖²)``: no factor ½, the mean rather than the sum, and no
    penalty on the biases. L-BFGS from a random start, then damped Newton steps lead to a local
    minimum that is stationary to rounding, as the influence needs it. Up to 5,000 parameters
    (2,500 with more layers); larger networks take L-BFGS alone. Of t outputs, y (n, t), the loss
    is ``‖F − y‖²``, and attacks on x are on all of them at once.

    Parameters
    ----------
    hidden : int or tuple of int, default 64
        Hidden units, of each hidden layer where there are several.
    activation : {"tanh", "softplus", "gelu", "logistic", "relu", "identity"}, default "tanh"
        σ; "gelu" is the exact one, ``z Φ(z)``. Where a strong penalty leaves only a linear model
        to be fitted, softplus units run off to where they are straight, and `aif` needs damping.
        "relu" has kinks, which are counted: a minimum may sit at one, and is then not stationary.
    alpha : float, default 1e-4
        Units that it switches off (tanh, gelu, relu) have no part in the influence.
    max_iter : int, default 2000
        Of L-BFGS; Newton's method takes what is left of them, at most 100, at least a twentieth.
        A fit that they end is no minimum, which influences need, but serves for attacks.
    tol : float, default 1e-10
        Bound on the gradient's norm relative to ``E |ℓ'| ‖∇_θ f‖``.
    random_state : int, RandomState or None
        Draws the start. Standardise the features: the penalty depends on their units.

    Attributes
    ----------
    coefs_ : list of arrays (m, hidden) and (hidden,)
        W1 and w2; between them those of further hidden layers, by (inputs, units). The last is
        (hidden, t) of several outputs.
    intercepts_ : list of an array (hidden,) and a float
        b1 and b2, likewise.
    n_outputs_ : int
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
    _takes_several: ClassVar[bool] = True

    @property
    def n_network_outputs(self) -> int:
        """The number of columns of y."""
        return int(getattr(self, "n_outputs_", 1))

    def _prepare_targets(self, y: Array) -> Array:
        y = super()._prepare_targets(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        self.n_outputs_ = 1 if y.ndim == 1 else y.shape[1]
        return y

    def predict(self, X: MatrixLike) -> Array:
        """f(X), shape (n,), or (n, t) of several outputs."""
        return self._decision(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class MLPClassification(BinaryClassifier, Network):
    """Classification by a network of one hidden layer or more.

    Of two labels ``f = w2ᵀ σ(W1ᵀ x + b1) + b2`` minimises
    ``E log(1 + exp(−y f)) + alpha (‖W1‖² + ‖w2‖²)``, y = ±1. Of three or more the network has an
    output a class, and the loss is ``−log π_y``, π the softmax of the outputs; to add one number
    to all of them changes nothing, and the influence has no part along that. See `MLPRegression`.

    Parameters
    ----------
    hidden : int or tuple of int, default 64
        Hidden units, of each hidden layer where there are several.
    activation : {"tanh", "softplus", "gelu", "logistic", "relu", "identity"}, default "tanh"
    alpha : float, default 1e-4
        With alpha = 0 and classes that the network can separate there is no finite optimum.
    max_iter : int, default 2000
    tol : float, default 1e-10
    random_state : int, RandomState or None

    Attributes
    ----------
    classes_ : array (K,)
        The labels; of two f > 0 means the second.
    coefs_ : list of arrays (m, hidden) and (hidden,)
        The last (hidden, K) for three classes or more.
    intercepts_ : list of an array (hidden,) and a float
        The last (K,) for three classes or more.
    n_iter_ : int
    n_features_in_ : int
    """

    _loss = Logistic()

    @property
    def n_network_outputs(self) -> int:
        """One for two classes, else one a class."""
        K = len(getattr(self, "classes_", ()))
        return K if K > 2 else 1

    def _prepare_targets(self, y: Array) -> Array:
        self.classes_ = check_classes(y)
        if self.n_network_outputs == 1:
            return super()._prepare_targets(y)
        self._encode = class_encoder(self.classes_)
        return y

    def decision_function(self, X: MatrixLike) -> Array:
        """The log-odds of the second of two classes (n,); of more an output each, (n, K)."""
        check_is_fitted(self)
        if self.n_network_outputs > 1:
            return self._decision(X)
        return super().decision_function(X)

    def predict_proba(self, X: MatrixLike) -> Array:
        """The probabilities of all classes, shape (n, K)."""
        check_is_fitted(self)
        if self.n_network_outputs > 1:
            return Softmax().probabilities(self._decision(X))
        return np.asarray(super().predict_proba(X))

    def predict(self, X: MatrixLike) -> Array:
        """The likeliest label of each row, shape (n,)."""
        check_is_fitted(self)
        if self.n_network_outputs > 1:
            return np.asarray(self.classes_[np.argmax(self._decision(X), axis=1)])
        return super().predict(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = True
        return tags
