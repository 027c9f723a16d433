"""Fitted results of statsmodels, read without importing it.

X is `exog`, whose constant column is the intercept: it is not attacked, and comes last in θ under
its own name. The weights are those of the fit (WLS's, a GLM's frequency and variance weights)
unless others are given.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..data.intake import KeptColumns
from ..losses import (
    Cloglog,
    Gamma,
    Logistic,
    Loss,
    NegativeBinomial,
    Poisson,
    Probit,
    SquaredError,
    Tweedie,
)
from ..losses.softmax import Softmax
from ..losses.targets import as_float, named_classes, sign_encoder
from .parts import Parts, unpenalized
from .pipelines import Preprocessing

Array = NDArray[Any]

_TAKEN = (
    "of statsmodels OLS, WLS, Logit, MNLogit, Probit, Poisson and GLM are taken, the last of "
    "Gaussian, of Binomial (logit, probit, cloglog), and with the logarithm of Poisson, Gamma, "
    "Tweedie (var_power between 1 and 2) and NegativeBinomial"
)
_REASONS = {
    "GLS": "its errors are correlated, so that its loss is no mean over samples",
    "GLSAR": "its errors are correlated, so that its loss is no mean over samples",
    "QuantReg": "the quantile loss has no second derivative: fit a fastaif.HuberRegression",
    "RLM": "its weights are fitted too: fit a fastaif.HuberRegression",
    "MixedLM": "its random effects tie samples together, so that its loss is no mean over them",
}


def is_result(estimator: Any) -> bool:
    """Whether it is a fitted result of statsmodels."""
    return _is_theirs(estimator) and hasattr(estimator, "params") and hasattr(estimator, "model")


def refuse_unfitted(estimator: Any) -> None:
    """Refuse a model of statsmodels that is no result yet."""
    if _is_theirs(estimator) and not is_result(estimator):
        raise TypeError(
            f"{type(estimator).__name__} is a model without parameters: give what its fit() returns"
        )


def _is_theirs(thing: Any) -> bool:
    return type(thing).__module__.split(".")[0] == "statsmodels"


def preprocessing_of(result: Any) -> Preprocessing:
    """exog without its constant, which belongs to the intercept."""
    model = result.model
    k = int(np.shape(model.exog)[1])
    names = tuple(str(name) for name in model.exog_names)
    place = getattr(model.data, "const_idx", None)
    constants = () if place is None else ((int(place), float(model.exog[0, place])),)
    origin = np.delete(np.arange(k), [at for at, _ in constants])
    if not origin.size:
        raise ValueError("exog of the result is a constant alone: there is nothing to attack")
    columns = tuple(names[j] for j in origin)
    has_names = hasattr(getattr(model.data, "orig_exog", None), "columns")
    intake = KeptColumns(names, has_names, columns, origin)
    name = names[place] if place is not None else "intercept"
    return Preprocessing(
        m=len(origin), constants=constants, intake=intake, constant_name=name
    )  # fmt: skip


def read_result(result: Any) -> Parts:
    """What a fitted result says of its model."""
    model, kind = result.model, type(result.model).__name__
    reader = _READERS.get(kind)
    if reader is None:
        why = _REASONS.get(kind)
        raise TypeError(f"{kind} is not supported: {why}" if why else f"{kind}: {_TAKEN}")
    shrunk = type(result).__name__
    if "Regularized" in shrunk or shrunk.startswith("L1"):
        raise TypeError(
            f"a {kind} by fit_regularized is not supported: fit() it, or fit scikit-learn's Ridge"
        )
    if getattr(result, "constraints", None) is not None:
        raise TypeError(f"a {kind} by fit_constrained is not supported: leave the columns out")
    for name in ("offset", "exposure"):
        if getattr(model, name, None) is not None and np.any(getattr(model, name)):
            raise ValueError(
                f"a {kind} with an {name} is not supported: its predictions depend on more than X; "
                "of Poisson counts fit the rate, counts / exposure (an offset's exponential), with "
                "var_weights=exposure: it has the same optimum"
            )
    return reader(model)


def _least_squares(model: Any) -> Parts:
    weigh = OwnWeights(np.asarray(model.weights)) if np.ndim(model.weights) else None
    return Parts("linear", SquaredError(), unpenalized, as_float, weigh, RESULT)


def _of_labels(model: Any, kind: str, loss: Loss) -> Parts:
    return Parts(kind, loss, unpenalized, _zero_and_one(model), None, RESULT)


def _of_numbers(kind: str, loss: Loss) -> Parts:
    return Parts(kind, loss, unpenalized, loss.encode, None, RESULT)


def _logit(model: Any) -> Parts:
    return _of_labels(model, "logistic", Logistic())


def _probit(model: Any) -> Parts:
    return _of_labels(model, "probit", Probit())


def _mnlogit(model: Any) -> Parts:
    """A softmax whose first class has no parameters."""
    names = tuple(str(model._ynames_map[k]) for k in range(int(model.J)))
    return Parts(
        "softmax", Softmax(), unpenalized, named_classes(names), rows=OtherClasses(names[1:]),
        has_reference=True,
    )  # fmt: skip


def _poisson(model: Any) -> Parts:
    return _of_numbers("poisson", Poisson())


def _zero_and_one(model: Any) -> sign_encoder:
    if not np.isin(model.endog, (0.0, 1.0)).all():
        raise ValueError(
            f"a {type(model).__name__} of shares, not of labels 0 and 1, is not supported: give a "
            "row for each trial"
        )
    return sign_encoder(np.array([0.0, 1.0]))


def _glm(model: Any) -> Parts:
    family = type(model.family).__name__
    name = type(model.family.link).__name__
    link = {"log": "Log", "logit": "Logit", "identity": "Identity", "probit": "Probit",
            "cloglog": "CLogLog"}.get(name, name)  # fmt: skip
    of = _FAMILIES.get((family, link))
    if of is None:
        raise ValueError(
            f"a GLM of family {family} with the link {link} is not supported: {_TAKEN}"
        )
    weights = np.asarray(model.freq_weights) * np.asarray(model.var_weights)
    return of(model)._replace(weigh=OwnWeights(weights) if np.ptp(weights) > 0.0 else None)


def _least_squares_glm(model: Any) -> Parts:
    return Parts("linear", SquaredError(), unpenalized, as_float, None, RESULT)


def _tweedie(model: Any) -> Parts:
    power = float(model.family.var_power)
    if not 1.0 < power < 2.0:
        raise ValueError(
            f"a GLM of family Tweedie with var_power={power:g} is not supported: {_TAKEN}"
        )
    return _of_numbers("tweedie", Tweedie(power))


def _negative_binomial(model: Any) -> Parts:
    loss = NegativeBinomial(float(model.family.alpha))
    return _of_numbers("negative_binomial", loss)


_FAMILIES: dict[tuple[str, str], Callable[[Any], Parts]] = {
    ("Gaussian", "Identity"): _least_squares_glm, ("Binomial", "Logit"): _logit,
    ("Binomial", "Probit"): _probit,
    ("Binomial", "CLogLog"): lambda model: _of_labels(model, "cloglog", Cloglog()),
    ("Poisson", "Log"): _poisson, ("Gamma", "Log"): lambda model: _of_numbers("gamma", Gamma()),
    ("Tweedie", "Log"): _tweedie, ("NegativeBinomial", "Log"): _negative_binomial,
}  # fmt: skip
_READERS: dict[str, Callable[[Any], Parts]] = {
    "OLS": _least_squares, "WLS": _least_squares, "GLM": _glm, "Logit": _logit,
    "MNLogit": _mnlogit, "Probit": _probit, "Poisson": _poisson,
}  # fmt: skip


@dataclass(frozen=True)
class OwnWeights:
    """The weights of the fit, where none are given."""

    weights: Array

    def __call__(self, y: Array, given: Array | None) -> Array:
        """The weights given (n,), or the fit's."""
        if given is not None:
            return given
        if len(y) != len(self.weights):
            raise ValueError(
                f"the result was fitted with {len(self.weights)} weights, but y has {len(y)} rows: "
                "give their sample_weight"
            )
        return self.weights


