"""What a linear regression of several outputs does: a prediction an output."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..bases.builtin import Linear
from ..data.rows import RowSource
from ..families.outputs.fit import Output, fit_outputs
from ..passes.outputs import OutputsSweep
from .base import LinearPredictor


class SeveralOutputs(LinearPredictor):
    """A regression on targets y (n,), or (n, t), with the squared error."""

    _takes_several: ClassVar[bool] = True

    def fit_rows(self, source: RowSource) -> None:
        """Fit to checked rows, which need not exist all at once."""
        if len(source.y.shape) == 1:
            super().fit_rows(source)
            return
        if source.y.shape[1] == 1:
            super().fit_rows(source._replace(encode=Output(source.encode, 0)))
            self.coef_, self.intercept_ = self.coef_[None], np.atleast_1d(self.intercept_)
            return
        alpha, l1 = self.penalties()
        if l1 > 0.0:
            raise ValueError(
                f"{type(self).__name__} with l1_ratio > 0 is for one output, but y has "
                f"{source.y.shape[1]}: use l1_ratio=0, or fit them one by one"
            )
        intercept, n_outputs = bool(self.fit_intercept), source.y.shape[1]
        sweep = OutputsSweep(source, Linear(), n_outputs, intercept)
        with sweep.executor.watching("fit"):
            found, theta = fit_outputs(sweep, alpha)
        self._keep_rows(source, found, theta)
        self._report(found.converged, found.singular, found.local.residual)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
