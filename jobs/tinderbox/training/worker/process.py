"""The process in which one worker trains, for one attempt: started by its agent, which tells it what it is."""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tinderbox import preloading
from tinderbox.config.train import Threshold
from tinderbox.data import Dataset, open_packed
from tinderbox.errors import BadInput, StaleAttempt, TinderboxError
from tinderbox.failure import NO_FAILURE, Failure, describe
from tinderbox.models.building import Task, build_model
from tinderbox.models.state import set_stream
from tinderbox.training.channel import Channel
from tinderbox.training.code import find_build
from tinderbox.training.exchange import Alone, Exchange, PeerLost, share_steps
from tinderbox.training.recipe import Recipe
from tinderbox.training.records import Assignment, Position
from tinderbox.training.sampling import Schedule, schedule, schedule_shard, steps_of, validation_slice
from tinderbox.training.threshold.exchange import ThresholdExchange
from tinderbox.training.worker.arrival import Arrival
from tinderbox.training.worker.feed import Feed
from tinderbox.training.worker.loop import Loop, Setting
from tinderbox.training.worker.mirroring import settle_metrics, share_out
from tinderbox.training.worker.scores import Diverged, Scores

_OURS = Path(__file__).parents[2]

Outcome = Literal["complete", "failed", "diverged", "stale", "peer_lost", "lost"]


@dataclass(frozen=True)
class Work:
    """What a worker process needs, the same for all attempts of an agent; `code` and `data` are folders it has filled.

    Where each worker reads rows of its own, `data` is where they are laid out. `door` returns the way to the driver of
    an assignment's worker; it must pickle.
    """

    recipe: Recipe
    code: Path
    data: Path
    door: Callable[[Assignment], Channel]


@dataclass(frozen=True)
class Over:
    """How a worker's part in an attempt has ended, told over its connection as the last thing it says.

    `complete`: trained to the end. `failed` and `diverged` (a loss that is no number) end the run, for another attempt
    would end likewise. `stale`: the driver has given up the attempt. `peer_lost`: another worker went away, so the
    attempt is over and the next may do. `lost`: the driver, storage, the network or a port was at fault, which the next
    attempt may not find so. A process that ends without an `Over` was killed or crashed.
    """

    outcome: Outcome
    failure: Failure = NO_FAILURE


def stand_by(connection: Connection, arguments: tuple[Work]) -> None:
    """Load the user's code, then do what the `Assignment` that arrives says, and tell by an `Over` how it ended."""
    (work,) = arguments
    arrival = Arrival(connection, work.door)
    try:
        function = _prepare(work)
    except Exception as error:
        prepared: Over | None = Over("failed", describe(error, skip=_OURS))
    else:
        prepared = None
    gc.freeze()  # what is loaded now stays
    assignment = arrival.wait()
    if assignment is not None:
        work = replace(work, door=lambda _: arrival.channel())
        connection.send(prepared or take_part(work, assignment, function))


def _prepare(work: Work) -> Callable[..., Any] | None:
    """Return the user's build function, where there is one."""
    if preloading.failure:
        raise BadInput(preloading.failure)
    return find_build(work.recipe, work.code)


def take_part(work: Work, assignment: Assignment, function: Callable[..., Any] | None = None) -> Over:
    """Train as the worker that an assignment makes of this process, which has run no operation of TensorFlow yet."""
    import tensorflow as tf

    gone: tuple[type[Exception], ...] = (PeerLost,)
    if assignment.workers > 1:
        codes = tf.errors
        gone += (codes.UnavailableError, codes.AbortedError, codes.CancelledError, codes.DeadlineExceededError)
    try:
        _train(work, assignment, function)
    except StaleAttempt as error:
        return Over("stale", describe(error, skip=_OURS))
    except Diverged as error:
        return Over("diverged", describe(error, skip=_OURS))
    except gone as error:
        return Over("peer_lost", describe(error, skip=_OURS))
    except TinderboxError as error:
        outcome: Outcome = "failed" if isinstance(error, BadInput) else "lost"
        return Over(outcome, describe(error, skip=_OURS))
    except BaseException as error:
        return Over("failed", describe(error, skip=_OURS))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return Over("complete")


