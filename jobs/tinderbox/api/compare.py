"""Two runs side by side: which of their data, code, configuration, model and versions differ, and what came of it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinderbox.api.differences import Change, Figure, Metric, changes, compare_histories
from tinderbox.api.labelled import open_rows
from tinderbox.api.material import find_material
from tinderbox.api.result import open_study
from tinderbox.api.trained import TrainResult, open_training
from tinderbox.config.data import Memory, Sharded
from tinderbox.data import Examples
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.models.gain import Gain
from tinderbox.models.gain import compare as score_both
from tinderbox.run import Run
from tinderbox.storage import StudyFolder
from tinderbox.storage.finding import find_run
from tinderbox.storage.rows import RowsFolder
from tinderbox.storage.training import MODEL, TrainFolder

UNLIKE = ("name", "storage")
"""Keys of a job that any two runs differ in, and on which no result depends."""

Folder = StudyFolder | RowsFolder | TrainFolder


@dataclass(frozen=True)
class Comparison:
    """Two runs of one `kind` and what is not the same in them.

    `digests` are SHA-256 of both, by what they are of; `configuration` has its keys with dots, and `versions` the
    packages and Python. `figures` are what any such runs have, and `metrics` those of trainings. `gain` is what the
    second model is better by than the first on the test examples, which neither has seen, and `no_gain` says why that
    was not measured.
    """

    kind: str
    first: str
    second: str
    digests: tuple[Change, ...]
    configuration: tuple[Change, ...]
    versions: tuple[Change, ...]
    figures: tuple[Figure, ...]
    metrics: tuple[Metric, ...] = ()
    gain: Gain | None = None
    no_gain: str = ""

    @property
    def same(self) -> dict[str, bool]:
        """Whether data, code, model, configuration and versions are the same in both runs."""
        return {
            **{one.name: one.first == one.second for one in self.digests},
            "configuration": not self.configuration,
            "versions": not self.versions,
        }


def compare_runs(
    first: str, second: str, storage: str = "studies", other_storage: str | None = None, score: bool = True
) -> Comparison:
    """Return how two runs differ; the second one is in `other_storage` where that is not the first one's.

    With `score`, the models of two trainings on the same data are scored on its test examples, if it has some.

    Raises:
        BadInput: There is no such run, the two are of different kinds, or one of them is damaged.
    """
    ours, theirs = find_run(storage, first), find_run(other_storage or storage, second)
    if ours.kind != theirs.kind:
        raise BadInput(f"{first} is a {ours.kind} and {second} a {theirs.kind}; name two runs of one kind")
    one, other = ours.read_run(), theirs.read_run()
    metrics: tuple[Metric, ...] = ()
    gain, no_gain = None, ""
    if isinstance(ours, TrainFolder) and isinstance(theirs, TrainFolder):
        pair = [open_training(first, storage), open_training(second, other_storage or storage)]
        figures = _figures(*map(_of_training, pair))
        metrics = compare_histories(pair[0].record.history, pair[1].record.history)
        gain, no_gain = _measure(pair, one, other) if score else (None, "")
    else:
        figures = _figures(_told(ours, storage), _told(theirs, other_storage or storage))
    return Comparison(
        kind=ours.kind,
        first=first,
        second=second,
        digests=_digests(ours.kind, one, other),
        configuration=changes(ours.read_job(), theirs.read_job(), UNLIKE),
        versions=changes({"Python": one.python, **one.versions}, {"Python": other.python, **other.versions}),
        figures=figures,
        metrics=metrics,
        gain=gain,
        no_gain=no_gain,
    )


def _digests(kind: str, one: Run, other: Run) -> tuple[Change, ...]:
    """Return what runs depend on; a batch inference keeps its recipe's digest for data, and its model's for code."""
    if kind == RowsFolder.kind:
        return Change("recipe", one.data, other.data), Change("model", one.code, other.code)
    found = [Change("data", one.data, other.data), Change("code", one.code, other.code)]
    return tuple([*found, Change("model", one.model, other.model)] if one.model or other.model else found)


def _figures(first: dict[str, float | None], second: dict[str, float | None]) -> tuple[Figure, ...]:
    return tuple(Figure(name, first.get(name), second.get(name)) for name in {**first, **second})


def _told(folder: Folder, storage: str) -> dict[str, float | None]:
    """Return the figures of a study or a batch inference."""
    if isinstance(folder, RowsFolder):
        rows = open_rows(folder.name, storage).summary
        return {
            "rows": rows.rows,
            "errors": rows.rows - rows.labelled,
            "accuracy": rows.truth.accuracy,
            "rows/s": rows.rate,
        }
    study = open_study(folder.name, storage)
    record, gain = study.record, study.gain
    seconds = record.running_time(record.newest if record.finished is None else record.finished)
    return {
        f"best {record.metric}": record.best_value,
        **({f"test {gain.measure}": gain.best} if gain else {}),
        "trials": len(record.trials),
        "seconds": seconds if record.started else None,
    }


def _of_training(result: TrainResult) -> dict[str, float | None]:
    """Return the figures of a training; seconds are those of the epochs that count."""
    history = result.record.history
    return {
        "epochs": len(history),
        "steps": history[-1].step if history else 0,
        "seconds": sum(row.seconds for row in history),
        "examples/s": _rate(sum(row.examples for row in history), sum(row.seconds for row in history)),
        "MB sent": sum(row.sent for row in history) / 1e6,
        "workers": len(result.record.attempts[-1].members) if result.record.attempts else 0,
        "attempts": len(result.record.attempts),
    }


def _rate(amount: float, seconds: float) -> float | None:
    return amount / seconds if seconds else None


def _measure(pair: Sequence[TrainResult], one: Run, other: Run) -> tuple[Gain | None, str]:
    """Return what the second model is better by on the test examples, or the sentence why that is not known."""
    missing = [result.job.name for result in pair if not result.folder.has(MODEL)]
    if missing:
        return None, f"{' and '.join(missing)} {'has' if len(missing) == 1 else 'have'} no model yet"
    if not one.data or one.data != other.data:
        return None, "the two have not the same data, so there are no test examples that both can be scored on"
    try:
        test = _test_examples(pair[1], other)
        with tempfile.TemporaryDirectory(prefix="tinderbox-") as scratch:
            folders = [Path(scratch, str(index)) for index in range(2)]
            for folder in folders:
                folder.mkdir()
            first, second = (result.folder.fetch(MODEL, folder) for result, folder in zip(pair, folders, strict=True))
            return score_both(best=second, baseline=first, test=test), ""
    except TinderboxError as error:
        return None, str(error)


def _test_examples(result: TrainResult, run: Run) -> Examples:
    """Return the test examples of a training's data; relative paths start from the folder that we are in.

    Raises:
        BadInput: It has none, or it is not what it was.
    """
    job = result.job
    if isinstance(job.data, Sharded | Memory):
        raise BadInput(f"data of source {job.data.source} has no test examples here")
    code = None if job.code is None else Path(job.code)
    material = find_material(job, Path(), code)
    if material.digest != run.data:
        raise BadInput("the data is not what it was when they were trained; put it back, or leave out the scores")
    if material.data is None or material.data.test is None:
        raise BadInput("the data has no test examples")
    return material.data.test
