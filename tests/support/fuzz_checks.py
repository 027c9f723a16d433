"""What holds of a random case, whatever the form of its rows: asked by tests and by longer runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import fastaif as fa
from support.fuzz import EPS, FAULTS, FORMS, Case, random_case

# So that a case of some hundred rows is cut into chunks, and these run on threads.
SMALL = {
    "fastaif.data.rows._CHUNK_ENTRIES": 1 << 11,
    "fastaif.data.parallel._SERIAL_ENTRIES": 1 << 8,
}


def close(found: Any, expected: npt.NDArray[Any], rtol: float) -> None:
    """Nearly equal, relative to the largest entry."""
    scale = float(np.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * scale)


def check_form(form: str, seed: int, folder: Path) -> None:
    """A form of the rows gives what plain NumPy makes of them, or is refused as they are."""
    case = random_case(seed)
    X, y, w = FORMS[form](case, folder)
    threads = int(case.rng.integers(1, 4))
    try:
        in_memory = fa.aif(case.model, case.X, case.y, sample_weight=case.w, **case.attack)
    except (ValueError, np.linalg.LinAlgError) as error:
        with pytest.raises(type(error)):
            fa.aif(case.model, X, y, sample_weight=w, n_threads=threads, **case.attack)
        return
    found = fa.aif(case.model, X, y, sample_weight=w, n_threads=threads, **case.attack)
    rtol = 1e-12 * max(in_memory.diagnostics["condition_number"], 1e2)
    close(found.influence, case.expected(), rtol)
    close(found.influence, in_memory.influence, rtol)
    close(found.per_sample(), in_memory.per_sample(), rtol)
    check_training(case, X, y, w)
    fitted = case.unfitted().fit(X, y, w)
    assert fitted.score(case.X, case.y) == pytest.approx(
        case.model.score(case.X, case.y), rel=1e-7, abs=1e-7
    )


def check_training(case: Case, X: Any, y: Any, w: Any) -> None:
    """Losses under attack and robust optima: by plain NumPy, and no point near is better."""
    given = {"sample_weight": w, **case.attack}
    theta = np.append(case.model.coef_, case.model.intercept_)
    found = fa.adversarial_loss(case.model, X, y, EPS, **given)
    penalty = case.alpha * float(theta[:-1] @ theta[:-1])
    assert found + penalty == pytest.approx(case.objective(theta), rel=1e-9)
    robust = fa.robust_fit(case.model, X, y, EPS, **given)
    assert robust.objective == pytest.approx(case.objective(robust.params), rel=1e-9)
    spread = np.abs(robust.params - theta).max() + 1e-3 * np.abs(theta).max()
    for size in (1.0, 1e-2, 1e-4):
        near = robust.params + size * spread * case.rng.normal(size=theta.size)
        there = case.objective(near)  # no number where a row of no weight overflows
        assert np.isnan(there) or robust.objective <= there + 1e-9 * abs(robust.objective)
    assert robust.objective <= case.objective(theta) + 1e-12 * abs(robust.objective)


def check_fault(fault: str, seed: int, folder: Path) -> None:
    """Faulty rows are refused with a word, and the next call is right."""
    case = random_case(seed)
    X, y, w = FAULTS[fault](case, folder)
    threads = int(case.rng.integers(1, 4))
    with pytest.raises((ValueError, TypeError, FileNotFoundError)) as refused:
        fa.aif(case.model, X, y, sample_weight=w, n_threads=threads, **case.attack)
    assert str(refused.value).strip()
    again = case.unfitted().fit(case.X, case.y, case.w)
    np.testing.assert_array_equal(again.coef_, case.model.coef_)


def check_accumulator(seed: int, folder: Path) -> None:
    """Blocks added up in any order, saved, loaded and merged, give what all rows do."""
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
    totals[0].save(folder / "sums")
    total = fa.InfluenceAccumulator.load(folder / "sums", case.model)
    for other in totals[1:]:
        total = total + other if case.rng.random() < 0.5 else total.merge(other)
    rtol = 1e-12 * max(whole.diagnostics["condition_number"], 1e2)
    close(total.result().influence, whole.influence, rtol)
