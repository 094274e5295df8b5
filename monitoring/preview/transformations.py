"""Grafana's transformations, those that the dashboards use: from frames to frames.

Where versions of Grafana differ, the newer one's ways are taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from monitoring.preview.errors import Unsupported
from monitoring.preview.frames import Field, Frame, display_name

Options = Mapping[str, Any]

_LAST = 1 << 30


def transform(frames: list[Frame], steps: Sequence[Mapping[str, Any]]) -> list[Frame]:
    """Return what a panel's transformations make of its frames, one after the other.

    Raises:
        Unsupported: One of them, or an option of it, is not known here.
    """
    for step in steps:
        name, options = step["id"], step.get("options", {})
        if name not in _KNOWN:
            _refuse(f"transformation {name!r}")
        function, known = _KNOWN[name]
        for key in [*(set(step) - {"id", "options"}), *options]:
            if key not in known:
                _refuse(f"option {key!r} of transformation {name!r}")
        frames = function(frames, options)
    return frames


def _refuse(what: str) -> None:
    raise Unsupported(f"{what} is not drawn here; add it to monitoring/preview/transformations.py")


def _filter_by_name(frames: list[Frame], options: Options) -> list[Frame]:
    """Keep the columns of these names."""
    if set(options["include"]) != {"names"}:
        _refuse(f"{', '.join(options['include'])} in the place of names in 'filterFieldsByName'")
    names = options["include"]["names"]
    kept = [replace(it, fields=[f for f in it.fields if display_name(f, it, frames) in names]) for it in frames]
    return [frame for frame in kept if frame.fields]


def _organize(frames: list[Frame], options: Options) -> list[Frame]:
    """Give the columns an order and names."""
    order, names = options.get("indexByName", {}), options.get("renameByName", {})
    organized = []
    for frame in frames:
        called = [(display_name(column, frame, frames), column) for column in frame.fields]
        called.sort(key=lambda pair: order.get(pair[0], _LAST))
        renamed = [column.but(displayName=names[name]) if names.get(name) else column for name, column in called]
        organized.append(replace(frame, fields=renamed))
    return organized


def _join(frames: list[Frame], options: Options) -> list[Frame]:
    """Join tables by a column, as SQL's inner join does."""
    if options.get("mode") != "inner":
        _refuse(f"mode {options.get('mode')!r} of transformation 'joinByField'")
    keyed = [(it, f) for it in frames for f in it.fields if display_name(f, it, frames) == options["byField"]]
    if len(keyed) < len(frames):  # one has no rows, and so no columns of labels: nothing can match
        return [Frame([column.rows([]) for frame in frames for column in frame.fields])]
    first = keyed[0][1]
    matches: list[list[int]] = [[row] for row in range(len(first.values))]
    for _, key in keyed[1:]:
        matches = [
            [*match, row]
            for match in matches
            for row, value in enumerate(key.values)
            if value == first.values[match[0]]
        ]
    columns = [first.rows([match[0] for match in matches])]
    for number, (frame, key) in enumerate(keyed):
        columns += [it.rows([match[number] for match in matches]) for it in frame.fields if it is not key]
    return [Frame(columns)]


def _merge(frames: list[Frame], options: Options) -> list[Frame]:
    """Make one table of several: rows that agree in all that they have in common become one."""
    filled = [frame for frame in frames if frame.fields]
    if len(filled) < 2:
        return frames
    columns = {column.name: column for frame in reversed(filled) for column in reversed(frame.fields)}
    names = list(dict.fromkeys(column.name for frame in filled for column in frame.fields))
    rows: list[dict[str, Any]] = []
    for frame in filled:
        for number in range(frame.rows):
            row = {column.name: column.values[number] for column in frame.fields}
            alike = [known for known in rows if all(known.get(name, value) == value for name, value in row.items())]
            for known in alike:
                known.update(row)
            if not alike:
                rows.append(row)
    return [Frame([Field(name, columns[name].kind, [row.get(name) for row in rows]) for name in names])]


def _partition(frames: list[Frame], options: Options) -> list[Frame]:
    """Make a frame for each value of some columns, which become labels of the others."""
    if not options.get("naming", {}).get("asLabels", True):
        _refuse("names in the place of labels in 'partitionByValues'")
    if not frames:
        return frames
    frame = frames[0]
    keys = [column for column in frame.fields if display_name(column, frame, frames) in options["fields"]]
    if not keys:
        return [frame]
    parts: dict[tuple[Any, ...], list[int]] = {}
    for row, values in enumerate(zip(*(key.values for key in keys), strict=True)):
        parts.setdefault(values, []).append(row)
    left = frame.fields if options.get("keepFields") else [column for column in frame.fields if column not in keys]
    return [
        replace(frame, fields=[replace(it.rows(rows), labels={**it.labels, **_labels(keys, values)}) for it in left])
        for values, rows in parts.items()
    ]


def _labels(keys: Sequence[Field], values: Sequence[Any]) -> dict[str, str]:
    return {key.name: str(value) for key, value in zip(keys, values, strict=True)}


def _matrix(frames: list[Frame], options: Options) -> list[Frame]:
    """Make a column for each value of one column, and a row for each value of another."""
    if len(frames) != 1:
        return frames
    named = {display_name(column, frames[0], frames): column for column in frames[0].fields}
    row, column, value = (named.get(options[name]) for name in ("rowField", "columnField", "valueField"))
    if row is None or column is None or value is None:
        return frames
    cells = dict(zip(zip(row.values, column.values, strict=True), value.values, strict=True))
    rows = list(dict.fromkeys(row.values))
    first = Field(f"{options['rowField']}\\{options['columnField']}", "string", rows)
    others = [
        Field(str(name), value.kind, [cells.get((it, name)) for it in rows], config=value.config)
        for name in dict.fromkeys(column.values)
    ]
    return [Frame([first, *others], frames[0].ref)]


_KNOWN = {
    "filterFieldsByName": (_filter_by_name, {"include"}),
    "groupingToMatrix": (_matrix, {"rowField", "columnField", "valueField"}),
    "joinByField": (_join, {"byField", "mode"}),
    "merge": (_merge, set[str]()),
    "organize": (_organize, {"indexByName", "renameByName"}),
    "partitionByValues": (_partition, {"fields", "keepFields", "naming"}),
}
"""What is known: the function of each, and the options that it heeds."""
