"""The attempts of a training: who was in each, where it began, and how and why it ended."""

from __future__ import annotations

from dataclasses import dataclass

from tinderbox.report.epochs import last_epoch
from tinderbox.report.wording import count, duration, moment
from tinderbox.training.history import Attempt, Training
from tinderbox.training.record import Member

_NODES = 4
"""How many nodes are named."""


@dataclass(frozen=True)
class Row:
    """An attempt in words; `outcome` is the word for its color."""

    number: str
    outcome: str
    ending: str
    workers: str
    origin: str
    reached: str
    began: str
    lasted: str
    causes: tuple[str, ...]


def rows(training: Training) -> list[Row]:
    """Return a row for each attempt, in their order."""
    return [_row(attempt, training) for attempt in training.attempts]


def _row(attempt: Attempt, training: Training) -> Row:
    began, ended = attempt.began, attempt.ended
    scale = "" if began.scale == 1 else f"; learning rate x {began.scale:.3g}"
    outcome = ended.outcome if ended else "running"
    return Row(
        number=str(attempt.number),
        outcome=outcome,
        ending=outcome.replace("_", " "),
        workers=f"{len(attempt.members)}{_nodes(attempt)}{scale}",
        origin=_origin(attempt),
        reached=count(last_epoch(attempt), "epoch"),
        began=moment(began.time),
        lasted=duration((ended.time if ended else training.newest) - began.time),
        causes=tuple(_causes(attempt)),
    )


def _nodes(attempt: Attempt) -> str:
    names = list(dict.fromkeys(member.node for _, member in sorted(attempt.members.items()) if member.node))
    more = f" and {len(names) - _NODES} more" if len(names) > _NODES else ""
    return f" on {', '.join(names[:_NODES])}{more}" if names else ""


def _origin(attempt: Attempt) -> str:
    began = attempt.began
    if not began.step:
        return "the beginning"
    inside = f" and {count(began.examples, 'example')}" if began.examples else ""
    return f"step {began.step:,}: {count(began.epoch, 'epoch')}{inside}"


def _causes(attempt: Attempt) -> list[str]:
    """Return why workers were replaced, and why the attempt ended."""
    told = [f"{_of(one.member, one.cause)}; replaced by one on {one.member.node}" for one in attempt.replaced]
    ended = attempt.ended
    if ended is not None and ended.cause:
        told.append(ended.cause if ended.member is None else _of(ended.member, ended.cause, ended.member.node))
    return told


def _of(member: Member, cause: str, node: str = "") -> str:
    """Return a cause with the worker that it is of, unless it says so itself, and its node where that is known."""
    worker = f"worker {member.rank}"
    return cause if cause.startswith(worker) else f"{worker}{f' on {node}' if node else ''}: {cause}"


def details(training: Training) -> list[tuple[str, str]]:
    """Return the tracebacks of attempts that ended with one, each with its title."""
    return [
        (f"attempt {attempt.number}: {attempt.ended.cause}", attempt.ended.details)
        for attempt in training.attempts
        if attempt.ended is not None and attempt.ended.details
    ]
