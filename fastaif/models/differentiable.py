"""`DifferentiableModel`: any model and loss written with torch or JAX."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..families.autodiff.derivatives import Derivatives
from ..families.autodiff.frameworks import NAMES, Framework, framework_of, load, to_numpy
from ..families.autodiff.model import AutodiffModel
from ..families.autodiff.parameters import arrays_of, flatten
from ..utils import validation
from ..utils.caching import cached_property
from ..utils.inputs import MatrixLike, TargetsLike

Array = NDArray[Any]


class DifferentiableModel:
    """A fitted model and its loss as functions of torch or JAX, for `aif` and its like.

    θ̂ minimises ``E ℓ(θ, x, y) + α ‖θ‖²`` (or ``+ penalty(θ)``). The influence is
    ``I = −H⁻¹Φ`` with ``Φ = s E ∇_θ⟨∇_x ℓ_i, φ_i⟩`` (Theorem 4.1) and the exact Hessian H;
    all derivatives come from the framework, in float64. Up to 4,000 parameters H is formed
    and factored; beyond (or with ``solver="cg"``) conjugate gradients take Hessian-vector
    products of the framework, with a randomised Nyström preconditioner of rank 64, and
    standard errors are estimates. A network fitted in float32, or stopped early, is rarely
    at a stationary point: ``aif(..., refine=True)`` first brings it to one. Of a network the
    Hessian may be indefinite even there: then add ``damping``.

    `robust_fit`, `attack`, `sensitivity` and a result's `verify` work as for other models;
    attacks are found by gradient steps, and robust optima are local ones, near θ̂. Robust
    fits form H.

    Parameters
    ----------
    per_sample_loss : callable
        ``per_sample_loss(params, X, y)`` gives the losses (n,) of a batch of rows: params
        as below, X (n, m) and y (n,), all arrays of the framework. Floating-point numbers
        are float64 (integer targets stay integers). Row i's loss depends on row i alone:
        no batch normalisation in training mode, no dropout, no mean. It is traced by
        ``torch.func`` (on the processor) or ``jax.jit``, and runs on the framework's own
        threads, whatever `n_threads`.
    params : array, or dict, list, tuple of arrays
        θ̂, nested as `per_sample_loss` takes it. The order of θ is that of dictionaries and
        lists, each array by rows; names are like "w[0,1]" ("theta[0]" for a single array).
    alpha : float, default 0.0
        α ≥ 0, on all entries of θ (torch's ``weight_decay`` is 2α).
    penalty : callable, optional
        ``penalty(params)``, a single number that takes the place of ``α ‖θ‖²``: to leave
        out biases, for example.
    backend : {"torch", "jax"}, optional
        By default that of the arrays in `params`; needed where these are NumPy's.
    batch_size : int, default 1024
        Rows that are differentiated at once: fewer need less memory.

    Attributes
    ----------
    params
        θ̂, float64, nested as given.
    theta_ : array (d,)
    names_ : tuple of str
        A name for each entry of θ.

    Raises
    ------
    ImportError
        The framework is not installed.

    Examples
    --------
    >>> import fastaif as fa, jax.numpy as jnp, numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> fit = fa.LinearRegression().fit(X, y)
    >>> def loss(params, X, y):
    ...     return (X @ params["coef"] + params["intercept"] - y) ** 2
    >>> params = {"coef": jnp.asarray(fit.coef_), "intercept": jnp.asarray(fit.intercept_)}
    >>> result = fa.aif(fa.DifferentiableModel(loss, params), X, y, refine=True)
    >>> bool(np.allclose(result.influence, fa.aif(fit, X, y).influence, rtol=1e-6))
    True
    """

    def __init__(
        self,
        per_sample_loss: Callable[[Any, Any, Any], Any],
        params: Any,
        *,
        alpha: float = 0.0,
        penalty: Callable[[Any], Any] | None = None,
        backend: str | None = None,
        batch_size: int = 1024,
    ) -> None:
        if not callable(per_sample_loss):
            raise TypeError(f"per_sample_loss must be callable, but is {per_sample_loss!r}")
        if penalty is not None and not callable(penalty):
            raise TypeError(f"penalty must be callable, but is {penalty!r}")
        self.per_sample_loss, self.penalty = per_sample_loss, penalty
        self.alpha = validation.number(alpha, "alpha", low=0.0)
        if penalty is not None and self.alpha > 0.0:
            raise ValueError("alpha and penalty are both given: put alpha into the penalty")
        self.batch_size = validation.count(batch_size, "batch_size")
        self.backend = _backend_of(params, backend)
        self.theta_, self._layout = flatten(params, to_numpy)
        self.names_ = self._layout.names

    @classmethod
    def from_module(
        cls, module: Any, loss: Callable[[Any, Any], Any], **options: Any
    ) -> DifferentiableModel:
        """The model of a torch module.

        Parameters
        ----------
        module : torch.nn.Module
            Copied, to float64 and evaluation mode. θ is its parameters that require
            gradients, in the order and by the names of ``named_parameters()``.
        loss : callable
            ``loss(module(X), y)`` gives the losses (n,): of torch's losses one with
            ``reduction="none"``. Outputs of shape (n, 1) are handed over as (n,).
        **options
            As of the class: alpha (half of torch's ``weight_decay`` of a mean loss), penalty (of a
            dictionary of parameters), batch_size.
        """
        fixed = copy.deepcopy(module).double().cpu().eval()
        params = {
            name: value.detach() for name, value in fixed.named_parameters() if value.requires_grad
        }
        return cls(_ModuleLoss(fixed, loss), params, backend="torch", **options)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_framework"}

    def __repr__(self) -> str:
        return f"DifferentiableModel(d={len(self.theta_)}, backend={self.backend!r})"

    @property
    def params(self) -> Any:
        """θ̂, float64, nested as given."""
        with self._framework.session():
            return self._layout.unflatten(self._framework.array(self.theta_))

    @cached_property
    def _framework(self) -> Framework:
        return load(self.backend)

    @cached_property
    def _derivatives(self) -> Derivatives:
        return Derivatives(self._framework, self.per_sample_loss, self.penalty, self._layout)

    def _at(self, theta: Array) -> DifferentiableModel:
        """The same model at another θ; what has been compiled for this one serves it as well."""
        other = object.__new__(DifferentiableModel)
        other.__dict__.update(self.__dict__)
        other.theta_ = np.array(theta)
        return other

    def describe(self, n_features: int, columns: tuple[str, ...] | None) -> AutodiffModel:
        """The description of this model for data of m features."""
        factor = self.alpha if self.penalty is None else 1.0
        return AutodiffModel(
            self._derivatives, self.theta_, self.names_, partial(_constant, factor),
            self.batch_size, n_features, _encode, self._at, columns,
        )  # fmt: skip


@dataclass(frozen=True)
class _ModuleLoss:
    """The losses (n,) of a torch module's outputs at other parameters."""

    module: Any
    loss: Callable[[Any, Any], Any]

    def __call__(self, params: Any, X: MatrixLike, y: TargetsLike) -> Any:
        from torch import func

        output = func.functional_call(self.module, params, (X,))
        if output.ndim == 2 and output.shape[1] == 1:
            output = output[:, 0]
        return self.loss(output, y)


def _backend_of(params: Any, backend: str | None) -> str:
    found = framework_of(arrays_of(params))
    if backend is None:
        if found is None:
            raise ValueError("params holds no array of torch or JAX: give backend='torch' or 'jax'")
        return found
    validation.option(backend, "backend", NAMES)
    if found not in (None, backend):
        raise ValueError(f"backend={backend!r}, but params holds arrays of {found}")
    return backend


def _constant(value: float, weight: float) -> float:
    return value


def _encode(y: Array) -> Array:
    """Targets as the loss sees them: float64, or 64-bit integers."""
    if y.dtype.kind not in "buif":
        raise TypeError(f"y must hold numbers, but its type is {y.dtype}: encode labels first")
    return np.asarray(y, dtype=np.float64 if y.dtype.kind == "f" else np.int64)
