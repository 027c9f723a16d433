"""Text and table forms of a robust path."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..utils.short_names import short_name
from .protocols import Traced
from .text import norm_name

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

_WIDTH = 72
_MOST = 8
_OFF = 2.0  # by this factor eq. 4 may be off before it is marked


def frame(path: Traced) -> pd.DataFrame:
    """A row a node."""
    import pandas as pd

    columns: dict[str, Any] = {"eps": path.eps}
    columns["clean_loss"] = path.clean_loss(path.eps)
    columns["cost"] = path.cost(path.eps)
    columns["adversarial_loss"] = path.adversarial_loss(path.eps)
    columns["gain"] = path.gain(path.eps)
    table = pd.DataFrame(columns)
    params = pd.DataFrame(path.params, columns=list(path.names))
    return pd.concat([table, params], axis=1)


def summary(path: Traced, eps: Sequence[float]) -> str:
    """The report that `print(path)` shows."""
    problem = path.problem
    state = "converged" if path.converged else "not converged"
    kind = "local optima" if path.is_local else state
    end = f"nothing is left to attack from eps = {path.zero_radius:.4g} on"
    lines = [
        "Robust path".center(_WIDTH), "=" * _WIDTH,
        f"{problem.model.kind} model, {problem.n_rows} samples, attack norm "
        f"p = {norm_name(problem.ball.describe()['p'])}, s = {problem.radius:.6g}",
        f"eps from 0 to {path.eps[-1]:.4g}, {len(path.eps)} nodes, {path.n_passes} readings of "
        f"the rows, {kind}",
        *([end] if np.isfinite(path.zero_radius) else []), "-" * _WIDTH,
        *_losses(path, eps), "-" * _WIDTH, *_moves(path, eps),
    ]  # fmt: skip
    return "\n".join(lines)


def is_off(predicted: float, exact: float) -> bool:
    """Whether a predicted cost is off by more than a factor of two."""
    return not exact / _OFF <= predicted <= exact * _OFF


def _losses(path: Traced, eps: Sequence[float]) -> list[str]:
    before = path.clean_loss(0.0)
    lines = [
        f"{'eps':>10} {'clean loss':>12} {'cost':>12} {'eq. 4':>13} {'under attack':>14}",
        f"{'':>10} {'':>12} {'':>12} {'':>13} {'before':>14} {'after':>12}",
        f"{0.0:>10.4g} {before:>12.6g}",
    ]
    marked = False
    for e in eps:
        cost, tangent = path.cost(e), e**2 * path.tangent_cost
        off = is_off(tangent, cost)
        marked |= off
        attacked = path.adversarial_loss(0.0, e), path.adversarial_loss(e)
        lines.append(
            f"{e:>10.4g} {path.clean_loss(e):>12.6g} {cost:>12.6g} {tangent:>12.6g}"
            f"{'*' if off else ' '} {attacked[0]:>14.6g} {attacked[1]:>12.6g}"
        )
    if marked:
        lines.append("* eq. 4, the tangent at eps = 0, is off by more than a factor of two there")
    return lines


def _moves(path: Traced, eps: Sequence[float]) -> list[str]:
    m = path.problem.model.n_coefs
    natural, there = path.params[0], path.params_at(list(eps))
    order = np.argsort(-np.abs(there[-1] - natural)[:m], kind="stable")[:_MOST]
    heads = " ".join(f"{f'eps = {e:.3g}':>14}" for e in eps)
    lines = [f"{'':>20} {'natural':>14} {heads}"]
    for k in order:
        values = " ".join(f"{row[k]:>14.6g}" for row in there)
        lines.append(f"{short_name(path.names[k], 20):>20} {natural[k]:>14.6g} {values}")
    if m > len(order):
        lines.append(f"{'':>20} ({m - len(order)} more coefficients change less)")
    return lines


def path_json(path: Traced) -> str:
    """For a pipeline: unrounded numbers, null where one is infinite."""
    end = path.zero_radius
    document = {
        "model": path.problem.model.kind, "n_samples": path.problem.n_rows,
        "radius": path.problem.radius, "zero_radius": end if np.isfinite(end) else None,
        "names": list(path.names), "converged": path.converged, "is_local": path.is_local,
        "n_passes": path.n_passes, "nodes": path.to_frame().to_dict("list"),
    }  # fmt: skip
    return json.dumps(document, indent=2, allow_nan=False)
