"""A wrong sign or factor in the parts of a basis model's influence turns its comparison red."""

from __future__ import annotations

import numpy as np
import pytest
from support.basis_checks import inspected
from support.basis_makers import assert_agrees, make
from support.mutation import mutate, times

from fastaif.bases.expansion import Expansion
from fastaif.families.basis.problem import BasisProblem
from fastaif.passes.basis import BasisSweep
from fastaif.passes.sums import InfluenceSums

# Some mutations are so gross that the library itself warns.
pytestmark = pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning")


def turned(directions):
    """The directions of attack the other way round."""
    out, gains, ties = directions
    return -out, gains, ties


def without_gains(directions):
    out, gains, ties = directions
    return out, np.ones_like(gains), ties


MUTATIONS = {
    "Phi: sign": (InfluenceSums, "mixed", times(-1.0), "quadratic"),
    "Phi: one per mille": (BasisProblem, "mixed", times(1.001), "powers 2"),
    "E of input gradients: factor 2": (InfluenceSums, "input_slope", times(2.0), "fourier"),
    "shares: factor 2": (BasisProblem, "per_sample", times(2.0), "quadratic"),
    "phi: sign": (BasisSweep, "directions", turned, "custom"),
    "dual norms: all one": (BasisSweep, "directions", without_gains, "custom"),
    "J phi: sign": (Expansion, "moves_at", times(-1.0), "custom"),
    "J phi: factor 2": (Expansion, "moves_at", times(2.0), "custom"),
    "J' theta: factor 2": (Expansion, "gradients_at", times(2.0), "custom"),
}


def compare(name):
    result, wanted = inspected(name, "huber", make("huber", weighted=True), p=1.5)
    assert_agrees(result, wanted)


@pytest.mark.parametrize("name", ["quadratic", "powers 2", "fourier", "custom"])
def test_comparison_is_green_without_a_mutation(name):
    compare(name)


@pytest.mark.parametrize("name", MUTATIONS)
def test_mutation_turns_the_comparison_red(name, monkeypatch):
    owner, attribute, change, basis = MUTATIONS[name]
    mutate(monkeypatch, owner, attribute, change)
    with pytest.raises(AssertionError):
        compare(basis)
