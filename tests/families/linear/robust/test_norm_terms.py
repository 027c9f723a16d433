"""The constraints that keep a norm below its bound, as an interior-point method sees them."""

from __future__ import annotations

import numpy as np
from support.makers import about

from fastaif.families.linear.robust.norm_terms import NormTerms


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # as within a search
def test_a_bound_whose_square_overflows_is_no_error():
    """Steps of a diverging fit may lead there; the search then turns back."""
    u = np.array([3e199, -4e199])
    terms = NormTerms(2.0, 2)
    terms.start(u, 5e199, 1.0)
    assert terms.tau == about(1e200)
    terms.refresh(u)
    assert np.isfinite(terms.force).all()
