"""The command line: ``fastaif analyze``, ``path``, ``reproduce`` and ``config``.

Everything but click is imported inside the commands, so that help is instant.
"""

from __future__ import annotations

import math
import os
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import click

from .. import __version__
from ..utils.files import write_whole
from .bounds import bounds_of, parse_bounds
from .models import MODELS, kernels
from .sizes import chosen_sizes

if TYPE_CHECKING:
    from ..influence.path import RobustPath
    from ..influence.result import InfluenceResult
    from ..influence.verification import Verification
    from .data import Table

_EXPERIMENTS = (
    "figure1", "figure2a", "figure2b", "theorem_5_1", "theorem_5_2", "corollary_5_1",
    "theorem_5_3", "theorem_5_4", "ntk_depth", "wasserstein", "coverage",
)  # fmt: skip
_SHOW = {"show_default": True}


class _OneLineErrors(click.Group):
    """A group whose errors are one line on stderr, with exit status 2."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        run: Any = super().main
        if not kwargs.pop("standalone_mode", True):
            return run(*args, standalone_mode=False, **kwargs)
        try:
            status = run(*args, standalone_mode=False, **kwargs)
            if sys.stdout is not None:
                sys.stdout.flush()
        except BrokenPipeError:  # who reads stdout has had enough; click ends so, too
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except click.Abort:
            _fail("interrupted", 130)
        except click.ClickException as error:
            _fail(error.format_message())
        sys.exit(status if isinstance(status, int) else 0)


def _fail(message: str, status: int = 2) -> NoReturn:
    click.echo(f"fastaif: {' '.join(message.split())}", err=True)
    sys.exit(status)


def _is_terminal(stream: TextIO | None) -> bool:
    """Whether a person reads it; a stream that the shell has closed is None."""
    return stream is not None and stream.isatty()


@contextmanager
def _plain_errors() -> Iterator[None]:
    """What the library refuses becomes a click error: one line, no traceback."""
    try:
        yield
    except BrokenPipeError:
        raise  # not an error of ours: `main` ends quietly
    except OverflowError as e:
        raise click.ClickException(f"the numbers overflow ({e.args[-1]}); use smaller eps") from e
    except MemoryError as e:
        raise click.ClickException(f"not enough memory: {e}") from e
    except (ValueError, TypeError, NotImplementedError, ArithmeticError, ImportError, OSError) as e:
        hint = " (--alpha 1e-3)" if type(e).__name__ == "LinAlgError" else ""
        raise click.ClickException(f"{e}{hint}") from e


@contextmanager
def _collected_notes() -> Iterator[list[str]]:
    """The warnings about models and results, as a list; any other passes."""
    from sklearn.exceptions import ConvergenceWarning

    from .. import InfluenceWarning

    ours = (InfluenceWarning, ConvergenceWarning)
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        for category in ours:
            warnings.simplefilter("always", category)
        yield notes
    for w in caught:
        if not issubclass(w.category, ours):
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)
        elif str(w.message) not in notes:
            notes.append(str(w.message))


def _parse_eps(
    _: click.Context, __: click.Parameter, value: str | None
) -> list[float] | None:
    if value is None:
        return None
    try:
        eps = [float(part) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of numbers like 0.01,0.05") from None
    if not all(e > 0 and math.isfinite(e) for e in eps):
        raise click.BadParameter(f"{value!r}: each must be finite and above 0")
    return eps


def _parse_p(_: click.Context, __: click.Parameter, value: float) -> float:
    if not value >= 1:
        raise click.BadParameter(f"{value:g} is not in [1, inf]")
    return value


def _parse_sep(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    return {"tab": "\t", "\\t": "\t"}.get(value, value) if value is not None else None


def _parse_model(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and value not in MODELS:
        raise click.BadParameter(f"{value!r} is unknown; there are {', '.join(MODELS)}")
    return value


class _Kernel(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A name of a kernel; a click.Choice would import them all to parse any other command."""

    name = "kernel"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "|".join(kernels())

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        if value not in (known := kernels()):
            self.fail(f"{value!r} is unknown; there are {', '.join(known)}")
        return str(value)


