"""What one worker does in a round of mode averaging, in a Python worker of Spark."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinderbox.data import Examples
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.failure import describe
from tinderbox.models.state import set_stream
from tinderbox.training.averaging.held import Bench, Built, build, deterministic, open_data, settle
from tinderbox.training.averaging.printing import overheard
from tinderbox.training.averaging.rounds import Answer, Begin, Export, Train, Validate, Work
from tinderbox.training.confusion import Batch, confuse
from tinderbox.training.metering import count_steps
from tinderbox.training.records import Counts, Position, Sums
from tinderbox.training.sampling import Schedule, schedule, schedule_shard, validation_slice
from tinderbox.training.state import State, assign, collect

_BLOCK = 256
"""So many validation examples are looked at together."""


def do_share(work: Work, state: State, bench: Bench) -> Answer:
    """Return what a share comes to, and prints; what it raises is part of it, for Spark would only repeat it."""
    with overheard(sys.stderr) as tail:
        answer = _try_share(work, state, bench)
    return replace(answer, printed=((bench.rank, tail.text()),)) if tail.text() else answer


def _try_share(work: Work, state: State, bench: Bench) -> Answer:
    try:
        with deterministic(bench.recipe.job.deterministic):
            answer = replace(_DO[type(work)](work, state, bench), places=(bench.place,))
        settle(type(work))
        return answer
    except Exception as error:
        told = bench.place, describe(error, skip=Path(__file__).parents[1])
        is_passing = isinstance(error, TinderboxError) and not isinstance(error, BadInput)
        return Answer(passing=told) if is_passing else Answer(failed=told)


def _take(state: State, bench: Bench) -> Built:
    """Return the model in a state, its random layers with the numbers of this worker."""
    built = build(bench)
    assign(state, built.variables)
    set_stream(built.model, bench.rank)
    return built


def _begin(work: Begin, state: State, bench: Bench) -> Answer:
    built = build(bench)
    if state.size or bench.rank:
        return Answer()
    return Answer(state=collect(built.variables))


def _train(work: Train, state: State, bench: Bench) -> Answer:
    began = time.perf_counter()
    built, data = _take(state, bench), open_data(bench).train
    steps = _schedule(work.position, bench, built)
    steps = steps.cut(0, min(work.steps, len(steps)))
    waited = time.perf_counter() - began
    sums = _take_steps(built.model, data, steps)
    trained = time.perf_counter()
    new = collect(built.variables)
    seconds = time.perf_counter() - began
    examples, floats = int(steps.counts.sum()), sum(_size(each) for each in built.model.trainable_variables)
    waited += time.perf_counter() - trained
    counts = Counts(len(steps), examples, seconds, waited, new.size, floats * len(steps))
    count_steps(bench.meter, counts, bench.recipe.job.mode.name)
    return Answer(
        weight=examples,
        state=new,
        position=_advance(work.position, steps, bench.recipe.examples),
        sums=sums,
        counts=counts,
    )


def _schedule(position: Position, bench: Bench, built: Built) -> Schedule:
    """Return what this worker takes from a position to the end of the epoch, whose order is drawn once."""
    rank, (epoch, whole) = bench.rank, built.schedules.get(bench.rank, (-1, None))
    if epoch != position.epoch or whole is None:
        begin, job = Position(position.epoch), bench.recipe.job
        shards = bench.recipe.shards
        if shards is None:
            whole = schedule(bench.recipe.examples, bench.batch, job.workers, rank, job.seed, begin)
        else:
            held = [shards.counts_of(other, job.workers)[0] for other in range(job.workers)]
            whole = schedule_shard(held, bench.batch, rank, job.seed, begin)
        built.schedules[rank] = position.epoch, whole
    return whole.cut(int(np.searchsorted(whole.done, position.examples, "right")), len(whole))


def _advance(position: Position, steps: Schedule, examples: int) -> Position:
    done, step = int(steps.done[-1]), position.step + len(steps)
    if done == examples:
        return Position(position.epoch + 1, 0, step)
    return Position(position.epoch, done, step)


def _take_steps(model: Any, data: Examples, steps: Schedule) -> Sums:
    """Take steps and return their metrics; a step without an example of this worker only counts."""
    batches, begun = _batches(data, steps), False
    for count in steps.counts:
        if not count:
            model.optimizer.iterations.assign_add(1)
        elif begun:
            model.train_function(batches)  # train_on_batch takes twice as long around it
        else:
            begun = True
            model.train_on_batch(*next(batches))  # which sets metrics to zero, and makes them where they are new
    return _weigh(model.get_metrics_result(), int(steps.counts.sum())) if begun else Sums(0, {})


def _batches(data: Examples, steps: Schedule) -> Iterator[tuple[NDArray[Any], NDArray[Any], None]]:
    """Yield inputs, targets and no weights for each step that has examples."""
    for number in np.flatnonzero(steps.counts):
        rows = steps.step(int(number))
        yield _shorten(data.x[rows]), _shorten(data.y[rows]), None


def _shorten(values: NDArray[Any]) -> NDArray[Any]:
    """Return float32 of float64, which Keras computes in anyway."""
    return values.astype(np.float32) if values.dtype == np.float64 else values


def _weigh(means: Mapping[str, Any], examples: int) -> Sums:
    return Sums(examples, {name: float(mean) * examples for name, mean in means.items()})


def _size(variable: Any) -> int:
    return int(np.prod(variable.shape, dtype=np.int64)) * 4


def _validate(work: Validate, state: State, bench: Bench) -> Answer:
    model, examples, classes = _take(state, bench).model, open_data(bench).validation, bench.recipe.classes
    part = slice(0, len(examples))
    if bench.recipe.shards is None:
        part = validation_slice(len(examples), bench.recipe.job.workers, bench.rank)
    blocks = [slice(start, min(start + _BLOCK, part.stop)) for start in range(part.start, part.stop, _BLOCK)]
    if not work.confusion:
        return Answer(sums=sum((_measure(model, examples, rows) for rows in blocks), start=Sums(0, {})))
    return Answer(confusion=confuse(_predict(model, examples, blocks), classes))


def _measure(model: Any, examples: Examples, rows: slice) -> Sums:
    model.reset_metrics()
    both = _shorten(examples.x[rows]), _shorten(examples.y[rows])
    return _weigh(model.test_on_batch(*both, return_dict=True), rows.stop - rows.start)


def _predict(model: Any, examples: Examples, blocks: Sequence[slice]) -> Iterator[Batch]:
    for rows in blocks:
        yield examples.y[rows], model.predict_on_batch(_shorten(examples.x[rows]))


def _export(work: Export, state: State, bench: Bench) -> Answer:
    model = _take(state, bench).model
    model.optimizer.finalize_variable_values(model.trainable_variables)  # as `fit` does in the end
    with tempfile.TemporaryDirectory(prefix="tinderbox-") as folder:
        path = Path(folder, "model.keras")
        model.save(path)
        return Answer(model=path.read_bytes())


_DO: dict[type, Callable[[Any, State, Bench], Answer]] = {
    Begin: _begin,
    Train: _train,
    Validate: _validate,
    Export: _export,
}
"""What is done for each kind of work."""
