"""Grafana's dark theme: its colours by name, the palette of series, and scales from one colour to another."""

from __future__ import annotations

import re
from collections.abc import Sequence

from monitoring.preview.errors import Unsupported

PAGE, PANEL, BORDER = "#111217", "#181b1f", "#25272c"
TEXT, FAINT, GRID = "#ccccdc", "#8e8e99", "#2c2f36"
TRACK = "#22252b"
"""What a bar or a gauge has not filled."""

_SHADES = ("super-light", "light", "", "semi-dark", "dark")
_HUES = {
    "red": "#FFA6B0 #FF7383 #F2495C #E02F44 #C4162A",
    "orange": "#FFCB7D #FFB357 #FF9830 #FF780A #FA6400",
    "yellow": "#FFF899 #FFEE52 #FADE2A #F2CC0C #E0B400",
    "green": "#C8F2C2 #96D98D #73BF69 #56A64B #37872D",
    "blue": "#C0D8FF #8AB8FF #5794F2 #3274D9 #1F60C4",
    "purple": "#DEB6F2 #CA95E5 #B877D9 #A352CC #8F3BB8",
}
NAMED = {
    f"{shade}-{hue}".lstrip("-"): color
    for hue, colors in _HUES.items()
    for shade, color in zip(_SHADES, colors.split(), strict=True)
} | {"text": TEXT, "transparent": "#00000000"}

PALETTE = [
    *("green", "semi-dark-yellow", "light-blue", "semi-dark-orange", "red", "blue", "purple", "#705DA0", "dark-green"),
    *("yellow", "#447EBC", "#C15C17", "#890F02", "#0A437C", "#6D1F62", "#584477", "#B7DBAB", "#F4D598", "#70DBED"),
]

SCALES = {"continuous-BlPu": ("super-light-blue", "dark-purple"), "continuous-GrYlRd": ("green", "yellow", "red")}


def color(name: str) -> str:
    """Return a colour as matplotlib reads it.

    Raises:
        Unsupported: Its name is not known here.
    """
    if name in NAMED:
        return NAMED[name]
    if re.fullmatch(r"#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?", name):
        return name
    if found := re.fullmatch(r"rgba\((\d+), *(\d+), *(\d+), *([\d.]+)\)", name):
        red, green, blue, alpha = int(found[1]), int(found[2]), int(found[3]), round(float(found[4]) * 255)
        return f"#{red:02x}{green:02x}{blue:02x}{alpha:02x}"
    raise Unsupported(f"colour {name!r} is not drawn here; add it to monitoring/preview/colors.py")


def of_series(number: int) -> str:
    """Return the colour of a series by its place among them."""
    return color(PALETTE[number % len(PALETTE)])


def on_scale(names: Sequence[str], share: float) -> str:
    """Return the colour at a share, from 0 to 1, of the way through some colours."""
    place = min(max(share, 0.0), 1.0) * (len(names) - 1)
    first = min(int(place), len(names) - 2)
    begin, end = (bytes.fromhex(color(name)[1:7]) for name in names[first : first + 2])
    mixed = [round(a + (b - a) * (place - first)) for a, b in zip(begin, end, strict=True)]
    return "#" + bytes(mixed).hex()