def _parse_names(_: click.Context, __: click.Parameter, value: str | None) -> list[str] | None:
    if value is not None and not value.strip(" ,"):
        raise click.BadParameter("it names no feature")
    return None if value is None else [part.strip() for part in value.split(",")]


def _parse_out(_: click.Context, __: click.Parameter, value: Path | None) -> Path | None:
    """Refused before the work rather than after it."""
    if value is not None and (value.is_file() or not value.exists()):
        folder = value.absolute().parent
        if not folder.is_dir():
            raise click.BadParameter(f"there is no directory {value.parent}")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise click.BadParameter(f"the directory {value.parent} cannot be written to")
    return value


def _refuse_same(paths: dict[str, Any]) -> None:
    """One path for two purposes would be written over."""
    seen: dict[Path, str] = {}
    for name, path in paths.items():
        if path is None:
            continue
        real = Path(path).resolve()
        if real in seen:
            raise click.ClickException(f"{seen[real]} and {name} are the same file, {path}")
        seen[real] = name


def _format_of(output: str, out: Path | None) -> str:
    """What goes to stdout, where that is left to us: what somebody reads is a table."""
    if output != "auto":
        return output
    return "table" if out is not None or _is_terminal(sys.stdout) else "json"


def _file_of(data: str | None) -> str | None:
    """DATA, if it is a file; it may be one of scikit-learn's sets."""
    return data if data and Path(data).is_file() else None


def _figure_for(path: Path) -> Any:
    """An empty figure, before the work: matplotlib draws what it knows the name of."""
    from ..plotting import bare_figure

    figure = bare_figure()
    known = figure.canvas.get_supported_filetypes()
    if path.suffix.lower().removeprefix(".") not in known:
        raise click.ClickException(
            f"--plot {path}: there is no such kind of figure; name it .{', .'.join(sorted(known))}"
        )
    return figure


def _draw(figure: Any, path: Path) -> None:
    """Write a figure, whole or not at all."""
    kind = path.suffix.lower().removeprefix(".")
    write_whole(path, lambda file: figure.savefig(file, format=kind, dpi=150))


_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.group(cls=_OneLineErrors, invoke_without_command=True)
@click.version_option(__version__, prog_name="fastaif")
@click.pass_context
def main(context: click.Context) -> None:
    """Adversarial influence functions: how robust training changes a model."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # for names beyond the terminal's encoding
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


_DESCRIPTION = (
    click.argument("data", required=False),
    click.option("--target", help="Target column.  [default: the one named y or target]"),
    click.option(
        "--model", callback=_parse_model, metavar="|".join(MODELS),
        help="[default: logistic for a target of text, or of 0 and 1, else linear]",
    ),
    click.option("--drop", callback=_parse_names, metavar="A,B,...", help="Columns to leave out."),
    click.option(
        "--dropna", "gaps", flag_value="drop", help="Leave out rows that have empty cells."
    ),
    click.option(
        "--impute", "gaps", flag_value="impute",
        help="Fill empty cells: by medians, and by a category of their own.",
    ),
    click.option(
        "--one-hot/--no-one-hot", default=True,
        help="Take text for categories, which are not attacked.",
    ),
    click.option(
        "--sep", callback=_parse_sep, help="Between cells.  [default: a comma, in .tsv a tab]"
    ),
    click.option("--p", default=2.0, callback=_parse_p, help="The attack's norm, from 1 to inf."),
    click.option(
        "--order", type=float, default=math.inf, callback=_parse_p,
        help="u of a budget that samples share, from 1; inf: each has its own.",
    ),
    click.option("--alpha", type=float, help="Ridge penalty.  [default: the estimator's]"),
    click.option("--kernel", type=_Kernel(), help="Of kernel models.  [default: rbf]"),
    click.option(
        "--gamma", type=float,
        help="Of kernels that have one, 1 over a squared length (matern: a length).  "
        "[default: 1 over the number of features, for matern the root of that]",
    ),
    click.option(
        "--standardize/--no-standardize", default=True,
        help="Scale features, and attacks on them, to unit variance.",
    ),
    click.option("--weights", metavar="COLUMN", help="Column of sample weights."),
    click.option(
        "--attackable", callback=_parse_names, metavar="A,B,...",
        help="Features that can be attacked.  [default: all]",
    ),
    click.option(
        "--bounds", callback=parse_bounds, metavar="LO,HI|data",
        help="Between which attacked samples stay, in units of the data (,1: free below); data: "
        "each column's own range.  [default: they are free]",
    ),
    click.option("--seed", type=int, help="For whatever is random; nothing is in these models."),
)  # fmt: skip


def _described(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that describe data, model and attack, in the order of the help."""
    for option in reversed(_DESCRIPTION):
        command = option(command)
    return command


