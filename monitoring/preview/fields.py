"""What a panel's settings say of each column: defaults, then what overrides them."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from monitoring.preview import units
from monitoring.preview.colors import SCALES, color, of_series, on_scale
from monitoring.preview.errors import Unsupported
from monitoring.preview.frames import Field, Frame, display_name

_KNOWN = {
    *("color", "custom", "decimals", "displayName", "displayNameFromDS"),
    *("links", "mappings", "max", "min", "thresholds", "unit"),
}
_MODES = {"fixed", "thresholds", "palette-classic", *SCALES}
_THRESHOLDS = {"mode": "absolute", "steps": [{"value": None, "color": "green"}, {"value": 80, "color": "red"}]}


def configure(frames: list[Frame], settings: Mapping[str, Any], custom: set[str]) -> list[Frame]:
    """Return frames whose columns know how they are shown; `custom` are the settings that the panel's kind heeds.

    Raises:
        Unsupported: A setting, or what chooses a column for one, is not known here.
    """
    configured = []
    for frame in frames:
        columns = []
        for column in frame.fields:
            config = {**copy.deepcopy(settings.get("defaults", {})), **column.config}
            for override in settings.get("overrides", []):
                if _matches(override["matcher"], column, frame, frames):
                    _change(config, override["properties"])
            _check(config, custom)
            columns.append(replace(column, config=config))
        configured.append(replace(frame, fields=columns))
    return configured


def _matches(matcher: Mapping[str, Any], column: Field, frame: Frame, frames: Sequence[Frame]) -> bool:
    kind, wanted = matcher["id"], matcher.get("options")
    name = display_name(column, frame, frames)
    if kind == "byName":
        return wanted in (name, column.name)
    if kind == "byRegexp":
        return re.search(str(wanted).strip("/"), name) is not None
    raise Unsupported(f"matcher {kind!r} of an override is not drawn here; add it to monitoring/preview/fields.py")


def _change(config: dict[str, Any], properties: Sequence[Mapping[str, Any]]) -> None:
    for change in properties:
        *path, last = change["id"].split(".", 1)
        place = config.setdefault(path[0], {}) if path else config
        place[last] = change.get("value")


def _check(config: Mapping[str, Any], custom: set[str]) -> None:
    for key in config:
        if key not in _KNOWN:
            raise Unsupported(f"setting {key!r} of a field is not drawn here; add it to monitoring/preview/fields.py")
    for key in config.get("custom", {}):
        if key not in custom:
            raise Unsupported(f"setting 'custom.{key}' is not drawn here; add it to the panel's kind")
    if (mode := config.get("color", {}).get("mode", "fixed")) not in _MODES:
        raise Unsupported(f"colour mode {mode!r} is not drawn here; add it to monitoring/preview/fields.py")


def text(column: Field, value: Any) -> str:
    """Return what a value reads as: its word where it has one, or the number in its unit."""
    if mapped := _mapped(column, value).get("text"):
        return str(mapped)
    if isinstance(value, str) or value is None:
        return value or ""
    return units.write(value, column.config.get("unit", "none"), column.config.get("decimals"))


def shade(column: Field, value: float | None, place: int, default: str, span: tuple[float, float] = (0, 1)) -> str:
    """Return the colour of a value: its word's, or by the column's mode; `span` is what a scale goes over."""
    if mapped := _mapped(column, value).get("color"):
        return color(mapped)
    chosen = column.config.get("color", {})
    mode = chosen.get("mode", default)
    if mode == "fixed":
        return color(chosen["fixedColor"])
    if mode == "thresholds":
        return color(reached(column, value)["color"])
    if mode in SCALES:
        low, high = span
        return on_scale(SCALES[mode], ((value or 0) - low) / (high - low) if high > low else 0)
    return of_series(place)


def _mapped(column: Field, value: Any) -> Mapping[str, Any]:
    for mapping in column.config.get("mappings", []):
        if mapping["type"] != "value":
            raise Unsupported(f"mappings of type {mapping['type']!r} are not drawn here, only of values")
        key = f"{value:g}" if isinstance(value, float) else str(value)
        if key in mapping["options"]:
            found: Mapping[str, Any] = mapping["options"][key]
            return found
    return {}


def steps(column: Field) -> list[Mapping[str, Any]]:
    """Return the steps of a column's thresholds, the lowest first."""
    thresholds = column.config.get("thresholds", _THRESHOLDS)
    if thresholds["mode"] != "absolute":
        raise Unsupported(f"thresholds of mode {thresholds['mode']!r} are not drawn here, only absolute ones")
    found: list[Mapping[str, Any]] = thresholds["steps"]
    return found


def reached(column: Field, value: float | None) -> Mapping[str, Any]:
    """Return the highest step of the thresholds that a value reaches."""
    first, *others = steps(column)
    return next((step for step in reversed(others) if value is not None and value >= step["value"]), first)
