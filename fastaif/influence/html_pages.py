"""Reports as pages: what was asked, what came out, the pictures, the tables, how to read them."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..plotting import path as pictures
from ..plotting.style import bare_figure
from ..reports import text, words
from ..reports.answer import Answer, answers
from ..reports.page import Drawing, Paragraph, Percent, Section, Table, page
from ..reports.protocols import Reported, Traced, Verified
from ..reports.text import predicted_cost

Array = NDArray[Any]

_MOST = 12  # rows of a table
_SHARES = 10_000_000  # numbers of all samples' influences that are formed for a report
_READING = (
    "ε is the length of an attack divided by s, the mean length of the samples; p says how that "
    "length is measured. The clean loss is that of the data as they are, the loss under attack "
    "that of the worst inputs within reach. What robust training adds to the first is the cost, "
    "what it takes from the second the gain. Both are of the data of the fit, without the "
    "penalty. Influence is the speed at which a parameter moves as ε grows from zero."
)


def analysis_page(
    title: str, result: Reported, verified: Sequence[Verified], path: Traced | None
) -> str:
    """The page that `fastaif analyze --report` writes.

    Parameters
    ----------
    title : str
        Where the data are from.
    result : InfluenceResult
    verified : sequence of Verification
        At least one.
    path : RobustPath or None
        For the pictures; None where it cannot be had.

    Returns
    -------
    str
        HTML, complete in itself.
    """
    found = answers(result, verified)
    how = text.method_name(verified[0].method)
    kind = result.problem.model.kind
    opening = [
        Paragraph(words.question(result)),
        Paragraph(words.in_three_sentences(found, how, result.problem.alpha), "lead"),
    ]
    sections = [
        Section("The price and the gain", [*_frontier(path), *_answers(found)]),
        Section("What moves", [*_coefficients(path), Paragraph(words.moves(result)),
                               _moved(result, verified)]),
        Section("The samples that matter", _samples(result)),
        Section("How far to trust it", [*_trust(result, verified, found, path)]),
        Section("How to read this", [Paragraph(_READING)]),
    ]  # fmt: skip
    return page(f"Adversarial influence: {kind} model of {title}", opening, sections)


def path_page(path: Traced) -> str:
    """The page of a path by itself: `RobustPath.to_html`."""
    kind = path.problem.model.kind
    end = "" if math.isinf(path.zero_radius) else (
        f" From ε = {path.zero_radius:.4g} on nothing is left of the model to attack."
    )  # fmt: skip
    told = (
        f"Robust optima of a {kind} model of {path.problem.n_rows:,} samples for every ε from 0 to "
        f"{path.eps[-1]:.4g}, {'local ones' if path.is_local else 'exact'}: p = "
        f"{text.norm_name(path.problem.ball.describe()['p'])}, s = {path.problem.radius:.5g}.{end}"
    )
    table = path.to_frame()
    columns = ["eps", "clean_loss", "cost", "adversarial_loss", "gain"]
    rows = table[columns].to_numpy().tolist()
    sections = [
        Section("The price and the gain", _frontier(path)),
        Section("What moves", _coefficients(path)),
        Section("The nodes", [Table("Losses at the path's nodes", columns, rows)]),
        Section("How to read this", [Paragraph(_READING)]),
    ]
    return page(f"Robust path: {kind} model", [Paragraph(told, "lead")], sections)


def _frontier(path: Traced | None) -> list[Drawing]:
    if path is None:
        return []
    return [
        Drawing(
            "Frontier", "Clean loss against loss under attack, with ε along the curve.",
            _drawn(pictures.plot_frontier, path),
        ),
        Drawing(
            "Losses", "Clean loss and loss under attack as ε grows; dashed: eq. 4, the tangent.",
            _drawn(pictures.plot_loss, path),
        ),
    ]  # fmt: skip


def _coefficients(path: Traced | None) -> list[Drawing]:
    if path is None or path.problem.model.is_dual:
        return []
    caption = "Coefficients along the robust path; dotted: their tangents at ε = 0."
    return [Drawing("Coefficients", caption, _drawn(pictures.plot_coefficients, path, 9.0))]


def _drawn(draw: Callable[..., Any], path: Traced, width: float = 6.6) -> str:
    """A picture as SVG, with its text as text."""
    import matplotlib

    figure = bare_figure()
    figure.set_size_inches(width, 4.4)
    figure.set_layout_engine("constrained")
    draw(path, figure.subplots())
    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def _answers(found: Sequence[Answer]) -> list[Table]:
    """Losses, and of classifiers accuracies, before and after."""
    columns = ["ε", "clean, before", "after", "under attack, before", "after", "cost", "gain"]
    rows = [
        [a.eps, a.clean.before, a.clean.after, a.attacked.before, a.attacked.after, a.cost,
         -a.attacked.change]
        for a in found
    ]  # fmt: skip
    tables = [Table("Mean loss without and under attack, before and after robust training",
                    columns, rows)]  # fmt: skip
    right = [
        [a.eps, *(Percent(value) for pair in (a.accuracy, a.attacked_accuracy)
                  for value in (pair.before, pair.after))]
        for a in found if a.accuracy is not None and a.attacked_accuracy is not None
    ]  # fmt: skip
    if right:
        tables.append(Table("Share of samples classified rightly", columns[:5], right))
    return tables


def _moved(result: Reported, verified: Sequence[Verified]) -> Table:
    """The parameters that move most, by the tangent and exactly."""
    middle = sorted(verified, key=lambda v: v.eps)[(len(verified) - 1) // 2]
    exact = middle.robust.params
    m = result.problem.model.n_coefs
    chosen = np.argsort(-np.abs(exact - result.params)[:m], kind="stable")[:_MOST]
    rows = [
        [result.names[k], result.params[k], result.influence[k],
         result.params[k] + middle.eps * result.influence[k], exact[k]]
        for k in chosen
    ]  # fmt: skip
    return Table(
        f"The parameters that move most, with their values at ε = {middle.eps:g} by the tangent "
        "and as found",
        ["parameter", "now", "influence", "tangent", "robust"], rows,
    )  # fmt: skip


def _samples(result: Reported) -> list[Table | Paragraph]:
    """The samples whose attacks make most of S."""
    n, d = result.problem.n_rows, len(result.params)
    is_small = result.hessian is not None and n * d <= _SHARES and d <= n
    if not is_small or not result.problem.keeps_rows:
        return [Paragraph("Not looked at: too many numbers, or rows that are not kept.", "note")]
    shares = result.sensitivity_shares()
    if not shares.any():
        return []
    chosen = np.argsort(-np.abs(shares), kind="stable")[:_MOST]
    rows = [[int(k), Percent(float(shares[k]))] for k in chosen]
    return [
        Table("Rows (from 0) with the largest shares of S; all shares sum to 100 %",
              ["row", "share of S"], rows)
    ]  # fmt: skip


def _trust(
    result: Reported, verified: Sequence[Verified], found: Sequence[Answer],
    path: Traced | None,
) -> list[Table | Paragraph]:  # fmt: skip
    """Predictions beside what was found, and what the solvers say of themselves."""
    rows = [
        [
            v.eps,
            a.tangent,
            predicted_cost(result, v.eps),
            a.cost,
            Percent(float(result.flip_fraction(v.eps))),
        ]
        for v, a in zip(verified, found, strict=True)
    ]
    columns = ["ε", "eq. 4", "predicted", "found", "samples turned"]
    parts: list[Table | Paragraph] = [
        Table("The cost as it would have been predicted, and as it is", columns, rows)
    ]
    notes = {result.rough_at(v.eps) for v in verified} - {""}
    parts += [Paragraph(f"Rough: {why}.", "note") for why in sorted(notes)]
    state = [
        f"Validity radius {text.radius_text(result)}: {result.validity_reason}.",
        *text.diagnostics_line(result.diagnostics).splitlines(),
    ]
    if path is not None:
        state.append(
            f"The path took {path.n_passes} readings of the rows, and "
            f"{'converged' if path.converged else 'did not converge everywhere'}."
        )
    return [*parts, *(Paragraph(line, "note") for line in state)]
