"""The dashboards' queries, asked: what each panel has to show, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monitoring.preview.boards import WIDTH, Board, Panel, Query
from monitoring.preview.errors import QueryFailed, Unsupported
from monitoring.preview.fields import configure
from monitoring.preview.frames import Frame, from_series, from_table
from monitoring.preview.prometheus import Prometheus, Series
from monitoring.preview.transformations import transform
from monitoring.preview.variables import Variable, fill, resolve, spell
from monitoring.preview.window import Window


@dataclass(frozen=True)
class Asked:
    """A query as it was asked, and how many series came, or why none did; `step` is None for one of a moment."""

    ref: str
    expression: str
    series: int = 0
    error: str | None = None
    step: float | None = None


@dataclass(frozen=True)
class Answer:
    """What a panel has to show."""

    panel: Panel
    title: str
    asked: Sequence[Asked] = ()
    frames: Sequence[Frame] = ()
    error: str | None = None

    @property
    def errors(self) -> list[str]:
        """Every reason why it is not drawn."""
        failed = [f"{asked.ref}: {asked.error}" for asked in self.asked if asked.error]
        return failed + ([self.error] if self.error else [])

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(frame.rows and frame.fields for frame in self.frames)


@dataclass(frozen=True)
class Mark:
    """From when to when something is marked, such as an alert that fires."""

    start: float
    end: float


@dataclass
class Desk:
    """One dashboard that is looked at: who is asked for what time, what is chosen, and what is marked."""

    board: Board
    server: Prometheus
    window: Window
    variables: dict[str, Variable] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    def open(self, given: Mapping[str, str]) -> None:
        """Choose the variables and find the marks; `asked` tells of their queries, by what they are for.

        Raises:
            PreviewError: Prometheus does not answer.
        """
        for told in self.board.variables:
            name, query = told["name"], told.get("query", "")
            try:
                chosen = resolve(told, self.variables, given, self.server, self.window)
                self.asked.append(Asked(f"variable {name}", query, len(chosen.values)))
            except (QueryFailed, Unsupported) as error:
                chosen = Variable(name, [])
                self.asked.append(Asked(f"variable {name}", query, error=str(error)))
            self.variables[name] = chosen
        for told in self.board.annotations:
            step = self.window.step(WIDTH)
            query = Query(f"annotation {told['name']}", told["expr"], None, is_range=True, is_table=False)
            asked, found = self._ask(query, WIDTH)
            self.asked.append(asked)
            self.marks += [mark for series in found for mark in _spans(series, step)]

    def answer(self, panel: Panel, custom: set[str]) -> Answer:
        """Ask a panel's queries; `custom` are the settings of fields that its kind heeds.

        Raises:
            PreviewError: Prometheus does not answer.
        """
        title = spell(panel.title, self.variables)
        both = [self._ask(query, panel.place.inside[0]) for query in panel.queries]
        asked = [one for one, _ in both]
        if any(one.error for one in asked):
            return Answer(panel, title, asked)
        try:
            frames = transform(_frames(panel, both), panel.settings.get("transformations", []))
            frames = configure(frames, _spelled(panel.settings.get("fieldConfig", {}), self.variables), custom)
        except Unsupported as error:
            return Answer(panel, title, asked, error=str(error))
        return Answer(panel, title, asked, frames)

    def _ask(self, query: Query, width: int) -> tuple[Asked, list[Series]]:
        step = self.window.step(width) if query.is_range else None
        expression = query.expression
        try:
            expression = fill(expression, self.variables, self.window.variables(width))
            if step is None:
                found = self.server.now(expression, self.window.end)
            else:
                found = self.server.over(expression, *self.window.aligned(step), step)
        except (QueryFailed, Unsupported) as error:
            return Asked(query.ref, expression, error=str(error), step=step), []
        return Asked(query.ref, expression, len(found), step=step), found


def _frames(panel: Panel, answered: Sequence[tuple[Asked, list[Series]]]) -> list[Frame]:
    frames: list[Frame] = []
    tables = sum(query.is_table for query in panel.queries)
    for query, (asked, found) in zip(panel.queries, answered, strict=True):
        if query.is_table and query.is_range:
            raise Unsupported(f"query {query.ref} as a table over time is not drawn here, only as one of now")
        if query.is_table:
            frames.append(from_table(found, query.ref, is_alone=tables == 1))
        else:
            frames += from_series(found, query.ref, query.legend, asked.expression)
    return frames


def _spans(series: Series, step: float) -> list[Mark]:
    """Return from when to when a series has points without a gap."""
    moments = [moment for moment, _ in series.points]
    starts = [it for before, it in zip([-float("inf"), *moments], moments, strict=False) if it - before > 1.5 * step]
    ends = [it for it, after in zip(moments, [*moments[1:], float("inf")], strict=True) if after - it > 1.5 * step]
    return [Mark(start, end) for start, end in zip(starts, ends, strict=True)]


def _spelled(tree: Any, variables: Mapping[str, Variable]) -> Any:
    """Return settings with what is chosen in the places of variables."""
    if isinstance(tree, dict):
        return {key: _spelled(value, variables) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_spelled(value, variables) for value in tree]
    return spell(tree, variables) if isinstance(tree, str) else tree