@main.command(short_help="What robust training would do to a model.", context_settings=_SHOW)
@_described
@click.option(
    "--eps", callback=_parse_eps, metavar="E,E,...",
    help="Attack sizes, in units of the mean norm of a sample.  [default: 0.05 and a tenth, a "
    "third and nine tenths of the way to where nothing is left to attack; where that is not known "
    "0.01,0.05, for kernel models with moving centres 0.0001,0.001]",
)  # fmt: skip
@click.option("--out", type=_FILE, callback=_parse_out, help="Write the report as JSON.")
@click.option("--plot", type=_FILE, callback=_parse_out, help="Write a figure (.png, .pdf, ...).")
@click.option(
    "--report", type=_FILE, callback=_parse_out,
    help="Write a page to read and to pass on (.html), complete in itself.",
)
@click.option(
    "--format", "output", type=click.Choice(["auto", "table", "json"]), default="auto",
    help="On stdout; auto: a table on a terminal or with --out, else JSON.",
)  # fmt: skip
def analyze(
    data: str | None, eps: list[float] | None, out: Path | None, plot: Path | None,
    report: Path | None, output: str, **options: Any,
) -> None:  # fmt: skip
    """How adversarial training would change a model of DATA, and what that costs.

    DATA is a .csv, .tsv (or .csv.gz), .xlsx, .parquet or .npz file (arrays X, y and optionally
    names), a pipe of comma-separated values (- is stdin), or one of scikit-learn's sets: diabetes
    (default), breast_cancer.
    """
    from ..influence.html_pages import analysis_page
    from ..plotting import plot_report
    from ..reports.analysis import far_off, report_json, report_text
    from .models import default_eps, notes_on

    output = _format_of(output, out)
    _refuse_same({"DATA": _file_of(data), "--out": out, "--plot": plot, "--report": report})
    with _plain_errors(), _collected_notes() as notes:
        figure = None if plot is None else _figure_for(plot)
        table, pipeline, attack, result = _influence(data, **options)
        kind = result.problem.model.kind
        eps = eps or default_eps(kind, result.problem)
        notes.extend(table.notes)
        notes.extend(notes_on(kind, table.y))
        verifications = _verify(result, eps)
        notes.extend(far_off(verifications, result.validity_radius))
        result.sensitivity(max(eps), expansion="quadratic")  # for its warning
        if out is not None:
            text = report_json(result, verifications) + "\n"
            write_whole(out, lambda file: file.write(text.encode()))
        if plot is not None:
            _draw(plot_report(result, eps, verifications, figure), plot)
        if report is not None:
            found = _path_of(pipeline, table, result, max(eps), attack)
            page = analysis_page(table.title, result, verifications, found)
            write_whole(report, lambda file: file.write(page.encode()))
    if output == "json":
        click.echo(report_json(result, verifications))
    else:
        click.echo(report_text(table.title, result, verifications))
    for note in notes:
        text = textwrap.fill(f"Note: {note}", 79) if output == "table" else f"fastaif: note: {note}"
        click.echo(text, err=output == "json")


