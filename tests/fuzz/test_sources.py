"""Rows in random forms give what plain NumPy makes of them in memory; faulty ones are refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from support.fuzz import FAULTS, FORMS, random_case

import fastaif as fa

FEW, MANY = range(6), range(6, 200)
SEEDS = [*FEW, *(pytest.param(seed, marks=pytest.mark.long) for seed in MANY)]


@pytest.fixture(autouse=True)
def many_small_chunks(monkeypatch):
    monkeypatch.setattr("fastaif.data.rows._CHUNK_ENTRIES", 1 << 11)
    monkeypatch.setattr("fastaif.data.parallel._SERIAL_ENTRIES", 1 << 8)


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def close(found, expected, rtol):
    scale = float(np.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * scale)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("form", FORMS)
def test_any_form(form, seed, tmp_path):
    case = random_case(seed)
    X, y, w = FORMS[form](case, tmp_path)
    threads = int(case.rng.integers(1, 4))
    try:
        in_memory = fa.aif(case.model, case.X, case.y, sample_weight=case.w, **case.attack)
    except (ValueError, np.linalg.LinAlgError) as error:
        with pytest.raises(type(error)):
            fa.aif(case.model, X, y, sample_weight=w, n_threads=threads, **case.attack)
        return
    found = fa.aif(case.model, X, y, sample_weight=w, n_threads=threads, **case.attack)
    condition = in_memory.diagnostics["condition_number"]
    close(found.influence, case.expected(), 1e-12 * max(condition, 1e2))
    close(found.influence, in_memory.influence, 1e-12 * max(condition, 1e2))
    close(found.per_sample(), in_memory.per_sample(), 1e-12 * max(condition, 1e2))
    fitted = case.unfitted().fit(X, y, w)
    assert fitted.score(case.X, case.y) == pytest.approx(
        case.model.score(case.X, case.y), rel=1e-7, abs=1e-7
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_any_fault(fault, seed, tmp_path):
    case = random_case(seed)
    X, y, w = FAULTS[fault](case, tmp_path)
    threads = int(case.rng.integers(1, 4))
    with pytest.raises((ValueError, TypeError, FileNotFoundError)) as refused:
        fa.aif(case.model, X, y, sample_weight=w, n_threads=threads, **case.attack)
    assert str(refused.value).strip()
    theirs = fa.LinearRegression(0.1).fit(case.X, case.y, case.w)  # the next call is right
    assert np.isfinite(theirs.coef_).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_blocks_added_up_in_any_order(seed, tmp_path):
    case = random_case(1000 + seed)
    try:
        whole = fa.aif(case.model, case.X, case.y, sample_weight=case.w, **case.attack)
    except (ValueError, np.linalg.LinAlgError):
        return
    parts = np.array_split(case.rng.permutation(len(case.y)), min(5, len(case.y)))
    totals = [
        fa.InfluenceAccumulator(case.model, **case.attack).update(
            case.X[rows], case.y[rows], None if case.w is None else case.w[rows]
        )
        for rows in parts
    ]
    totals[0].save(tmp_path / "sums")
    total = fa.InfluenceAccumulator.load(tmp_path / "sums", case.model)
    for other in totals[1:]:
        total = total + other if case.rng.random() < 0.5 else total.merge(other)
    rtol = 1e-12 * max(whole.diagnostics["condition_number"], 1e2)
    close(total.result().influence, whole.influence, rtol)
