"""What C and Cython have to know of the table of operations, written when the extension is built.

`fastaif/_compute/operations.py` is read, with `entries.py` and `codes.py`; `operation_table.h` (the
enumeration, the structures and every operation's declaration) and `operation_shim.pxi` (the same
for Cython, and the functions that Python calls) are made of them. `setup.py` does so,
`bench/stages.py` too; by hand it is `python csrc/generate.py FOLDER`.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

COMPUTE = Path(__file__).resolve().parent.parent / "fastaif" / "_compute"
SOURCES = [COMPUTE / f"{name}.py" for name in ("codes", "entries", "operations")]
KINDS = {"float64": "A_DOUBLE", "float32 or float64": "A_REAL", "int64": "AN_INT64",
         "int32": "AN_INT32"}  # fmt: skip
ELEMENTS = {"float64": "double", "float32 or float64": "double", "int64": "int64_t",
            "int32": "int32_t"}  # fmt: skip


def _load(name: str) -> ModuleType:
    """One of them, of a package that has no other code: nothing else need be installed."""
    if "tables" not in sys.modules:
        sys.modules["tables"] = tables = ModuleType("tables")
        tables.__path__ = [str(COMPUTE)]
    return importlib.import_module(f"tables.{name}")


codes, entries, table = (_load(path.stem) for path in SOURCES)


def write(folder: Path, checked: bool = True) -> list[Path]:
    """Write both files, unless they are there and the same; where they are.

    A shim that is not `checked` looks at nothing that it is handed: `bench/checks.py` builds one to
    measure what looking costs.
    """
    made = {
        "operation_table.h": _header(),
        "operation_shim.pxi": _shim(checked),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    return [folder / name for name in made]


def _codes() -> dict[str, int]:
    return {name: value for name, value in vars(codes).items() if name.isupper()}


def _operations() -> dict:
    """Those that have a C version, and the parts that tests call."""
    return {n: o for n, o in {**table.TABLE, **table.PARTS}.items() if o.c != "-"}


def _groups() -> dict:
    """Every group that is handed over whole, by its name in C."""
    found = {}
    for operation in _operations().values():
        for name in _order(operation):
            spec = operation.arguments.get(name)
            if isinstance(spec, entries.Group):
                found.setdefault(_structure(spec), spec)
    return found


def _structure(group) -> str:
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in group.name)
    return f"fa{words}"


def _order(operation) -> list[str]:
    return operation.c.split(", ") if operation.c else list(operation.arguments)


# --- declarations --------------------------------------------------------------------------------


def _members(group) -> Iterator[tuple[str, str]]:
    """Types and names of a structure."""
    for size in group.sizes:
        yield "ptrdiff_t ", size
    for name, spec in group.fields.items():
        if isinstance(spec, entries.Number):
            yield f"{spec.type} ", name
        elif spec.dtype == entries.REAL:
            yield "const double *", "doubles"
            yield "const float *", "singles"
        else:
            yield ("" if spec.written else "const ") + f"{ELEMENTS[spec.dtype]} *", name


def _parameter(operation, name: str) -> str:
    """One argument of a C operation, as it is declared."""
    if operation.returns and name == operation.returns.split(" ")[1]:
        return f"{operation.returns.split(' ')[0]} *{name}"
    if name in operation.sizes:
        return f"ptrdiff_t {name}"
    path = name.split(".")
    spec = operation.arguments[path[0]]
    if isinstance(spec, entries.Group) and len(path) == 1:
        return f"const {_structure(spec)} *{name}"
    if len(path) == 2:
        spec = spec.fields[path[1]]
    if isinstance(spec, entries.Number):
        return f"{spec.type} {path[-1]}"
    if spec.dtype == entries.REAL:
        return f"const fa_rows *{path[-1]}"
    return ("" if spec.written else "const ") + f"{ELEMENTS[spec.dtype]} *{path[-1]}"


def _signature(operation) -> str:
    return ", ".join(_parameter(operation, name) for name in _order(operation))


def _header() -> str:
    lines = [
        "/* Made by csrc/generate.py of fastaif/_compute/codes.py and operations.py. */",
        "#include <stddef.h>",
        "#include <stdint.h>",
        "",
        "enum {",
        *(f"    {name} = {value}," for name, value in _codes().items()),
        "};",
        "",
    ]
    for structure, group in _groups().items():
        members = [f"    {kind}{name};" for kind, name in _members(group)]
        lines += ["typedef struct {", *members, f"}} {structure};", ""]
    lines.append("#define FA_OPERATIONS(X, isa) \\")
    lines += [
        f"    X(isa, {operation.result}, {name}, ({_signature(operation)})) \\"
        for name, operation in _operations().items()
    ]
    return "\n".join([*lines, ""]) + "\n"


def _shim(checked: bool) -> str:
    lines = [
        "# Made by csrc/generate.py of fastaif/_compute/codes.py and operations.py.",
        "",
        'cdef extern from "dispatch.h" nogil:',
        "    enum:",
        *(f"        {name}" for name in _codes()),
        "",
    ]
    for structure, group in _groups().items():
        members = [f"        {kind}{name}" for kind, name in _members(group)]
        lines += [f"    ctypedef struct {structure}:", *members, ""]
    lines += ["    ctypedef struct fa_table:", "        const char *name"]
    for name, operation in _operations().items():
        arguments = _signature(operation)
        lines.append(f"        {operation.result} (*{name})({arguments}) noexcept nogil")
    lines += [
        "",
        '    const int N_LOSSES "fa_n_losses"',
        "    const fa_table *fa_chosen",
        "    int fa_choose(const char *name)",
        "    const char *fa_available(int i)",
        "",
    ]
    for name, operation in _operations().items():
        lines += ["", *_function(name, operation, checked), ""]
    return "\n".join(lines) + "\n"


# --- functions of the shim -----------------------------------------------------------------------


def _function(name: str, operation, checked: bool) -> Iterator[str]:
    """Arguments into arrays and numbers, the checks, the structures, the call."""
    plain = [
        f"{spec.type} {argument}" if isinstance(spec, entries.Number) else argument
        for argument, spec in operation.arguments.items()
    ]
    yield f"def {name}({', '.join(plain)}):"
    twin = (
        f"See `fastaif._compute.numba_ops.{operation.numba}`."
        if operation.numba
        else "Elementwise."
    )
    yield f'    """{twin}"""'
    body = [
        *_taken(name, operation),
        *_sizes(operation),
        *(_checked(name, operation) if checked else ()),
        *_filled(operation),
        *_called(name, operation),
    ]
    declared = sorted({line for line in body if line.startswith("cdef ")})
    for line in (*declared, *(line for line in body if not line.startswith("cdef "))):
        yield f"    {line}"


def _arrays(operation) -> list:
    return [leaf for leaf in entries.leaves(operation) if isinstance(leaf.spec, entries.Array)]


def _taken(name: str, operation) -> Iterator[str]:
    for leaf in entries.leaves(operation):
        argument, _, field = leaf.path.partition(".")
        value = argument
        if field:
            fields = list(operation.arguments[argument].fields)
            value = f"<object>PyTuple_GET_ITEM({argument}, {fields.index(field)})"
            if field == fields[0]:
                yield f'_tuple({argument}, {len(fields)}, "{name}", "{argument}")'
        if field and isinstance(leaf.spec, entries.Number):
            yield f"cdef {leaf.spec.type} {leaf.variable}"
            yield f"{leaf.variable} = {value}"
    for leaf in _arrays(operation):
        argument, _, field = leaf.path.partition(".")
        value = argument
        variable = f"{leaf.variable}_"
        if field:
            fields = list(operation.arguments[argument].fields)
            value = f"<object>PyTuple_GET_ITEM({argument}, {fields.index(field)})"
        yield f"cdef fa_array {variable}"
        spec = leaf.spec
        if spec.unused:
            yield f"_nothing(&{variable})"
            continue
        take = (
            f"_take({value}, &{variable}, {KINDS[spec.dtype]}, {len(spec.shape)}, "
            f'{int(spec.written)}, "{name}", "{leaf.path}")'
        )
        if spec.when:
            yield f"if {spec.when}:"
            yield f"    {take}"
            yield "else:"
            yield f"    _nothing(&{variable})"
        else:
            yield take


def _in_c(text: str, operation) -> str:
    """Arrays are C structures here, whose names end in ``_``."""
    for leaf in _arrays(operation):
        text = re.sub(rf"\b{leaf.variable}\b", f"{leaf.variable}_", text)
    return text


def _sizes(operation) -> Iterator[str]:
    for size, text in operation.sizes.items():
        yield f"cdef ptrdiff_t {size}"
        yield f"{size} = {_in_c(entries.expression(text, operation), operation)}"


def _checked(name: str, operation) -> Iterator[str]:
    for leaf in _arrays(operation):
        spec, variable = leaf.spec, f"{leaf.variable}_"
        if spec.unused:
            continue
        if spec.dtype == entries.REAL and len(spec.shape) == 2:
            yield f"if {variable}.size == 0:"
            yield "    raise ValueError(_checks.NO_ENTRIES)"
        unlike, wanted = [], []
        for axis, length in enumerate(spec.shape):
            least = length.startswith(">=")
            needed = _in_c(length.removeprefix(">=").strip(), operation)
            unlike.append(f"{variable}.shape[{axis}] {'<' if least else '!='} ({needed})")
            wanted.append(f"{needed},")
        given = ""
        if spec.when:
            given = f"({spec.when}) and "
        elif spec.beside:
            given = f"({variable}.size or {spec.beside}_.size) and "
        elif spec.optional:
            given = f"{variable}.size and "
        yield f"if {given}({' or '.join(unlike)}):"
        yield (
            f'    raise _checks.misshapen("{name}", "{leaf.path}", '
            f"_shape_of(&{variable}, {len(spec.shape)}), ({' '.join(wanted)}))"
        )
    for condition, reason in entries.conditions(operation):
        yield f"if not ({_in_c(condition, operation)}):"
        yield f'    raise _checks.unfit("{name}", "{reason}")'
    if operation.idle:
        yield f"if {operation.idle}:"
        yield f"    return {operation.idle_result}"


def _filled(operation) -> Iterator[str]:
    """The structures of what is handed over whole."""
    for name in _order(operation):
        spec = operation.arguments.get(name)
        if isinstance(spec, entries.Array) and spec.dtype == entries.REAL:
            yield f"cdef fa_rows {name}_whole"
            yield f"_inputs(&{name}_, &{name}_whole)"
        if not isinstance(spec, entries.Group):
            continue
        whole = f"{name}_whole"
        yield f"cdef {_structure(spec)} {whole}"
        for size in spec.sizes:
            yield f"{whole}.{size} = {size}"
        for field, inner in spec.fields.items():
            variable = f"{name}__{field}"
            if isinstance(inner, entries.Number):
                yield f"{whole}.{field} = {variable}"
            elif inner.dtype == entries.REAL:
                yield f"{whole}.doubles = <const double *>_of_bytes(&{variable}_, 8)"
                yield f"{whole}.singles = <const float *>_of_bytes(&{variable}_, 4)"
            else:
                yield f"{whole}.{field} = <{ELEMENTS[inner.dtype]} *>{variable}_.data"


def _handed(operation, name: str) -> str:
    if operation.returns and name == operation.returns.split(" ")[1]:
        return f"&{name}"
    if name in operation.sizes:
        return name
    path = name.split(".")
    spec = operation.arguments[path[0]]
    if len(path) == 1 and (
        isinstance(spec, entries.Group)
        or (isinstance(spec, entries.Array) and spec.dtype == entries.REAL)
    ):
        return f"&{name}_whole"
    if len(path) == 2:
        spec = spec.fields[path[1]]
    variable = name.replace(".", "__")
    if isinstance(spec, entries.Number):
        return variable
    return f"<{ELEMENTS[spec.dtype]} *>{variable}_.data"


def _called(name: str, operation) -> Iterator[str]:
    if operation.returns:
        kind, returned = operation.returns.split(" ")
        yield f"cdef {kind} {returned}"
        yield f"{returned} = {operation.idle_result}"
    arguments = ", ".join(_handed(operation, part) for part in _order(operation))
    call = f"fa_chosen.{name}({arguments})"
    if operation.result == "int":
        yield "cdef int failed"
        call = f"failed = {call}"
    yield "with nogil:"
    yield f"    {call}"
    if operation.result == "int":
        yield "if failed:"
        yield f'    raise MemoryError("no memory for the blocks of {name}")'
    if operation.returns:
        yield f"return {operation.returns.split(' ')[1]}"


if __name__ == "__main__":
    print(*write(Path(sys.argv[1])), sep="\n")
