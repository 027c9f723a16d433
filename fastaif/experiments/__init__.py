"""The paper's experiments: each function returns a frozen result with a table and a figure."""

from __future__ import annotations

from ._corollary_5_1 import Corollary51Result, corollary_5_1
from ._coverage import CoverageResult, coverage
from ._figure1 import Figure1Result, figure1
from ._figure2a import Figure2aResult, figure2a
from ._figure2b import Figure2bResult, figure2b
from ._ntk_depth import NtkDepthResult, ntk_depth
from ._theorem_5_1 import Theorem51Result, theorem_5_1
from ._theorem_5_2 import Theorem52Result, theorem_5_2
from ._theorem_5_3 import Theorem53Result, theorem_5_3
from ._theorem_5_4 import Theorem54Result, theorem_5_4
from ._wasserstein import WassersteinResult, wasserstein

__all__ = [
    "Corollary51Result",
    "CoverageResult",
    "Figure1Result",
    "Figure2aResult",
    "Figure2bResult",
    "NtkDepthResult",
    "Theorem51Result",
    "Theorem52Result",
    "Theorem53Result",
    "Theorem54Result",
    "WassersteinResult",
    "corollary_5_1",
    "coverage",
    "figure1",
    "figure2a",
    "figure2b",
    "ntk_depth",
    "theorem_5_1",
    "theorem_5_2",
    "theorem_5_3",
    "theorem_5_4",
    "wasserstein",
]
