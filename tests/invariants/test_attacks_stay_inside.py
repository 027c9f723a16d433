"""No attack leaves its ball or its bounds, in the number type of the rows that it is made on."""

from __future__ import annotations

import pytest
from support.random_attacks import check, random_attack


def test_random_attacks():
    seeds = [seed for seed in range(230) if random_attack(seed).name != "user"]
    assert sum(map(check, seeds)) >= 75


@pytest.mark.long
def test_ten_thousand_random_attacks():
    pytest.importorskip("jax")
    assert sum(map(check, range(10_000))) >= 4000
