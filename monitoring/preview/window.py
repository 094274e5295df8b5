"""The time that a dashboard looks at, and the steps and windows that Grafana derives from it."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass

from monitoring.preview.errors import PreviewError

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}

MOST_POINTS = 11_000
"""Prometheus refuses a range of more."""

_ROUND = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_BELOW = (1.5, 3.5, 7.5, 12.5, 17.5, 25, 45, 90, 210, 450, 750, 1050, 1500, 2700, 5400, 9000, 16200, 32400, 86400)
"""A step below each of these becomes the round one in its place; no shorter one is asked of Prometheus here."""


@dataclass(frozen=True)
class Window:
    """From when to when, in Unix seconds, and how often Prometheus scrapes, as Grafana's data source is told."""

    start: float
    end: float
    scrape: float = 15.0

    @property
    def range(self) -> float:
        """How long it is, in seconds."""
        return self.end - self.start

    def step(self, width: int) -> float:
        """Return the step, $__interval, of a panel of so many pixels, each of which may show a point."""
        wanted = self.range / width
        rounded = next((step for step, below in zip(_ROUND, _BELOW, strict=False) if wanted < below), _ROUND[-1])
        return max(self.scrape if wanted < self.scrape else rounded, float(math.ceil(self.range / MOST_POINTS)))

    def rate_interval(self, step: float) -> float:
        """Return $__rate_interval: wide enough that a rate has always some scrapes."""
        return max(step + self.scrape, 4 * self.scrape)

    def aligned(self, step: float) -> tuple[float, float]:
        """Return start and end as Grafana asks for them: at multiples of the step, so that a refresh moves no point."""
        return self.start // step * step, self.end // step * step

    def variables(self, width: int) -> dict[str, str]:
        """Return Grafana's own variables for a panel of so many pixels."""
        step = self.step(width)
        return {
            "__interval": spell(step),
            "__interval_ms": str(round(step * 1000)),
            "__rate_interval": spell(self.rate_interval(step)),
            "__range": f"{round(self.range)}s",
            "__range_s": str(round(self.range)),
            "__range_ms": str(round(self.range * 1000)),
        }


def spell(seconds: float) -> str:
    """Return a duration as PromQL has it."""
    return f"{round(seconds)}s" if seconds == round(seconds) else f"{round(seconds * 1000)}ms"


def read_duration(text: str) -> float:
    """Return the seconds of a duration such as 15s.

    Raises:
        PreviewError: It is none.
    """
    found = re.fullmatch(r"(\d+)(ms|[smhdw])", text)
    if not found or int(found[1]) == 0:
        raise PreviewError(f"a duration is a number and ms, s, m, h, d or w, such as 15s, got {text!r}")
    return int(found[1]) * _SECONDS[found[2]]


def read_window(start: str, end: str, scrape: str, now: float | None = None) -> Window:
    """Return the window between two moments.

    Raises:
        PreviewError: One of them is none, or the second is not after the first.
    """
    now = time.time() if now is None else now
    window = Window(_moment(start, now), _moment(end, now), read_duration(scrape))
    if window.range <= 0:
        raise PreviewError(f"--to must be after --from, got {end!r} and {start!r}")
    return window


def _moment(text: str, now: float) -> float:
    if re.fullmatch(r"\d{9,}(\.\d+)?", text):
        return float(text)
    found = re.fullmatch(r"(?:now)?(?:-(\w+))?", text)
    if not text or not found:
        raise PreviewError(f"a time is now, -30m, or Unix seconds, got {text!r}")
    return now - (read_duration(found[1]) if found[1] else 0)
