"""The command that says how two runs differ, and what came of it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from tinderbox.api.compare import Comparison, compare_runs
from tinderbox.api.differences import Change, Course, Figure, Metric
from tinderbox.cli.kept import storage
from tinderbox.cli.screen import open_console, say
from tinderbox.models.gain import Gain
from tinderbox.report.headline import score
from tinderbox.report.wording import NOTHING, count, number

_LONGEST = 60
"""How many characters of a value are shown."""
_DIGITS = 12
"""How many digits of a digest are shown."""


@click.command()
@click.argument("first", metavar="RUN")
@click.argument("second", metavar="RUN")
@storage
@click.option("--other-storage", help="Where the second run is, if not where the first one is.")
@click.option("--score/--no-score", "scored", default=True, help="Score the models of two trainings on test examples.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
def diff(first: str, second: str, storage: str, other_storage: str | None, scored: bool, as_json: bool) -> None:
    """Say which of data, code, configuration, model and versions two runs differ in, and what that did to the metrics.

    Both are trainings, or studies, or batch inferences. Where two trainings have the same data with test examples,
    their models are scored on these, with a 95 % interval of the difference.
    """
    compared = compare_runs(first, second, storage, other_storage, scored)
    if as_json:
        click.echo(json.dumps(as_tree(compared), indent=2, allow_nan=False, default=str))
    else:
        print_comparison(open_console(), compared)


def as_tree(compared: Comparison) -> dict[str, Any]:
    """Return a comparison as plain values; a number that is not finite is null."""
    tree = asdict(compared)
    figures = [{**asdict(figure), "difference": figure.difference} for figure in compared.figures]
    finite: dict[str, Any] = _finite({"same": compared.same, **tree, "figures": figures})
    return finite


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_comparison(console: Console, compared: Comparison) -> None:
    """Print what differs and what came of it, in tables; what is the same has one line."""
    say(console, f"first: {compared.kind} {compared.first}; second: {compared.kind} {compared.second}")
    say(console, _say_same(compared))
    digests = [one for one in compared.digests if one.first != one.second]
    for title, found in (
        ("digests", digests),
        ("configuration", compared.configuration),
        ("versions", compared.versions),
    ):
        if found:
            console.print(_changes(title, found))
    console.print(_figures(compared.figures))
    if compared.metrics:
        console.print(_metrics(compared.metrics, "best"))
        console.print(_metrics(compared.metrics, "last"))
        if any(metric.goal is not None for metric in compared.metrics):
            console.print(_goals(compared.metrics))
    if compared.gain is not None:
        say(console, describe_gain(compared.gain))
    elif compared.no_gain:
        say(console, f"not scored on test examples: {compared.no_gain}")


def _say_same(compared: Comparison) -> str:
    same = [name for name, equal in compared.same.items() if equal]
    changed = [name for name, equal in compared.same.items() if not equal]
    told = [f"changed: {', '.join(changed)}" if changed else "nothing has changed"]
    return "; ".join([*told, f"the same: {', '.join(same)}"] if changed and same else told)


def _changes(title: str, found: Sequence[Change]) -> Table:
    table = Table("", "first", "second", title=title, title_justify="left")
    for change in found:
        digits = _DIGITS if title == "digests" else _LONGEST
        table.add_row(change.name, _shown(change.first, digits), _shown(change.second, digits))
    return table


def _shown(value: Any, longest: int) -> str:
    text = NOTHING if value is None or value == "" else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= longest else f"{text[:longest]}..."


def _figures(figures: Sequence[Figure]) -> Table:
    table = _numbers("figures", "", "first", "second", "difference")
    for figure in figures:
        table.add_row(figure.name, number(figure.first), number(figure.second), _signed(figure.difference))
    return table


def _metrics(metrics: Sequence[Metric], kind: str) -> Table:
    """Return the best or the last values of each metric, the best ones with their epochs."""
    note = ", with its epoch" if kind == "best" else ""
    table = _numbers(f"{kind} of each metric{note}", "", "first", "second", "difference")
    for metric in metrics:
        one, other = (
            None if course is None else float(getattr(course, kind)) for course in (metric.first, metric.second)
        )
        epochs = [_epoch(course) if kind == "best" else "" for course in (metric.first, metric.second)]
        difference = Figure(metric.name, one, other).difference
        shown = (f"{_score(metric.name, one)}{epochs[0]}", f"{_score(metric.name, other)}{epochs[1]}")
        table.add_row(metric.name, *shown, _signed(difference, metric.name))
    return table


def _score(name: str, value: float | None) -> str:
    return NOTHING if value is None else score(name, value)


def _epoch(course: Course | None) -> str:
    return "" if course is None else f" ({course.epoch})"


def _goals(metrics: Sequence[Metric]) -> Table:
    table = _numbers("until both were as good as", "", "value", "epochs first", "second", "seconds first", "second")
    for metric in metrics:
        if metric.goal is not None and metric.epochs and metric.seconds:
            counts = (number(metric.epochs.first), number(metric.epochs.second))
            lengths = (number(metric.seconds.first), number(metric.seconds.second))
            table.add_row(metric.name, score(metric.name, metric.goal), *counts, *lengths)
    return table


def _numbers(title: str, *heads: str) -> Table:
    table = Table(title=title, title_justify="left")
    for index, head in enumerate(heads):
        table.add_column(head, justify="right" if index else "left")
    return table


def _signed(value: float | None, name: str = "") -> str:
    """Return a difference with its sign; that of a metric in percent is in points."""
    if not value:
        return NOTHING if value is None else "0"
    return f"{'+' if value > 0 else '-'}{score(name, abs(value)).replace('%', 'points')}"


def describe_gain(gain: Gain) -> str:
    """Return what the second model is better by than the first one, as a sentence with its interval."""
    scale, unit = (100.0, " %") if gain.measure == "accuracy" else (1.0, "")
    low, high = scale * gain.low, scale * gain.high
    chance = "; 0 lies inside it: this much can be chance" if gain.low <= 0 <= gain.high else ""
    return (
        f"test {gain.measure} on {count(gain.examples, 'example')}: {scale * gain.baseline:.4g}{unit} first, "
        f"{scale * gain.best:.4g}{unit} second, a difference of {scale * gain.difference:+.3g} "
        f"(95 % interval {low:+.3g} to {high:+.3g}{chance})"
    )
