"""What the top of a training's page says: how it stands, what it is, and how good its best and last epochs are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinderbox.config import TrainJob
from tinderbox.report.epochs import HELD_OUT, SHARES, aim, best_by_job, breaks, full_title, metrics, title
from tinderbox.report.summary import Tile
from tinderbox.report.wording import NOTHING, count, duration, moment, number
from tinderbox.training.history import Training
from tinderbox.training.record import EpochEnded


def standing(training: Training) -> tuple[str, str]:
    """Return the state of a training in one word and in one sentence."""
    if training.started is None:
        return "waiting", "No driver has taken this training over yet."
    if training.ended is not None:
        early = "stopped early, for no epoch got better" if training.ended.early else "all epochs are done"
        model = f"the model is that of epoch {training.ended.epoch}"
        return "finished", f"Ended on {moment(training.ended.time)}: {early}; {model}."
    last = training.attempts[-1].ended if training.attempts else None
    if last is not None:
        told = f"Attempt {last.attempt} ended on {moment(last.time)}: {last.cause or last.outcome}".rstrip(".")
        again = (
            "goes on from the last checkpoint" if training.checkpoints else "begins anew, for no checkpoint was kept"
        )
        state = "failed" if last.outcome == "failed" else "stopped"
        return state, f"{told}. The same command {again}."
    return "running", f"Not ended yet: this page shows the training as it was on {moment(training.newest)}."


def facts(job: TrainJob) -> dict[str, str]:
    """Return what the reader should know of a job, by name."""
    model = job.model.name or job.model.build or job.model.path or NOTHING
    told = {"model": model, "data": job.data.source, "mode": job.mode.name, "batch": _batch(job)}
    if job.optimizer is not None:
        rate = f"learning rate {number(job.optimizer.learning_rate)}"
        schedule = f", {job.optimizer.schedule['name']}" if job.optimizer.schedule else ""
        told["optimizer"] = f"{job.optimizer.name}, {rate}{schedule}"
    return told if job.precision == "float32" else {**told, "precision": job.precision}


def _batch(job: TrainJob) -> str:
    return f"{job.batch.size:,} {'for each worker' if job.batch.per == 'worker' else 'for all workers'}"


def tiles(training: Training, job: TrainJob, test: Mapping[str, float]) -> list[Tile]:
    """Return the figures of the headline."""
    return [
        *_best_tile(training, job),
        *(Tile(f"test {title(name).lower()}", score(name, value), "the model") for name, value in _headline(test)),
        Tile("epochs", str(len(training.history)), f"of {job.epochs}"),
        Tile("duration", _lasted(training), f"since {moment(training.started)}" if training.started else "not started"),
        _workers_tile(training, job),
        _attempts_tile(training),
    ]


def _best_tile(training: Training, job: TrainJob) -> list[Tile]:
    by = aim(job, training.history)
    row = best_by_job(training.history, job)
    if row is None:
        return [Tile("best epoch", NOTHING, "none has ended yet" if not training.history else "no value is finite")]
    label = f"best {full_title(by.metric)}"
    loss = next((name for name in (f"{HELD_OUT}loss", "loss") if name in row.metrics and name != by.metric), None)
    beside = f", {full_title(loss)} {number(row.metrics[loss])}" if loss else ""
    return [Tile(label, score(by.metric, row.metrics[by.metric]), f"in epoch {row.epoch}{beside}")]


def _headline(test: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return the one metric of test examples that has a tile."""
    name = next((name for name in ("top1", "loss", *test) if name in test), None)
    return [] if name is None else [(name, test[name])]


def _lasted(training: Training) -> str:
    until = training.newest if training.ended is None else training.ended.time
    return NOTHING if training.started is None else duration(training.running_time(until))


def _workers_tile(training: Training, job: TrainJob) -> Tile:
    nodes = {member.node for attempt in training.attempts for member in attempt.members.values()} - {""}
    now = len(training.attempts[-1].members) if training.attempts else 0
    less = f", {now} in the last attempt" if nodes and now != job.workers else ""
    return Tile("workers", str(job.workers), f"on {count(len(nodes), 'node')}{less}" if nodes else "none has come yet")


def _attempts_tile(training: Training) -> Tile:
    early = len(breaks(training))
    drivers = f", {training.generation} drivers" if training.generation > 1 else ""
    replaced = sum(len(attempt.replaced) for attempt in training.attempts)
    swapped = f", {count(replaced, 'worker')} replaced" if replaced else ""
    return Tile("attempts", str(len(training.attempts)), f"{early or 'none'} ended early{swapped}{drivers}")


def score(metric: str, value: float | None) -> str:
    """Return the value of a metric, shares in percent."""
    if value is not None and metric.removeprefix(HELD_OUT) in SHARES:
        return f"{100 * value:.2f} %"
    return number(value)


def told(found: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return metrics in words."""
    return [(title(name), score(name, value)) for name, value in found.items()]


@dataclass(frozen=True)
class Scores:
    """The metrics of the best and the last epoch: `columns` are epochs, and each line of `rows` is a metric.

    A line has two cells for each epoch, training and validation, or one where nothing was held out.
    """

    columns: tuple[str, ...]
    validated: bool
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def scores(training: Training, job: TrainJob) -> Scores | None:
    """Return the metrics of the best and the last epoch, None before the first one has ended."""
    history = training.history
    if not history:
        return None
    found = best_by_job(history, job)
    shown = [history[-1]] if found in (None, history[-1]) else [found, history[-1]]
    columns = _columns([row.epoch for row in shown if row], is_best=found is not None)
    validated = any(name.startswith(HELD_OUT) for row in history for name in row.metrics)
    parts = ("", HELD_OUT) if validated else ("",)
    rows = tuple(
        (title(name), tuple(_cell(row, part + name) for row in shown for part in parts)) for name in metrics(history)
    )
    return Scores(columns, validated, rows)


def _columns(epochs: Sequence[int], is_best: bool) -> tuple[str, ...]:
    if len(epochs) == 1:
        return (f"epoch {epochs[0]}, the {'best and the last' if is_best else 'last'}",)
    return f"epoch {epochs[0]}, the best", f"epoch {epochs[1]}, the last"


def _cell(row: EpochEnded | None, metric: str) -> str:
    return score(metric, row.metrics.get(metric) if row else None)
