"""A dashboard as one PNG: its panels' pictures below their titles, where they are in Grafana."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from monitoring.preview.answers import Desk
from monitoring.preview.boards import HEAD, PADDING, WIDTH, Panel
from monitoring.preview.colors import BORDER, FAINT, PAGE, PANEL, TEXT, color
from monitoring.preview.draw import Drawn
from monitoring.preview.page import head

_EDGE, _ABOVE = 16, 84
"""In pixels: the edge of the page, and what is above the panels."""


def picture(desk: Desk, rows: Sequence[Panel], drawn: Sequence[Drawn]) -> bytes:
    """Return the picture of a dashboard as PNG."""
    everything = [*rows, *(one.answer.panel for one in drawn)]
    height = max((sum(panel.place.box[1::2]) for panel in everything), default=0)
    image = Image.new("RGB", (WIDTH + 2 * _EDGE, height + _ABOVE + _EDGE), PAGE)
    pen = ImageDraw.Draw(image)
    pen.text((_EDGE, _EDGE), desk.board.title, TEXT, _font(18))
    pen.text((_EDGE, _EDGE + 34), "     ".join(f"{name}: {value}" for name, value in head(desk)), FAINT, _font(13))
    for row in rows:
        pen.text((_EDGE, row.place.box[1] + _ABOVE + 7), row.title, TEXT, _font(15))
    for one in drawn:
        left, top, width, high = one.answer.panel.place.box
        left, top = left + _EDGE, top + _ABOVE
        edge = color("red") if one.errors else BORDER
        pen.rectangle((left, top, left + width - 1, top + high - 1), PANEL, edge)
        pen.text((left + PADDING, top + 9), one.answer.title, TEXT, _font(13))
        with Image.open(BytesIO(one.picture)) as panel:
            image.paste(panel.convert("RGB"), (left + PADDING, top + HEAD))
    written = BytesIO()
    image.save(written, "PNG", optimize=True)
    return written.getvalue()


def _font(size: int) -> ImageFont.FreeTypeFont:
    """The font that matplotlib brings along."""
    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)