def _influence(
    data: str | None, **options: Any
) -> tuple[Table, Any, dict[str, Any], InfluenceResult]:
    """Read, fit, and look at the fit: the data, the model, the attack and the influence."""
    import fastaif

    seed = options["seed"]
    table, pipeline, attack = _fitted(data, **options)
    result = fastaif.aif(pipeline, table.X, table.y, **attack, random_state=seed)
    return table, pipeline, attack, result


def _path_of(
    pipeline: Any, table: Table, result: InfluenceResult, end: float, attack: dict[str, Any]
) -> RobustPath | None:
    """The robust path for a report, where the worst attacks are known: else it takes minutes."""
    import fastaif

    from ..families.registry import adversary_of

    if not adversary_of(result.problem).has_exact:
        return None
    return fastaif.robust_path(pipeline, table.X, table.y, end, **attack)


def _fitted(
    data: str | None,
    *,
    target: str | None,
    model: str | None,
    p: float,
    order: float,
    alpha: float | None,
    kernel: str | None,
    gamma: float | None,
    standardize: bool,
    weights: str | None,
    attackable: list[str] | None,
    bounds: Any,
    seed: int | None,
    drop: list[str] | None,
    gaps: str | None,
    one_hot: bool,
    sep: str | None,
) -> tuple[Table, Any, dict[str, Any]]:
    """The data, a model fitted to them, and the attack as the library takes it."""
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    from .data import Reading, load_table
    from .models import columns_step, has_labels, make_estimator

    labels = None if model is None else has_labels(model)
    how = Reading(target, weights, labels, drop, gaps or "refuse", one_hot, sep)
    table = load_table(data, how)
    model = model or ("logistic" if table.labels else "linear")
    estimator = make_estimator(model, alpha, kernel, gamma, table.X.shape[1])
    steps = ["scaler", "model"] if standardize else ["model"]
    weighting = {f"{step}__sample_weight": table.weights for step in steps}
    chain: list[Any] = [("scaler", StandardScaler()), ("model", estimator)][-len(steps) :]
    if table.categories or table.has_gaps:
        chain.insert(0, ("columns", columns_step(table.X, table.categories)))
    pipeline = Pipeline(chain)
    pipeline.fit(table.X, table.y, **weighting)
    attack = {
        "p": p, "order": order, "attackable": attackable, "sample_weight": table.weights
    }  # fmt: skip
    if bounds is not None:
        attack["bounds"] = bounds_of(bounds, table.X, table.categories)
    return table, pipeline, attack


def _verify(result: InfluenceResult, eps: Sequence[float]) -> list[Verification]:
    from tqdm import tqdm

    hidden = not _is_terminal(sys.stderr)
    bar = tqdm(eps, desc="robust optima", delay=1.0, leave=False, disable=hidden)
    verified = [result.verify(e) for e in bar]
    for v in verified:
        if not math.isfinite(v.predicted_cost + v.exact_cost + v.exact_gain):
            raise OverflowError(f"eps = {v.eps:g} gives no finite cost")
    return verified


