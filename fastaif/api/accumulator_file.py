"""Files of accumulators: an npz archive of plain arrays, a header in JSON, and a digest of both.

The digest tells files that were damaged or edited; it is no signature.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..families.finite_sum.totals import Totals
from ..families.summed import SummedProblem
from ..threat.threat import Threat
from ..utils.files import write_whole

Array = NDArray[Any]

_FORMAT = "fastaif accumulator 1"
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OverflowError, EOFError,
    OSError, ValueError, LookupError, TypeError, AttributeError,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Saved:
    """What a file holds: the attack, what tells the model, and the totals."""

    threat: Threat
    damping: float | str
    columns: tuple[str, ...] | None
    model: dict[str, Any]
    theta: Array
    totals: Totals | None

    def refuse_other(self, problem: SummedProblem) -> None:
        """Refuse totals of another model.

        Raises
        ------
        ValueError
            The model's description, or its parameters, are others.
        """
        mine = _described(problem)
        unlike = [name for name, value in self.model.items() if mine.get(name) != value]
        if not unlike and not np.array_equal(self.theta, problem.params):
            unlike = ["the parameters θ̂"]
        if unlike:
            raise ValueError(
                f"the file holds the sums of another model, which differs in {', '.join(unlike)}: "
                "give the fitted estimator that they were made with"
            )


def save_accumulator(
    path: Any, problem: SummedProblem, threat: Threat, totals: Totals | None
) -> None:
    """Write an accumulator's file."""
    columns = problem.model.columns
    header = {
        "format": _FORMAT,
        "threat": _arguments(threat),
        "damping": problem.damping,
        "columns": None if columns is None else list(columns),
        "model": _described(problem),
    }
    arrays = {} if totals is None else totals.arrays()
    arrays |= {"header": np.array(json.dumps(header)), "theta": np.array(problem.params)}
    arrays["digest"] = np.array(_digest(arrays))
    write_whole(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


def load_accumulator(path: Any) -> Saved:
    """Read an accumulator's file; that runs no code, whatever is in it.

    Raises
    ------
    ValueError
        It is no such file.
    OSError
        It cannot be read.
    """
    contents = Path(path).read_bytes()
    try:
        with np.load(io.BytesIO(contents), allow_pickle=False) as archive:
            arrays = dict(archive)
        if str(arrays.pop("digest")) != _digest(arrays):
            raise ValueError("not what was written")
        header = json.loads(str(arrays["header"]))
        if header["format"] != _FORMAT:
            raise ValueError("another format")
        threat = {name: _option(value) for name, value in header["threat"].items()}
        columns = header["columns"]
        totals = Totals.from_arrays(arrays) if "numbers" in arrays else None
        return Saved(
            Threat(**threat), header["damping"], None if columns is None else tuple(columns),
            dict(header["model"]), arrays["theta"], totals,
        )  # fmt: skip
    except _UNREADABLE as error:
        raise ValueError(f"{path} is no file of an InfluenceAccumulator") from error


def _digest(arrays: dict[str, Array]) -> str:
    """SHA-256 of arrays and their names, in hexadecimal."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name}|{array.dtype.str}|{np.shape(arrays[name])}|".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def _described(problem: SummedProblem) -> dict[str, Any]:
    """What tells a model from another, beside its parameters."""
    model = problem.model
    return {
        "the kind of model": model.kind,
        "the loss": repr(model.loss),
        "the intercept": bool(model.fit_intercept),
        "the penalty": [float(part) for part in model.penalty_key if np.ndim(part) == 0],
    }


def _arguments(threat: Threat) -> dict[str, Any]:
    """The arguments that made it."""
    found = {f.name: _plain(getattr(threat, f.name)) for f in dataclasses.fields(threat)}
    if threat.radius is None:
        found["radius"] = "mean_norm"
    return found


def _plain(value: Any) -> Any:
    """An argument as JSON has it."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else str(float(value))
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return np.asarray(value).tolist()


def _option(value: Any) -> Any:
    """An argument as it was."""
    if isinstance(value, list):
        return [_option(part) for part in value]
    return float(value) if value in ("inf", "-inf") else value
