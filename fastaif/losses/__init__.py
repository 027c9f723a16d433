"""Pointwise losses ℓ(f, y): one class a loss, found by name."""

from .base import Loss
from .huber import Huber
from .logistic import Logistic
from .poisson import Poisson
from .registry import get, names
from .squared_error import SquaredError

__all__ = ["Huber", "Logistic", "Loss", "Poisson", "SquaredError", "get", "names"]
