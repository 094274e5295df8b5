"""Grafana's transformations, as its own tests and documentation show them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from monitoring.preview.errors import Unsupported
from monitoring.preview.frames import Field, Frame, display_name
from monitoring.preview.transformations import transform

Table = Callable[..., Frame]


def shown(frames: list[Frame]) -> list[dict[str, list[Any]]]:
    """The columns of each frame by what they are called."""
    return [{display_name(field, frame, frames): list(field.values) for field in frame.fields} for frame in frames]


def apply(frames: list[Frame], name: str, **options: Any) -> list[dict[str, list[Any]]]:
    """What one transformation makes of frames."""
    return shown(transform(frames, [{"id": name, "options": options}]))


def test_columns_are_kept_ordered_and_renamed(table: Table) -> None:
    """Those without a place come last, in their own order; others keep their names."""
    frame = table(a=[1], b=[2], c=[3], d=[4])
    assert apply([frame], "filterFieldsByName", include={"names": ["d", "b", "none"]}) == [{"b": [2], "d": [4]}]
    organized = apply([frame], "organize", indexByName={"d": 0, "b": 1}, renameByName={"b": "B"})
    assert list(organized[0]) == ["d", "B", "a", "c"]


def test_a_frame_without_columns_goes(table: Table) -> None:
    """As nothing of it is left."""
    assert apply([table(a=[1]), table(b=[2])], "filterFieldsByName", include={"names": ["b"]}) == [{"b": [2]}]


def test_an_inner_join(table: Table) -> None:
    """Rows that both have, each pair of them; the column that they are joined by is first."""
    left, right = table(value=[1, 2, 3], trial=["0", "1", "2"]), table(trial=["1", "2", "2", "5"], x=[10, 20, 21, 50])
    assert apply([left, right], "joinByField", byField="trial", mode="inner") == [
        {"trial": ["1", "2", "2"], "value": [2, 3, 3], "x": [10, 20, 21]}
    ]


def test_an_inner_join_looks_at_its_column_only(table: Table) -> None:
    """Other columns may have the same values: Grafana had that wrong once."""
    left, right = table(trial=["0"], width=["8"]), table(trial=["8"], x=[1])
    assert apply([left, right], "joinByField", byField="trial", mode="inner") == [{"trial": [], "width": [], "x": []}]


def test_an_inner_join_with_a_query_that_returned_nothing(table: Table) -> None:
    """It has no labels, and nothing is joined."""
    empty = Frame([Field("Value #B", "number", [])])
    (joined,) = apply([table(trial=["0"], value=[1]), empty], "joinByField", byField="trial", mode="inner")
    assert joined == {"trial": [], "value": [], "Value #B": []}


def test_tables_are_merged(table: Table) -> None:
    """Rows that agree in what they have in common become one, and the others stay."""
    first, second = table(slot=["a", "b"], epoch=[1, 2]), table(slot=["b", "c"], memory=[20, 30])
    assert apply([first, second], "merge") == [
        {"slot": ["a", "b", "c"], "epoch": [1, 2, None], "memory": [None, 20, 30]}
    ]
    assert apply([first], "merge") == [{"slot": ["a", "b"], "epoch": [1, 2]}]


def test_a_frame_for_each_value(table: Table) -> None:
    """In the order of their rows; the value becomes a label, by which series are called."""
    frame = table(x=[1, 2, 3], y=[4, 5, 6], width=["8", "64", "8"])
    assert apply([frame], "partitionByValues", fields=["width"], keepFields=False) == [
        {"x 8": [1, 3], "y 8": [4, 6]},
        {"x 64": [2], "y 64": [5]},
    ]
    assert len(apply([frame], "partitionByValues", fields=["width"], keepFields=True)[0]) == 3
    assert apply([frame], "partitionByValues", fields=["none"]) == shown([frame])
    assert apply([], "partitionByValues", fields=["width"]) == []


def test_a_column_that_was_renamed_keeps_its_name_when_it_is_parted(table: Table) -> None:
    """As in Grafana, where series then have all the same name."""
    steps = [
        {"id": "organize", "options": {"renameByName": {"y": "Value"}}},
        {"id": "partitionByValues", "options": {"fields": ["width"]}},
    ]
    frames = transform([table(y=[4, 5], width=["8", "64"])], steps)
    assert [list(frame) for frame in shown(frames)] == [["Value"], ["Value"]]


def test_a_matrix(table: Table) -> None:
    """Rows and columns in the order in which they come; what is missing is empty."""
    frame = table(trial=["0", "0", "1"], parameter=["rate", "width", "width"], Value=[0.1, 8, 16])
    options = {"rowField": "trial", "columnField": "parameter", "valueField": "Value"}
    assert apply([frame], "groupingToMatrix", **options) == [
        {"trial\\parameter": ["0", "1"], "rate": [0.1, None], "width": [8, 16]}
    ]
    assert apply([frame], "groupingToMatrix", **(options | {"rowField": "none"})) == shown([frame])
    assert apply([], "groupingToMatrix", **options) == []


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ({"id": "reduce"}, "transformation 'reduce' is not drawn here; add it to"),
        ({"id": "merge", "disabled": True}, "option 'disabled' of transformation 'merge' is not drawn here"),
        ({"id": "organize", "options": {"excludeByName": {}}}, "option 'excludeByName' of transformation 'organize'"),
        ({"id": "joinByField", "options": {"byField": "a", "mode": "outer"}}, "mode 'outer' of transformation"),
        ({"id": "joinByField", "options": {"byField": "a"}}, "mode None of transformation 'joinByField'"),
        ({"id": "filterFieldsByName", "options": {"include": {"pattern": "a"}}}, "pattern in the place of names in"),
        (
            {"id": "partitionByValues", "options": {"fields": ["a"], "naming": {"asLabels": False}}},
            "names in the place",
        ),
    ],
)
def test_what_is_not_known(table: Table, step: dict[str, Any], sentence: str) -> None:
    """Is refused in one sentence, and never passed over."""
    with pytest.raises(Unsupported, match=sentence):
        transform([table(a=[1]), table(a=[1])], [step])
