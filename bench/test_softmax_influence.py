"""The peers of the softmax table against fastaif."""

from __future__ import annotations

import numpy as np
import pytest

from bench import ours, softmax
from bench.peers import jax_expert, jax_softmax, numpy_softmax


def test_all_agree() -> None:
    q = softmax.generated(700, 5)
    W, b = q.parameters
    wanted = ours.influence(q.model, q.X, q.y)
    given = q.X, q.y, W, b, softmax.ALPHA
    for found in (numpy_softmax.influence_whole(*given),
                  numpy_softmax.influence_blocked(*given, block=64)):  # fmt: skip
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-10 * np.abs(wanted).max())
    if jax_expert.missing():
        pytest.skip("JAX is not installed")
    found = jax_softmax.runner(q.X, q.y)(W, b, softmax.ALPHA)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-10 * np.abs(wanted).max())
