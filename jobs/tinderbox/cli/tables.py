"""What a study that has ended looks like on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tinderbox.api.result import SweepResult
from tinderbox.cli.screen import number
from tinderbox.models.gain import Gain
from tinderbox.report.wording import count
from tinderbox.sweeping.confirming import Confirmed, confirmations

SHOWN_TRIALS = 8


def print_result(console: Console, result: SweepResult) -> None:
    """Print the best trials, the gain, and where everything is."""
    console.print(best_trials(result))
    for line in describe_confirmations(result):
        console.print(line, soft_wrap=True)
    if result.gain is not None:
        console.print(describe_gain(result.gain), soft_wrap=True)
    for what, path in result.files().items():
        console.print(Text.assemble((f"{what:<10}", "bold"), " ", path), soft_wrap=True)


def best_trials(result: SweepResult) -> Table:
    """Return a table of the best trials, the baseline marked."""
    record, metric = result.record, result.job.metric.name
    table = Table(title=f"best of {len(record.trials)} trials of study {result.job.name}", title_justify="left")
    for column in ("rank", "trial", metric, *result.job.parameters, "seconds"):
        table.add_column(column, justify="right")
    for rank, trial in enumerate(record.ranked()[:SHOWN_TRIALS], start=1):
        values = [number(trial.parameters.get(name, "-")) for name in result.job.parameters]
        mark = " (default)" if trial.baseline else ""
        table.add_row(
            str(rank),
            f"{trial.number}{mark}",
            number(trial.value(metric)),
            *values,
            f"{trial.seconds:.1f}",
            style="bold green" if rank == 1 else "",
        )
    return table


def describe_confirmations(result: SweepResult) -> list[str]:
    """Return what became of the leaders that were trained again, a line each, the winner first."""
    return [_describe(one, result.job.metric.name) for one in confirmations(result.record)]


def _describe(one: Confirmed, metric: str) -> str:
    seeds = count(len(one.values), "other seed")
    spread = "" if one.deviation is None else f" +- {number(one.deviation)}"
    return (
        f"trial {one.trial.number}, trained again with {seeds}: {metric} {number(one.mean)}{spread}, "
        f"{number(one.trial.value(metric))} in the search"
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
