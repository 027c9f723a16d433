"""Other people's estimators: what users of this library say of types that it does not know."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import losses
from ..losses.targets import sign_encoder
from .parts import Parts, fixed

Array = NDArray[Any]
Describe = Callable[[Any], Any]

_DESCRIBED: dict[type, Describe] = {}


@dataclass(frozen=True)
class LinearDescription:
    """A fitted linear predictor f = βᵀx + b that minimises E ℓ(f, y) + α ‖β‖².

    Parameters
    ----------
    coef : array (m,)
        β.
    intercept : float or None
        b, neither penalised nor attacked; None: there is none.
    loss : str or Loss, default "squared_error"
        One of `fastaif.losses.names()`, or one of its losses. A factor in front of the loss of
        the fit divides α here.
    alpha : float or callable, default 0.0
        α, or a function of the total sample weight W: for an objective that is a sum,
        ``lambda W: penalty / W``.
    classes : sequence of two labels, optional
        Of a classifier; f > 0 means the second.
    put : callable, optional
        (estimator, coef, intercept) to a fitted copy at other parameters, of the robust fits. By
        default a copy whose `coef_` and `intercept_` are set.
    """

    coef: Any
    intercept: float | None = None
    loss: Any = "squared_error"
    alpha: float | Callable[[float], float] = 0.0
    classes: Sequence[Any] | None = None
    put: Callable[[Any, Array, float | None], Any] | None = None

    def parts(self) -> Parts:
        """What adapters take."""
        loss = losses.get(self.loss)
        alpha = self.alpha if callable(self.alpha) else fixed(self.alpha)
        if loss.has_labels != (self.classes is not None):
            raise ValueError(
                f"the loss {loss.name!r} is of {'two classes' if loss.has_labels else 'numbers'}: "
                f"{'say which, classes=[…, …]' if loss.has_labels else 'leave classes out'}"
            )
        encode = loss.encode if self.classes is None else sign_encoder(np.asarray(self.classes))
        return Parts("linear", loss, alpha, encode, holder=_Told(self))


@dataclass(frozen=True)
class _Told:
    """Where θ sits: as the description says."""

    told: LinearDescription

    def has_intercept(self, step: Any) -> bool:
        return self.told.intercept is not None

    def get(self, step: Any) -> tuple[Array, float]:
        return np.array(self.told.coef, dtype=float).ravel(), float(self.told.intercept or 0.0)

    def put(self, step: Any, coef: Array, intercept: float) -> Any:
        given = intercept if self.told.intercept is not None else None
        if self.told.put is not None:
            return self.told.put(step, coef, given)
        if not hasattr(step, "coef_"):
            raise TypeError(
                f"a {type(step).__name__} has no coef_ to set: give its LinearDescription a put"
            )
        fitted = copy.copy(step)
        fitted.coef_ = np.reshape(coef, np.shape(step.coef_))
        if given is not None and hasattr(step, "intercept_"):
            fitted.intercept_ = np.reshape(given, np.shape(step.intercept_))[()]
        return fitted


def register(kind: type, describe: Describe) -> None:
    """Let fastaif take fitted estimators of a type that it does not know.

    Parameters
    ----------
    kind : type
        Estimators of it, and of types derived from it, wherever an estimator is taken: alone, or
        at the end of a Pipeline.
    describe : callable
        From a fitted estimator to a `LinearDescription`, or to a fitted estimator that fastaif
        takes and that minimises the same (one of fastaif's own, a Pipeline, …), which then stands
        for it. Registered anew, a type has the later one.

    Raises
    ------
    TypeError
        `kind` is no type, or `describe` cannot be called.

    Examples
    --------
    >>> import numpy as np
    >>> import fastaif as fa
    >>> from fastaif.adapters import LinearDescription, register
    >>> class MeanSlope:
    ...     def fit(self, X, y):
    ...         self.weights = np.linalg.lstsq(X, y, rcond=None)[0]
    ...         return self
    >>> register(MeanSlope, lambda model: LinearDescription(model.weights))
    >>> X = np.array([[1.0], [2.0], [4.0]])
    >>> fa.aif(MeanSlope().fit(X, [1.0, 2.5, 3.0]), X, [1.0, 2.5, 3.0]).influence.shape
    (1,)
    """
    if not isinstance(kind, type):
        raise TypeError(f"kind must be a type, but is {kind!r}")
    if not callable(describe):
        raise TypeError(f"describe must be callable, but is {describe!r}")
    _DESCRIBED[kind] = describe


def described(step: Any) -> Any:
    """What a registered function makes of a step; None where there is none for it."""
    if not _DESCRIBED:
        return None
    for kind in type(step).__mro__:
        if kind in _DESCRIBED:
            return _DESCRIBED[kind](step)
    return None
