"""Bars that lie below one another, each with its number."""

from __future__ import annotations

from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from monitoring.preview.answers import Answer, Desk
from monitoring.preview.colors import FAINT, PANEL, TRACK
from monitoring.preview.draw.canvas import blank, breadth, pixels, write
from monitoring.preview.draw.reading import heed, reduced
from monitoring.preview.fields import shade, text

_LEAST, _MOST, _NAME = 16, 60, 14


def draw(answer: Answer, desk: Desk) -> Figure:
    """Draw a panel of kind bargauge."""
    heed(answer.panel, "displayMode", "gradient")
    heed(answer.panel, "orientation", "horizontal")
    heed(answer.panel, "showUnfilled", True)
    figure = blank(answer.panel.place)
    width, height = pixels(figure)
    numbers = reduced(answer)
    shown = numbers[: int(height // (_LEAST + 8))]
    lane = min(height / len(shown), _MOST + 8)
    high = max((value or 0.0 for _, _, value in numbers), default=0.0)
    left = max(breadth(figure, name, _NAME) for name, _, _ in shown) + 12
    right = max(breadth(figure, text(column, value), 18) for _, column, value in shown) + 16
    made = figure.add_axes((left / width, 0.0, (width - left - right) / width, 1.0), facecolor=PANEL)
    made.set_axis_off()
    made.set_xlim(0, 1)
    made.set_ylim(height, 0)
    for place, (name, column, value) in enumerate(shown):
        low, top = column.config.get("min", 0), column.config.get("max", high)
        share = min(max(((value or 0.0) - low) / (top - low), 0.0), 1.0) if top > low else 0.0
        tone = shade(column, value, place, "thresholds")
        y = lane * place
        box = (y + lane - 4, y + 4)
        made.fill_between([0, 1], [box[0]] * 2, [box[1]] * 2, color=TRACK, linewidth=0)
        shades = [[(*to_rgb(tone), 0.35 + 0.5 * part / 63) for part in range(64)]]
        made.imshow(shades, extent=(0, max(share, 1e-6), *box), aspect="auto", zorder=2)
        write(figure, left - 8, y + lane / 2, name, size=_NAME, at="right")
        write(figure, width - right + 8, y + lane / 2, text(column, value), tone, 18)
    if len(shown) < len(numbers):
        write(figure, width, height - 8, f"and {len(numbers) - len(shown)} more", FAINT, at="right")
    return figure
