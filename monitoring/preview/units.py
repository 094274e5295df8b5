"""Numbers as Grafana writes them in a unit."""

from __future__ import annotations

import math
from collections.abc import Callable

from monitoring.preview.errors import Unsupported

_SECONDS = ((1e-6, 1e-9, " ns"), (1e-3, 1e-6, " µs"), (1, 1e-3, " ms"), (60, 1, " s"), (3600, 60, " min"))
_LONGER = ((86400, 3600, " hour"), (604800, 86400, " day"), (31536000, 604800, " week"), (math.inf, 31536000, " year"))


def write(value: float | None, unit: str, decimals: int | None = None) -> str:
    """Return a value in a unit, with as many decimals as are given or as it deserves.

    Raises:
        Unsupported: The unit is not known here.
    """
    if unit not in _UNITS:
        raise Unsupported(f"unit {unit!r} is not drawn here; add it to monitoring/preview/units.py")
    if value is None:
        return ""
    return _UNITS[unit](value, decimals) if math.isfinite(value) else str(value)


def _fixed(value: float, decimals: int | None) -> str:
    return f"{value:.{_decimals(value) if decimals is None else decimals}f}"


def _decimals(value: float) -> int:
    """Return how many decimals keep about three digits, none for a whole number."""
    if value == round(value):
        return 0
    return max(0, 2 - math.floor(math.log10(abs(value))))


def _percent(value: float, decimals: int | None) -> str:
    return f"{_fixed(value * 100, decimals)}%"


def _seconds(value: float, decimals: int | None) -> str:
    if value == 0:
        return "0 s"
    size, name = next((size, name) for below, size, name in (*_SECONDS, *_LONGER) if abs(value) < below)
    return _fixed(value / size, decimals) + name


def _scaled(names: tuple[str, ...]) -> Callable[[float, int | None], str]:
    def scale(value: float, decimals: int | None) -> str:
        power = min(int(math.log(abs(value), 1024)), len(names) - 1) if abs(value) >= 1 else 0
        return f"{_fixed(value / 1024**power, decimals)} {names[power]}"

    return scale


_BYTES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")

_UNITS: dict[str, Callable[[float, int | None], str]] = {
    "none": _fixed,
    "string": _fixed,
    "percentunit": _percent,
    "s": _seconds,
    "bytes": _scaled(_BYTES),
    "binBps": _scaled(tuple(f"{name}/s" for name in _BYTES)),
}
