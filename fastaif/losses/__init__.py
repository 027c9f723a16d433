"""Pointwise losses ℓ(f, y): one class a loss, found by name."""

from .base import Loss
from .cloglog import Cloglog
from .expectile import Expectile
from .gamma import Gamma
from .huber import Huber
from .logistic import Logistic
from .negative_binomial import NegativeBinomial
from .poisson import Poisson
from .probit import Probit
from .registry import get, names
from .squared_error import SquaredError
from .squared_hinge import SquaredHinge
from .tweedie import Tweedie

__all__ = [
    "Cloglog",
    "Expectile",
    "Gamma",
    "Huber",
    "Logistic",
    "Loss",
    "NegativeBinomial",
    "Poisson",
    "Probit",
    "SquaredError",
    "SquaredHinge",
    "Tweedie",
    "get",
    "names",
]
