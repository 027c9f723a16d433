"""Kernels: RBF, Matérn, polynomial, linear and the tangent kernel of wide ReLU networks."""

from .functions import NTK, RBF, Linear, Matern, Polynomial

__all__ = ["NTK", "RBF", "Linear", "Matern", "Polynomial"]
