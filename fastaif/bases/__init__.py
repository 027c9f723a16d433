"""Bases v(x) of models that are linear in their parameters."""

from .builtin import Fourier, Linear, Powers, Quadratic
from .custom import Custom

__all__ = ["Custom", "Fourier", "Linear", "Powers", "Quadratic"]