@main.command(short_help="Robust training at every attack size.", context_settings=_SHOW)
@_described
@click.option(
    "--eps", callback=_parse_eps, metavar="E or E,E,...",
    help="The end of the range, or all attack sizes.  [default: where nothing is left to attack, "
    "else 0.3]",
)  # fmt: skip
@click.option("--out", type=_FILE, callback=_parse_out, help="Write the nodes as .csv or .json.")
@click.option("--plot", type=_FILE, callback=_parse_out, help="Write a figure (.png, .pdf, ...).")
@click.option(
    "--kind", type=click.Choice(["frontier", "coefficients", "loss"]), default="frontier",
    help="What the figure shows.",
)  # fmt: skip
@click.option(
    "--format", "output", type=click.Choice(["auto", "table", "json"]), default="auto",
    help="On stdout; auto: a table on a terminal or with --out, else JSON.",
)  # fmt: skip
def path(
    data: str | None, eps: list[float] | None, out: Path | None, plot: Path | None, kind: str,
    output: str, **options: Any,
) -> None:  # fmt: skip
    """Adversarial training of a model of DATA at every attack size: the frontier.

    DATA is as for analyze. A row a node: the clean loss, what robust training costs, the loss under
    attack, what it gains, and the parameters.
    """
    from ..reports.path import path_json

    output = _format_of(output, out)
    _refuse_same({"DATA": _file_of(data), "--out": out, "--plot": plot})
    with _plain_errors(), _collected_notes() as notes:
        figure = None if plot is None else _figure_for(plot)
        table, found = _traced(data, eps, **options)
        notes.extend(table.notes)
        text = path_json(found)
        if out is not None:
            whole = text + "\n" if out.suffix == ".json" else found.to_frame().to_csv(index=False)
            write_whole(out, lambda file: file.write(whole.encode()))
        if plot is not None and figure is not None:
            figure.set_layout_engine("constrained")
            found.plot(kind, figure.subplots())
            _draw(figure, plot)
    click.echo(text if output == "json" else found.summary())
    for note in notes:
        click.echo(f"fastaif: note: {note}", err=True)


def _traced(
    data: str | None, eps: list[float] | None, **options: Any
) -> tuple[Table, RobustPath]:
    """Read, fit, and follow the path."""
    import fastaif

    options.pop("seed")
    table, pipeline, attack = _fitted(data, **options, seed=None)
    if eps is None and "bounds" in attack:
        eps = [0.3]
    elif eps is None:
        try:
            eps = [fastaif.zero_radius(pipeline, table.X, table.y, **attack)]
        except ValueError:
            eps = [0.3]
    radii: Any = eps[0] if len(eps) == 1 else eps
    return table, fastaif.robust_path(pipeline, table.X, table.y, radii, **attack)


@main.command(short_help="Run an experiment of the paper.", context_settings=_SHOW)
@click.argument("experiment", type=click.Choice(_EXPERIMENTS), metavar="EXPERIMENT")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path(),
    help="Directory for the .csv and .png.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0)
@click.option("--n-samples", type=click.IntRange(min=2), help="Samples of each data set.")
@click.option("--repetitions", type=click.IntRange(min=2), help="Data sets that are drawn.")
@click.option("--quick", is_flag=True, help="A tenth of the repetitions: a rougher picture.")
def reproduce(experiment: str, out: Path, seed: int, **sizes: Any) -> None:
    """Run one of the paper's experiments; write its table and its figure.

    EXPERIMENT is figure1, figure2a, figure2b, theorem_5_1, theorem_5_2, corollary_5_1,
    theorem_5_3, theorem_5_4, ntk_depth, wasserstein or coverage.
    """
    from .. import experiments
    from ..plotting.style import bare_figure

    with _plain_errors():
        figure = bare_figure()  # first: what is missing should be missed before the work
        out.mkdir(parents=True, exist_ok=True)
        if not os.access(out, os.W_OK | os.X_OK):
            raise PermissionError(f"the directory {out} cannot be written to")
        run = getattr(experiments, experiment)
        chosen = chosen_sizes(run, **sizes)
        result = run(random_state=seed, progress=_is_terminal(sys.stderr), **chosen)
        table = result.to_frame().to_csv(index=False).encode()
        write_whole(out / f"{experiment}.csv", lambda file: file.write(table))
        _draw(result.plot(figure), out / f"{experiment}.png")
    click.echo(result.summary())
    click.echo(f"Written: {out / experiment}.csv, {out / experiment}.png")


@main.command()
@click.option("--verbose", is_flag=True, help="The backend of every compiled operation.")
def config(verbose: bool) -> None:
    """Print versions, backends and threads."""
    from .. import show_config

    with _plain_errors():
        show_config(verbose)
