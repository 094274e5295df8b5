"""Tables of Grafana's: what queries become, and what transformations and panels work on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from monitoring.preview.prometheus import Series

TIME, VALUE = "Time", "Value"

Kind = Literal["time", "number", "string"]


@dataclass(frozen=True)
class Field:
    """A column: its values, the labels of the series it comes from, and its configuration as a dashboard has it."""

    name: str
    kind: Kind
    values: Sequence[Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)

    def but(self, **config: Any) -> Field:
        """Return this column with changes of its configuration."""
        return replace(self, config={**self.config, **config})

    def rows(self, chosen: Sequence[int]) -> Field:
        """Return this column with these rows only."""
        return replace(self, values=[self.values[row] for row in chosen])


@dataclass(frozen=True)
class Frame:
    """Columns of the same length."""

    fields: Sequence[Field]
    ref: str = ""

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return len(self.fields[0].values) if self.fields else 0

    def numbers(self) -> list[Field]:
        """Return the columns of numbers."""
        return [field for field in self.fields if field.kind == "number"]


def from_series(found: Sequence[Series], ref: str, legend: str | None, expression: str) -> list[Frame]:
    """Return a frame of times and values for each series, which its legend names."""
    frames = []
    for series in found:
        moments, values = zip(*series.points, strict=True)
        config = {} if legend == "__auto" else {"displayNameFromDS": _legend(series.labels, legend or "", expression)}
        frames.append(Frame([Field(TIME, "time", moments), Field(VALUE, "number", values, series.labels, config)], ref))
    return frames


def from_table(found: Sequence[Series], ref: str, is_alone: bool) -> Frame:
    """Return one frame with a column for each label; the column of values says its query unless that is alone."""
    labels = list(dict.fromkeys(label for series in found for label in sorted(series.labels)))
    columns = [Field(label, "string", [series.labels.get(label, "") for series in found]) for label in labels]
    moments = Field(TIME, "time", [series.points[-1][0] for series in found])
    values = [series.points[-1][1] for series in found]
    return Frame([moments, *columns, Field(VALUE if is_alone else f"{VALUE} #{ref}", "number", values)], ref)


def _legend(labels: Mapping[str, str], legend: str, expression: str) -> str:
    if legend:
        return re.sub(r"\{\{\s*(.+?)\s*\}\}", lambda found: labels.get(found[1], ""), legend)
    name = labels.get("__name__", "")
    rest = _spell({label: value for label, value in labels.items() if label != "__name__"})
    return f"{name}{rest}" or expression


def _spell(labels: Mapping[str, str]) -> str:
    told = ", ".join(f'{label}="{value}"' for label, value in labels.items())
    return f"{{{told}}}" if told else ""


def display_name(shown: Field, frame: Frame, frames: Sequence[Frame]) -> str:
    """Return what Grafana calls a column: what it is renamed to, its legend, or its name and labels."""
    if title := shown.config.get("displayName") or shown.config.get("displayNameFromDS"):
        return str(title)
    if not shown.labels or shown.kind == "time":
        return _numbered(shown, frame)
    everywhere = {label for other in frames for column in other.fields for label in column.labels}
    told = next(iter(shown.labels.values())) if len(everywhere) == 1 else _spell(shown.labels)
    return told if shown.name == VALUE else f"{shown.name} {told}"


def _numbered(shown: Field, frame: Frame) -> str:
    """Return its name, with its place among those of the same name where there are several."""
    alike = [column for column in frame.fields if column.name == shown.name]
    return shown.name if len(alike) < 2 else f"{shown.name} {1 + next(n for n, it in enumerate(alike) if it is shown)}"
