"""The colors of all plots: middle tones that can be told apart on white and on near-black."""

from __future__ import annotations

ACCENT = "#3f86d0"
BEST = "#e0752d"
INK = "#8a8f98"
GRID = "#e3e3df"

OUTCOMES = {
    "complete": ACCENT,
    "running": "#1f9c9c",
    "failed": "#d9515c",
    "diverged": "#e0a12d",
    "timed_out": "#b0632f",
    "out_of_memory": "#a33b6b",
    "lost": "#9355c4",
    "infrastructure": "#6468d8",
    "paused": "#7fa9dc",
    "stopped": "#8a8f98",
    "released": "#b9bdc4",
}
"""How attempts ended, in the order of the legend; `running` stands for those that have not."""

ENDINGS = {
    "killed": "#b0632f",
    "frozen": "#6468d8",
    "replaced": "#7fa9dc",
    "superseded": "#8a8f98",
    **{name: OUTCOMES[name] for name in ("failed", "out_of_memory", "lost", "released")},
}
"""How attempts of a training end before it is over."""

SCALE = ("#b9bdc4", "#7fa9dc", "#3f86d0", "#e0752d")
"""From the worst trial to the best one, evenly spread."""

_RAMP = ("#d99a1c", "#e0752d", "#d9515c", "#c2458f", "#9355c4", "#6468d8", "#3f86d0", "#1f9c9c")
MAXIMUM = len(_RAMP)
"""How many lines can be told apart."""


def ramp(count: int) -> list[str]:
    """Return `count` colors, `MAXIMUM` at most, from warm to cool, so that the order of values is seen."""
    if count == 1:
        return [ACCENT]
    return [_RAMP[round(index * (MAXIMUM - 1) / (count - 1))] for index in range(count)]
