"""What a study that has ended looks like on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tinderbox.api.result import SweepResult
from tinderbox.cli.screen import number
from tinderbox.models.gain import Gain

SHOWN_TRIALS = 8


def print_result(console: Console, result: SweepResult) -> None:
    """Print the best trials, the gain, and where everything is."""
    console.print(best_trials(result))
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


def describe_gain(gain: Gain) -> str:
    """Return what tuning gained, as a sentence with its interval."""
    scale, unit = (100.0, " %") if gain.measure == "accuracy" else (1.0, "")
    best, baseline, difference = scale * gain.best, scale * gain.baseline, scale * gain.difference
    return (
        f"test {gain.measure} {best:.4g}{unit}, {baseline:.4g}{unit} with the default parameters: "
        f"a gain of {difference:+.3g} (95 % interval {scale * gain.low:+.3g} to {scale * gain.high:+.3g}); "
        f"chosen on validation data, scored once on {gain.examples} test examples"
    )
