"""What queries become, and what columns are called."""

from __future__ import annotations

import pytest

from monitoring.preview.frames import Field, Frame, display_name, from_series, from_table
from monitoring.preview.prometheus import Series

LABELS = {"__name__": "up", "job": "a", "node": "n"}
SERIES = Series(LABELS, ((0.0, 1.0), (15.0, 2.0)))


def name_of(frame: Frame, place: int = -1) -> str:
    """What one column of a frame that is alone is called."""
    return display_name(frame.fields[place], frame, [frame])


@pytest.mark.parametrize(
    ("legend", "name"),
    [
        ("{{job}} on {{ node }}", "a on n"),
        ("{{missing}}!", "!"),
        ("fixed", "fixed"),
        ("", 'up{job="a", node="n"}'),
        (None, 'up{job="a", node="n"}'),
        ("__auto", '{__name__="up", job="a", node="n"}'),
    ],
)
def test_legends(legend: str | None, name: str) -> None:
    """By the labels of the series, or all of them where nothing is said."""
    (frame,) = from_series([SERIES], "A", legend, "up")
    assert name_of(frame) == name
    assert [list(field.values) for field in frame.fields] == [[0.0, 15.0], [1.0, 2.0]]


def test_a_series_without_labels_is_called_as_its_query() -> None:
    """There is nothing else."""
    (frame,) = from_series([Series({}, ((0.0, 1.0),))], "A", "", "sum(up)")
    assert name_of(frame) == "sum(up)"


def test_a_table_has_a_column_for_each_label() -> None:
    """In the order of the alphabet, values last; one that a series lacks is empty."""
    found = [SERIES, Series({"zone": "z"}, ((15.0, 3.0),))]
    frame = from_table(found, "A", is_alone=True)
    assert [field.name for field in frame.fields] == ["Time", "__name__", "job", "node", "zone", "Value"]
    assert [list(field.values) for field in frame.fields[3:]] == [["n", ""], ["", "z"], [2.0, 3.0]]
    assert (frame.rows, len(frame.numbers())) == (2, 1)


def test_one_of_several_tables_says_whose_values_it_has() -> None:
    """As Grafana tells them apart, though one is empty."""
    assert [field.name for field in from_table([], "B", is_alone=False).fields] == ["Time", "Value #B"]


def test_columns_are_called_by_their_labels() -> None:
    """By the value where there is one label only, in all frames."""
    frames = [Frame([Field("Value #A", "number", [1], {"width": width})]) for width in ("8", "16")]
    assert [display_name(frame.fields[0], frame, frames) for frame in frames] == ["Value #A 8", "Value #A 16"]
    frames[0] = Frame([Field("Value", "number", [1], {"width": "8", "rate": "1"})])
    assert display_name(frames[0].fields[0], frames[0], frames) == '{width="8", rate="1"}'


def test_what_a_column_is_renamed_to_comes_first() -> None:
    """Before labels and legends."""
    frame = Frame([Field("Value", "number", [1], {"a": "b"}, {"displayNameFromDS": "legend"}).but(displayName="mine")])
    assert name_of(frame) == "mine"


def test_columns_of_the_same_name_are_numbered() -> None:
    """Such as the times of tables that were joined."""
    frame = Frame([Field("Time", "time", [1]), Field("Time", "time", [2])])
    assert (name_of(frame, 0), name_of(frame, 1)) == ("Time 1", "Time 2")
