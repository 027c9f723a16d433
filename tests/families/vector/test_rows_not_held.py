"""Robust fits of models with several predictions on rows that are never all there, interrupted."""

from __future__ import annotations

import numpy as np
import pytest
from support import outputs_makers, softmax_makers
from support.makers import assert_close

import fastaif as fa
from fastaif.families.vector import attacked

pytestmark = pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning")
FAMILIES = {"softmax": softmax_makers, "outputs": outputs_makers}
OPTIONS = {"p": np.inf, "max_iter": 15}


class Stream:
    """Blocks, anew each time, until an interrupt."""

    def __init__(self, data, size=30):
        self.data, self.size, self.left = data, size, np.inf

    def __iter__(self):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        for start in range(0, len(self.data.X), self.size):
            yield tuple(part[start : start + self.size] for part in self.data)


def given(family):
    data = FAMILIES[family].make(3)
    return FAMILIES[family].fitted(data), data


@pytest.mark.parametrize("family", FAMILIES)
def test_sources_have_the_fit_of_arrays(family, tmp_path, monkeypatch):
    model, data = given(family)
    wanted = fa.robust_fit(model, data.X, data[1], 0.05, sample_weight=data.w, **OPTIONS)
    on_disk = np.memmap(tmp_path / "x", dtype=float, mode="w+", shape=data.X.shape)
    on_disk[:] = data.X
    with monkeypatch.context() as patch:  # of arrays too large to have attacked copies of
        patch.setattr(attacked, "fits", lambda doubles: False)
        for X in (data.X, on_disk):
            found = fa.robust_fit(model, X, data[1], 0.05, sample_weight=data.w, **OPTIONS)
            assert np.array_equal(found.params, wanted.params)
    found = fa.robust_fit(model, Stream(data), None, 0.05, **OPTIONS)
    assert found.objective == pytest.approx(wanted.objective, rel=1e-9)
    natural = fa.robust_fit(model, Stream(data), None, 0.0)
    assert_close(natural.params, np.append(model.coef_, model.intercept_), 1e-9)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_interrupted_fit_goes_on(family, tmp_path):
    model, data = given(family)
    path, rows = tmp_path / "passes", Stream(data)
    wanted = fa.robust_fit(model, rows, None, 0.05, **OPTIONS)
    rows.left = 60
    with pytest.raises(KeyboardInterrupt):
        fa.robust_fit(model, rows, None, 0.05, checkpoint=path, **OPTIONS)
    rows.left = 1000
    found = fa.robust_fit(model, rows, None, 0.05, checkpoint=path, **OPTIONS)
    again, rows.left = 1000 - rows.left, 1000
    fa.robust_fit(model, rows, None, 0.05, **OPTIONS)
    assert again < 1000 - rows.left - 40  # what is on file is not read again
    assert np.array_equal(found.params, wanted.params)
    assert not path.exists()
    rows.left = 20
    with pytest.raises(KeyboardInterrupt):
        fa.robust_path(model, rows, None, [0.02, 0.05], p=1, checkpoint=path)
    rows.left = np.inf
    with pytest.raises(ValueError, match="of another robust fit"):
        fa.robust_path(model, rows, None, [0.02], p=1, checkpoint=path)


def test_passes_must_bring_the_same_rows():
    model, data = given("softmax")

    class Shuffled(Stream):
        def __iter__(self):
            self.data = type(data)(*(part[::-1] for part in self.data))
            return super().__iter__()

    with pytest.raises(ValueError, match="not the one of the first pass"):
        fa.robust_fit(model, Shuffled(data), None, 0.05)


def test_a_checkpoint_of_a_shared_budget_is_refused():
    model, data = given("softmax")
    with pytest.raises(ValueError, match="not for a softmax model of this order"):
        fa.robust_fit(model, data.X, data.y, 0.05, order=2, checkpoint="nowhere")
