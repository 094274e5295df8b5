"""Numbers, as large as there is room."""

from __future__ import annotations

from matplotlib.figure import Figure

from monitoring.preview.answers import Answer, Desk
from monitoring.preview.draw.canvas import blank, breadth, pixels, write
from monitoring.preview.draw.reading import heed, reduced
from monitoring.preview.fields import shade, text

_LARGEST = 44


def draw(answer: Answer, desk: Desk) -> Figure:
    """Draw a panel of kind stat."""
    heed(answer.panel, "graphMode", "none")
    heed(answer.panel, "colorMode", "value")
    heed(answer.panel, "textMode", "auto")
    figure = blank(answer.panel.place)
    width, height = pixels(figure)
    numbers = reduced(answer)
    part = width / len(numbers)
    texts = [text(column, value) for _, column, value in numbers]
    size = min(_LARGEST, *(_LARGEST * 0.9 * part / max(breadth(figure, it, _LARGEST), 1) for it in texts))
    for place, (name, column, value) in enumerate(numbers):
        middle = part * (place + 0.5)
        tone = shade(column, value, place, "thresholds")
        if len(numbers) > 1:
            write(figure, middle, height * 0.22, name, size=14, at="center")
        write(figure, middle, height * (0.62 if len(numbers) > 1 else 0.5), texts[place], tone, size, "center")
    return figure
