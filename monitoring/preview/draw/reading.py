"""What the pictures have in common in how they read a panel: options that are heeded, and one number of a series."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monitoring.preview.answers import Answer
from monitoring.preview.boards import Panel
from monitoring.preview.errors import Unsupported
from monitoring.preview.frames import Field, display_name


def heed(panel: Panel, option: str, *known: object) -> None:
    """Refuse an option that is drawn in one way only, and is set to another.

    Raises:
        Unsupported: It is.
    """
    value: object = panel.options
    for key in option.split("."):
        value = value.get(key, known[0]) if isinstance(value, dict) else known[0]
    if value not in known:
        raise Unsupported(f"option {option} of a {panel.kind} is drawn as {known[0]!r} only, got {value!r}")


def newest(values: Sequence[float | None]) -> float | None:
    """Return the last value that is a number, which Grafana calls lastNotNull."""
    return next((it for it in reversed(values) if it is not None and not math.isnan(it)), None)


def reduced(answer: Answer) -> list[tuple[str, Field, float | None]]:
    """Return each series as one number, under its name.

    Raises:
        Unsupported: Another number than the newest is asked for.
    """
    heed(answer.panel, "reduceOptions.calcs", ["lastNotNull"])
    heed(answer.panel, "reduceOptions.values", False)
    return [
        (display_name(column, frame, answer.frames), column, newest(column.values))
        for frame in answer.frames
        for column in frame.numbers()
    ]
