"""Names of columns, as the command line's options give them."""

from __future__ import annotations

_TARGETS = ("y", "target")


def target_name(known: list[str], target: str | None, weights: str | None) -> str:
    """The target's column: as given, or the one named "y" or "target"."""
    if target is not None:
        require(target, known)
        return target
    found = [name for name in _TARGETS if name in known and name != weights]
    if len(found) == 1:
        return found[0]
    what = "are columns 'y' and 'target'" if found else "is no column 'y' or 'target'"
    raise ValueError(f"there {what}: name the target with --target, of {listing(known)}")


def require(name: str | None, known: list[str]) -> None:
    """Refuse a name that is not known."""
    if name is not None and name not in known:
        raise ValueError(f"there is no column {name!r}; there are {listing(known)}")


def listing(names: list[str], shown: int = 12) -> str:
    """Names for a message, the first of them if there are many."""
    text = ", ".join(repr(name) for name in names[:shown])
    return f"{text} and {len(names) - shown} more" if len(names) > shown else text
