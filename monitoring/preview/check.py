"""What each query of the dashboards returns, for a test that says which must return something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from monitoring.preview.answers import Desk
from monitoring.preview.boards import FOLDER, read_boards
from monitoring.preview.draw import CUSTOM
from monitoring.preview.prometheus import Prometheus
from monitoring.preview.window import Window


@dataclass(frozen=True)
class Returned:
    """A query by its dashboard, panel and letter, and the number of series that it returned, or the error.

    The queries of variables and annotations are there too, with the dashboard's title in the place of a panel's and
    `variable x` or `annotation y` in the place of a letter; those of variables count values.
    """

    dashboard: str
    panel: str
    ref: str
    expression: str
    series: int
    error: str | None


def ask_all(url: str, values: Mapping[str, str], window: Window, folder: Path = FOLDER) -> list[Returned]:
    """Return what every query of every dashboard returns, the variables chosen as Grafana does or as `values` say.

    A panel that cannot be drawn from what came, by its transformations say, is one more entry, without a letter.

    Raises:
        PreviewError: Prometheus does not answer, or there are no dashboards.
    """
    found = []
    server = Prometheus(url)
    for board in read_boards(folder):
        desk = Desk(board, server, window)
        desk.open(values)
        told = [(board.title, asked) for asked in desk.asked if asked.ref != "variable datasource"]
        for panel in board.panels:
            answer = desk.answer(panel, CUSTOM.get(panel.kind, set()))
            told += [(answer.title, asked) for asked in answer.asked]
            if answer.error:
                found.append(Returned(board.name, answer.title, "", "", 0, answer.error))
        found += [Returned(board.name, panel, it.ref, it.expression, it.series, it.error) for panel, it in told]
    return found