class _Result:
    """Where θ sits in a result: `params`, the intercept among them."""

    def has_intercept(self, result: Any) -> bool:
        """False: it is the coefficient of a constant."""
        return False

    def get(self, result: Any) -> tuple[Array, float]:
        """The coefficients of all columns of exog."""
        return np.array(result.params, dtype=float), 0.0

    def put(self, result: Any, coef: Array, intercept: float) -> Any:
        """The result at other coefficients, without what was estimated of their errors."""
        return _with_params(result, np.array(coef))


RESULT = _Result()


@dataclass(frozen=True)
class OtherClasses:
    """θ of an MNLogit: a column of `params` for each class but the first.

    Attributes
    ----------
    names : tuple of str
        Of these classes.
    """

    names: tuple[str, ...]

    has_constants: ClassVar[bool] = True

    def labels(self, result: Any) -> tuple[str, ...]:
        """The names of the classes but for the first."""
        return self.names

    def get_rows(self, result: Any) -> tuple[Array, Array | None]:
        """The coefficients of all columns of exog, a row a class."""
        return np.array(result.params, dtype=float).T, None

    def put_rows(self, result: Any, coef: Array, intercept: Array | None) -> Any:
        """The result at other coefficients, without what was estimated of their errors."""
        return _with_params(result, np.array(coef.T))


def _with_params(result: Any, params: Array) -> Any:
    inner = copy.copy(getattr(result, "_results", result))
    inner.params = params
    inner._cache = {}
    inner.normalized_cov_params = None
    vars(inner).pop("cov_params_default", None)
    return type(result)(inner) if hasattr(result, "_results") else inner