def _train(work: Work, assignment: Assignment, function: Callable[..., Any] | None) -> None:
    import tensorflow as tf

    recipe, channel = work.recipe, work.door(assignment)
    if recipe.job.deterministic:
        tf.config.experimental.enable_op_determinism()
    exchange = _exchange(recipe, assignment, channel)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="tinderbox-") as scratch,
            share_out(recipe.job.gpus, assignment.workers),
        ):
            setting = _set_up(work, assignment, function, exchange, channel, Path(scratch))
            Loop(setting).run()
    finally:
        exchange.close()


def _exchange(recipe: Recipe, assignment: Assignment, channel: Channel) -> Exchange:
    """Return how this worker works together with the others; one that is alone does not."""
    if assignment.workers == 1 and recipe.job.mode.name == "synchronous":
        return Alone()
    if recipe.job.mode.name == "synchronous":
        from tinderbox.training.synchronous.exchange import Synchronous

        return Synchronous(assignment, max(recipe.job.gpus, 1), recipe.job.deterministic)
    if isinstance(recipe.job.mode, Threshold):
        return ThresholdExchange(assignment, channel, recipe.job.mode, recipe.examples)
    raise BadInput(f"mode: {recipe.job.mode.name} does not run in worker processes; use synchronous or threshold")


def _set_up(
    work: Work,
    assignment: Assignment,
    function: Callable[..., Any] | None,
    exchange: Exchange,
    channel: Channel,
    scratch: Path,
) -> Setting:
    """Return all that the loop needs, the model built and sharing its steps."""
    recipe, job, workers, rank = work.recipe, work.recipe.job, assignment.workers, assignment.rank
    data = _open(work, assignment)
    batch = job.examples_of_a_step(workers)
    # A schedule's clock goes by the steps of all workers that are wanted, however many there are now.
    steps = steps_of(recipe.examples, job.examples_of_a_step(job.workers))
    task = Task(recipe.shape, recipe.classes, data.train.y.shape[1:], steps, assignment.scale)
    model = build_model(job, task, recipe.network, function)
    set_stream(model, rank)
    share_steps(model.optimizer, exchange)
    schedules = _schedules(recipe, workers, rank, batch)
    looks = validation_slice(recipe.validation, workers, rank)
    if recipe.shards is not None:
        looks = slice(0, len(data.validation))
    train = Feed(data.train, masked=_needs_masks(schedules, assignment), replicas=max(job.gpus, 1))
    if job.gpus > 1:
        settle_metrics(model, train.in_order(0, job.gpus, job.gpus))
    held_out = Feed(data.validation) if len(data.validation) else None
    return Setting(
        job=job,
        assignment=assignment,
        model=model,
        exchange=exchange,
        channel=channel,
        train=train,
        schedules=schedules,
        scores=Scores(model, train, held_out, looks, job.batch.size),
        classes=recipe.classes,
        rate=_rate(model),
        scratch=scratch,
    )


def _open(work: Work, assignment: Assignment) -> Dataset:
    if work.recipe.shards is None:
        return open_packed(work.data)
    return work.recipe.shards.read(assignment.rank, assignment.workers, work.data)


def _schedules(recipe: Recipe, workers: int, rank: int, batch: int) -> Callable[[Position], Schedule]:
    """Return what says which examples this worker takes from a position on."""
    seed = recipe.job.seed
    if recipe.shards is None:
        return lambda position: schedule(recipe.examples, batch, workers, rank, seed, position)
    held = [recipe.shards.counts_of(each, workers)[0] for each in range(workers)]
    return lambda position: schedule_shard(held, batch, rank, seed, position)


def _needs_masks(schedules: Callable[[Position], Schedule], assignment: Assignment) -> bool:
    """Whether this worker has no example in some step: of a whole epoch, or of the rest of one that others began."""
    begins = [Position(), *([assignment.resume.position] if assignment.resume else [])]
    return any((schedules(begin).counts == 0).any() for begin in begins)


def _rate(model: Any) -> float | None:
    """Return the learning rate of a new model, None where a schedule says it."""
    rate = model.optimizer.get_config().get("learning_rate")
    if "inner_optimizer" in model.optimizer.get_config():
        rate = model.optimizer.inner_optimizer.get_config()["learning_rate"]
    return float(rate) if isinstance(rate, float | int | np.floating) else None
