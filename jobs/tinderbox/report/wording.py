"""How numbers, lengths of time and parameters are written for a reader."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from tinderbox.config import Value

NOTHING = "—"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_BYTES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))


def number(value: float | None) -> str:
    """Return a number with four significant digits, whole numbers in full; a dash for none."""
    if value is None:
        return NOTHING
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "-∞"
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e9):
        return str(int(value))
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def plain(value: Value | None) -> str:
    """Return the value of a parameter; a dash where the trial has none."""
    if isinstance(value, bool | str):
        return str(value)
    return number(value)


def parameters(chosen: Mapping[str, Value]) -> str:
    """Return parameters in one line."""
    return ", ".join(f"{name} = {plain(value)}" for name, value in chosen.items())


def duration(seconds: float) -> str:
    """Return a length of time given in seconds, in its two largest units."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{seconds:.1f} s" if whole < 10 else f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def moment(time: float) -> str:
    """Return a point in time given in Unix seconds, in UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M UTC")


def count(amount: int, thing: str) -> str:
    """Return an amount of things, in the plural where there is not exactly one."""
    return f"{amount:,} {thing}" if amount == 1 else f"{amount:,} {thing}s"


def percent(part: float, whole: float) -> str:
    """Return a share in percent with one digit, a dash where there is nothing to share."""
    return f"{100 * part / whole:.1f} %" if whole else NOTHING


def size(amount: float) -> str:
    """Return so many bytes with three significant digits, in decimal units."""
    scale, unit = byte_unit(amount)
    scaled = amount / scale
    return f"{scaled:,.0f} {unit}" if scaled >= 100 else f"{scaled:.3g} {unit}"


def byte_unit(amount: float) -> tuple[float, str]:
    """Return the largest decimal unit of which so many bytes have one, in bytes and by its name."""
    return next((scale, unit) for scale, unit in _BYTES if amount >= scale or unit == "B")
