"""Names cut to the room that there is."""

import pytest

from fastaif.utils.short_names import short_name


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("age", "age"),
        ("exactly twenty chars", "exactly twenty chars"),
        ("onehotencoder__town_b", "…town_b"),
        ("scaler__a long name of a column", "…a long na… a column"),
        ("mean concave points of the cell[benign]", "mean conca…[benign]"),
        ("income of the household", "income of… household"),
    ],
)
def test_what_tells_names_apart_stays(name, short):
    assert short_name(name, 20) == short
    assert len(short) <= 20
