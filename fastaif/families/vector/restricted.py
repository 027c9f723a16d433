"""Models with several predictions under attacks that are more than a ball, by ascent on the lead.

The lead is convex in x, so that whole steps to where the slope gains most never lower it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..set_ascent import ClimbedProblem
from .model import VectorModel
from .problem import Array, VectorProblem


@dataclass(frozen=True)
class RestrictedVector(ClimbedProblem, VectorProblem):
    """A VectorProblem whose rows have sets of their own, or one that is no ball."""

    model: VectorModel

    def rising(self, theta: Array, X: Array, y: Array) -> tuple[Array, Array]:
        """Leads (k,), and their gradients in u (k, m)."""
        matrix, m = self.model.layout.matrix(theta), self.model.n_features
        W = matrix[:, :m]
        z = self.model.basis.transform(X) @ W.T + matrix[:, m:].sum(axis=1)
        leads, pulls = self.model.loss.leads(z, y)
        return leads, pulls @ W
