"""The network that a training begins with: a winner's, in a file, or what a function builds; built once, to see."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinderbox.api.ending import PARAMETERS, read_winner
from tinderbox.api.inference import beside
from tinderbox.config import TrainJob
from tinderbox.config.network import Network
from tinderbox.config.train import ERRORS, METRICS
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.models.building import Task, build_model
from tinderbox.models.compiling import rescale
from tinderbox.models.packing import PackedModel, pack_model
from tinderbox.storage import StudyFolder
from tinderbox.storage.fetching import fetched


@dataclass(frozen=True)
class Size:
    """How large a model is, in numbers: those that are learnt, and all that a training keeps, the optimizer's too."""

    learnt: int = 0
    kept: int = 0


def with_winner(job: TrainJob) -> TrainJob:
    """Return a job whose network has the winning parameters of the study that it names, its own ones before them.

    Raises:
        BadInput: There is no such study, or it has no winner yet.
    """
    model = job.model
    if model.study is None:
        return job
    study = StudyFolder(model.storage or job.storage, model.study)
    study.read_job()
    if not study.has(PARAMETERS):
        raise BadInput(f"model: study {model.study!r} has no winner yet; let it end")
    parameters = {**read_winner(study), **model.parameters}
    network = Network.model_validate({**model.model_dump(exclude_none=True), "parameters": parameters})
    return job.model_copy(update={"model": network})


def find_network(job: TrainJob, base: Path) -> PackedModel | None:
    """Return the model file that a job begins with, None where it names none; `base` is where relative paths start.

    Raises:
        BadInput: There is no such file, or it is no model.
    """
    model = job.model
    if model.path is None:
        return None
    with ExitStack() as lent:
        path = lent.enter_context(fetched(beside(base, model.path)))
        weights = None if model.weights is None else lent.enter_context(fetched(beside(base, model.weights)))
        return pack_model(path, weights, new_weights=True)


def size_up(job: TrainJob, task: Task, network: PackedModel | None, function: Callable[..., Any] | None) -> Size:
    """Return how large a job's model is, once it was built and compiled in this process.

    Raises:
        BadInput: It cannot be built, or does not fit the data, or early stopping looks at what it does not measure.
    """
    try:
        with undrawn():
            model = build_model(job, task, network, function)
            _check_scaling(job, model)
            check_loss(job, task, model)
    except TinderboxError:
        raise
    except Exception as error:  # whatever a user's function raises
        reason, _, _ = str(error).partition("\n")
        raise BadInput(f"model: {job.model.build or 'it'} cannot be built: {type(error).__name__}: {reason}") from error
    check_stopping(job, task, outputs_of(model, task))
    kept = [*model.weights, *model.optimizer.variables]
    return Size(_numbers(model.trainable_weights), _numbers(kept))


def _check_scaling(job: TrainJob, model: Any) -> None:
    """Return if the learning rate can go down with the number of workers, where that may be wanted some time.

    Raises:
        BadInput: It cannot.
    """
    if job.scales and job.optimizer is None:
        rescale(getattr(model.optimizer, "inner_optimizer", model.optimizer), 0.5)


def check_loss(job: TrainJob, task: Task, model: Any) -> None:
    """Return if a model's loss and metrics can be had of some examples of zeros, and targets of zero and one.

    Raises:
        BadInput: They do not fit the targets.
    """
    count = 2 if outputs_of(model, task) != 2 else 3  # as many as outputs could be taken for these
    x = np.zeros((count, *task.shape), np.float32)
    y = np.zeros((count, *task.target), np.float32 if task.classes is None else np.int64)
    y[1:] = 1
    outputs = model(x, training=False)
    try:
        model.compute_loss(x=x, y=y, y_pred=outputs, training=False)
        model.compute_metrics(x, y, outputs)
    except Exception as error:  # whatever Keras, TensorFlow or a user's loss raises
        reason, _, _ = str(error).partition("\n")
        _, _, reason = reason.rpartition("}} ")  # where in its graph TensorFlow was
        loss = job.loss or getattr(model.loss, "name", None) or getattr(model.loss, "__name__", model.loss)
        targets = f"targets of shape {task.target}" if task.classes is None else "classes as whole numbers"
        raise BadInput(
            f"loss: {loss} does not fit outputs of shape {tuple(outputs.shape[1:])} and {targets}: {reason}; "
            "leave loss out, or name one that does"
        ) from error


@contextmanager
def undrawn() -> Iterator[None]:
    """Leave the random generators of Python and NumPy as they are: whoever runs a notebook may be using them."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def outputs_of(model: Any, task: Task) -> int:
    """Return how many numbers a built model gives for each example."""
    import keras

    (output,) = keras.tree.flatten(model.compute_output_spec(keras.KerasTensor((None, *task.shape))))
    return math.prod(output.shape[1:])


def check_stopping(job: TrainJob, task: Task, outputs: int) -> None:
    """Return if early stopping, where it is wanted, looks at a metric of the history.

    Raises:
        BadInput: It does not.
    """
    if job.early_stopping is None:
        return
    known = ERRORS if task.classes is None else tuple(name for name in METRICS if name not in ERRORS[1:])
    if task.classes is not None and outputs == 1:
        known = ("loss", "top1")
    if job.early_stopping.metric.removeprefix("val_") not in known:
        what = "a regression" if task.classes is None else f"a model of {outputs} outputs"
        raise BadInput(
            f"early_stopping: metric of {what} is one of {', '.join(known)}, or of these with val_ before it, "
            f"got {job.early_stopping.metric}"
        )


def _numbers(variables: list[Any]) -> int:
    return sum(math.prod(variable.shape) for variable in variables)
