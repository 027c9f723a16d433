"""Names of features in the room that a table or a picture has."""

from __future__ import annotations


def short_name(name: str, width: int) -> str:
    """A name in at most so many characters, cut where it tells least.

    Of "feature[class]" the class stays, of "transformer__column_level" what the transformer made;
    else the middle goes, for names that begin alike differ at their ends.

    Examples
    --------
    >>> short_name("onehotencoder__town_b", 20)
    '…town_b'
    >>> short_name("mean concave points of the cell[benign]", 20)
    'mean conca…[benign]'
    """
    if len(name) <= width:
        return name
    feature, bracket, of = name.partition("[")
    if bracket and len(of) + 4 < width:
        return f"{feature[: width - len(of) - 3]}…[{of}"
    made = name.partition("__")[2]
    if made:
        return "…" + short_name(made, width - 1)
    end = width // 2
    return f"{name[: width - 1 - end]}…{name[len(name) - end :]}"
