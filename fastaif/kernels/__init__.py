"""Kernels: RBF, Matérn, polynomial, linear and the tangent kernel of wide ReLU networks."""

from .functions import *  # noqa: F403
from .functions import __all__ as __all__
