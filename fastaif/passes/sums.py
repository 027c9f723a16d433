"""Totals over rows that merge by addition."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from .._compute import get
from .._compute import types as c
from .._compute.rooms import empty_matrix
from ..utils.arrays import fill_upper
from ..utils.caching import cached_property
from .fourth_moments import expanded

Array = NDArray[Any]


def _all_finite(part: Array) -> bool:
    """Whether all entries are; their squares tell, unless these overflow.

    The dot product of BLAS says nothing of an overflow, and so need not be hushed.
    """
    return math.isfinite(np.vdot(part, part)) or bool(np.isfinite(part).all())


@dataclass
class InfluenceSums:
    """One pass over rows: totals that merge by addition.

    The derivatives are those of ψ(f, κ) = max ℓ(f ± κ); at κ = 0 they are the natural
    loss's, and the mixed ones are the ingredients of Theorem 4.1's Φ. Vectors have an
    entry per coefficient, then the intercept's.
    """

    fingerprint: tuple[Any, ...]
    raw: c.Sums
    fit_intercept: bool
    exponent: float = 0.0
    by_moments: bool = False

    family: ClassVar[str] = ""  # what tells sums of this type from others in a file
    _families: ClassVar[dict[str, type[InfluenceSums]]] = {}

    def __init_subclass__(cls) -> None:
        if cls.family:
            InfluenceSums._families[cls.family] = cls

    def merge(self, other: InfluenceSums) -> InfluenceSums:
        """Add another part's totals to these; both must be sums of the same thing."""
        if self.fingerprint != other.fingerprint:
            raise ValueError("sums of different models, losses or attacks cannot be merged")
        peak = max(self.peak, other.peak)
        for sums in (self, other):
            if self.exponent > 0.0:  # shares of the budget relative to the same gain
                get("raise_peak")(peak, self.exponent, sums.raw)
            sums.__dict__.pop("_numbers", None)
        for mine, theirs in zip(self.raw, other.raw, strict=True):
            mine += theirs
        self.raw.scalars[c.S_PEAK] = peak
        return self

    @cached_property
    def _numbers(self) -> list[float]:
        """The scalar sums, which are asked for again and again; a merge forgets them."""
        return self.raw.scalars.tolist()

    def _with_intercept(self, vector: int, scalar: int) -> Array:
        head = self.raw.vectors[vector]
        out = np.empty(head.size + self.fit_intercept)
        out[: head.size] = head
        if self.fit_intercept:
            out[-1] = self._numbers[scalar]
        out /= self.weight
        return out

    def scalar(self, place: int) -> float:
        """The weighted mean of one of the scalar sums."""
        numbers = self._numbers
        return numbers[place] / numbers[c.S_WEIGHT]

    @property
    def weight(self) -> float:
        """W = Σ w."""
        return self._numbers[c.S_WEIGHT]

    @property
    def effective_size(self) -> float:
        """(Σ w)² / Σ w²."""
        return self.weight**2 / self._numbers[c.S_W2]

    @property
    def loss(self) -> float:
        """E ψ."""
        return self.scalar(c.S_LOSS)

    @property
    def gradient(self) -> Array:
        """E ψ_f (v, 1), shape (d,)."""
        return self._with_intercept(c.V_F, c.S_F)

    @property
    def mixed_direction(self) -> Array:
        """E ψ_fκ (v, 1), shape (d,); times shares of the budget where it is shared."""
        return self._with_intercept(c.V_FK, c.S_MIXED if self.exponent > 0.0 else c.S_FK)

    @property
    def gain(self) -> float:
        """E ψ_κ: at κ = 0 the mean of |ℓ'|."""
        return self.scalar(c.S_K)

    @property
    def input_slope(self) -> float:
        """E ‖∇_x ℓ‖_q in the attack's units (passes with NEED_MIXED)."""
        return self.scalar(c.S_SLOPE)

    @property
    def mixed(self) -> Array:
        """Φ/s of Theorem 4.1, shape (d,) (passes with NEED_MIXED)."""
        return self._with_intercept(c.V_MIXED, c.S_MIXED)

    @property
    def peak(self) -> float:
        """M, the largest ‖∇_x ℓ‖_q (of linear predictors |ℓ'|), where budgets are shared."""
        return self._numbers[c.S_PEAK]

    @property
    def power(self) -> float:
        """E (g / M)^v, where budgets are shared."""
        return self.scalar(c.S_POWER)

    @property
    def ties(self) -> int:
        """Ties of the directions of attack, over samples of positive weight (NEED_MIXED)."""
        return int(self._numbers[c.S_TIES])

    @property
    def mean_norm(self) -> float:
        """E ‖x‖_p in the attack's units."""
        return self.scalar(c.S_NORM)

    @property
    def yardstick(self) -> float:
        """E |ψ_f| ‖(v, 1)‖₂: what gradients are small or large against."""
        return self.scalar(c.S_YARDSTICK)

    @property
    def zero_gradients(self) -> int:
        """Samples of positive weight with ψ_κ = 0."""
        return int(self._numbers[c.S_ZERO])

    @property
    def misclassified(self) -> int:
        """Samples of positive weight with y f ≤ 0 (logistic loss, passes without a loss)."""
        return int(self._numbers[c.S_WRONG])

    @property
    def lower(self) -> Array:
        """The lower triangle of Σ w ψ_ff v vᵀ, without the intercept's row; not divided by W."""
        return np.tril(self._products)

    @property
    def _products(self) -> Array:
        """Σ w ψ_ff v vᵀ, right up to the diagonal; what stands above it means nothing."""
        raw = self.raw
        if self.by_moments:
            return expanded(raw.hessian[0], raw.vectors.shape[1])
        return raw.hessian

    @property
    def squares(self) -> Array:
        """E ψ_ff v², the Hessian's diagonal without the intercept's, shape (d,)."""
        return np.asarray(self._products.diagonal() / self.weight)

    @property
    def hessian(self) -> Array:
        """E ψ_ff (v, 1)(v, 1)ᵀ, shape (d, d), symmetric; made anew at each call."""
        m = self.raw.vectors.shape[1]
        d = m + self.fit_intercept
        full = empty_matrix(d, d)
        np.divide(self._products, self.weight, out=full[:m, :m])
        if self.fit_intercept:
            full[m, :m] = self.raw.vectors[c.V_FF] / self.weight
            full[m, m] = self._numbers[c.S_FF] / self.weight
        return fill_upper(full)

    @property
    def curvature(self) -> Array:
        """What tells whether columns are far from zero or of extreme scales: H, (d, d)."""
        return self.hessian

    @property
    def n_columns(self) -> int:
        """Coefficients of a prediction, without the intercept."""
        return self.raw.vectors.shape[1]

    def carried(self, a: Array, b: Array) -> Self:
        """Natural sums of v as those of a ∘ v + b."""
        raw, h = self.raw, self.raw.vectors[c.V_FF]
        cross = np.multiply.outer(a * h, b)
        hessian = np.multiply.outer(a, a) * self.lower + cross + cross.T
        hessian += raw.scalars[c.S_FF] * np.multiply.outer(b, b)
        vectors = a * raw.vectors
        for row, total in ((c.V_F, c.S_F), (c.V_FF, c.S_FF)):
            vectors[row] += raw.scalars[total] * b
        moved = c.Sums(hessian, vectors, raw.scalars)
        return dataclasses.replace(self, raw=moved, exponent=0.0, by_moments=False)

    def plain(self) -> InfluenceSums:
        """The same with its Hessian expanded, which merges with that of any other rows."""
        if not self.by_moments:
            return self
        raw = self.raw._replace(hessian=self.lower)
        return dataclasses.replace(self, raw=raw, by_moments=False)

    def arrays(self) -> dict[str, Array]:
        """All that it holds but for the fingerprint, as plain arrays by name."""
        kind = np.array([self.fit_intercept, self.exponent, self.by_moments], dtype=np.float64)
        family = {"family": np.array(self.family)} if self.family else {}
        return {"kind": kind, **family, **self.raw._asdict()}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, Array], fingerprint: tuple[Any, ...]
    ) -> InfluenceSums:
        """Sums of the same numbers and type, in arrays of their own."""
        intercept, exponent, moments = (float(entry) for entry in arrays["kind"])
        raw = c.Sums(*(np.array(arrays[name], dtype=np.float64) for name in c.Sums._fields))
        kind = cls._families[str(arrays["family"])] if "family" in arrays else InfluenceSums
        return kind(fingerprint, raw, bool(intercept), exponent, bool(moments), **kind.more(arrays))

    @classmethod
    def more(cls, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """What sums of this type have beside, of what `arrays` made."""
        return {}

    @property
    def is_finite(self) -> bool:
        """Whether every total is finite: NaN or infinity anywhere in the rows shows here."""
        return all(map(_all_finite, self.raw))
