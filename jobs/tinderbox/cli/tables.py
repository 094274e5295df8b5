"""What a study that has ended looks like on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tinderbox.api.result import SweepResult
from tinderbox.cli.screen import number
from tinderbox.config import SweepJob
from tinderbox.models.gain import Gain
from tinderbox.report.wording import count
from tinderbox.sweeping.confirming import Confirmed, confirmations
from tinderbox.sweeping.front import front
from tinderbox.sweeping.history import Trial

SHOWN_TRIALS = 8
SHOWN_FRONT = 20


def print_result(console: Console, result: SweepResult) -> None:
    """Print the best trials, the gain, and where everything is."""
    console.print(best_trials(result))
    if result.job.objectives:
        console.print(front_trials(result))
    for line in describe_confirmations(result):
        console.print(line, soft_wrap=True)
    if result.gain is not None:
        console.print(describe_gain(result.gain), soft_wrap=True)
    for what, path in result.files().items():
        console.print(Text.assemble((f"{what:<10}", "bold"), " ", path), soft_wrap=True)


def best_trials(result: SweepResult) -> Table:
    """Return a table of the best trials, the baseline marked."""
    record = result.record
    table = Table(title=f"best of {len(record.trials)} trials of study {result.job.name}", title_justify="left")
    for column in ("rank", "trial", *result.job.reported, *result.job.parameters, "seconds"):
        table.add_column(column, justify="right")
    for rank, trial in enumerate(record.ranked()[:SHOWN_TRIALS], start=1):
        table.add_row(str(rank), *_cells(trial, result.job), style="bold green" if rank == 1 else "")
    return table


def front_trials(result: SweepResult) -> Table:
    """Return a table of the trials that no other one beats in all objectives."""
    found, job = front(result.record), result.job
    caption = f"and {len(found) - SHOWN_FRONT} more in the report" if len(found) > SHOWN_FRONT else None
    title = f"front: {count(len(found), 'trial')} beaten by no other in {' and '.join(job.signs)}"
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    for column in ("trial", *job.reported, *job.parameters, "seconds"):
        table.add_column(column, justify="right")
    for trial in found[:SHOWN_FRONT]:
        table.add_row(*_cells(trial, job))
    return table


def _cells(trial: Trial, job: SweepJob) -> list[str]:
    """Return a trial's number, metrics, parameters and seconds."""
    return [
        f"{trial.number}{' (default)' if trial.baseline else ''}",
        *(number(trial.value(name)) for name in job.reported),
        *(number(trial.parameters.get(name, "-")) for name in job.parameters),
        f"{trial.seconds:.1f}",
    ]


def describe_confirmations(result: SweepResult) -> list[str]:
    """Return what became of the leaders that were trained again, a line each, the winner first."""
    return [_describe(one, result.job.metric.name) for one in confirmations(result.record)]


def _describe(one: Confirmed, metric: str) -> str:
    seeds = count(one.repeats, "other seed")
    failed = f", {one.failed} of which failed or diverged" if one.failed else ""
    spread = "" if one.deviation is None else f" +- {number(one.deviation)}"
    return (
        f"trial {one.trial.number}, trained again with {seeds}{failed}: {metric} {number(one.mean)}{spread}, "
        f"{number(one.trial.value(metric))} in the search"
        f"{f'; not feasible on average: {one.broken}' if one.broken else ''}"
    )


def describe_gain(gain: Gain) -> str:
    """Return what tuning gained, as a sentence with its interval."""
    scale, unit = (100.0, " %") if gain.measure == "accuracy" else (1.0, "")
    best, baseline, difference = scale * gain.best, scale * gain.baseline, scale * gain.difference
    return (
        f"test {gain.measure} {best:.4g}{unit}, {baseline:.4g}{unit} with the default parameters: "
        f"a gain of {difference:+.3g} (95 % interval {scale * gain.low:+.3g} to {scale * gain.high:+.3g}); "
        f"chosen on validation data, scored once on {gain.examples} test examples"
    )
