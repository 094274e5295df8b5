"""The model of a training, built and compiled: a built-in network, a user's function, or a model file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tinderbox.config.network import Network, Optimizer
from tinderbox.config.train import TrainJob
from tinderbox.errors import BadInput
from tinderbox.models import lenet, lenet5
from tinderbox.models.compiling import (
    check_outputs,
    check_precision,
    check_reduction,
    last_activation,
    make_loss,
    make_metrics,
    make_optimizer,
    rescale,
)
from tinderbox.models.loading import load_trainable
from tinderbox.models.packing import PackedModel

_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


@dataclass(frozen=True)
class Task:
    """What a model is to learn: from examples of `shape`, one of so many `classes`, or targets of the shape `target`.

    An epoch has `steps`; `scale` is what learning rates are multiplied by.
    """

    shape: tuple[int, ...]
    classes: int | None
    target: tuple[int, ...] = ()
    steps: int = 1
    scale: float = 1.0


def build_model(
    job: TrainJob, task: Task, network: PackedModel | None = None, function: Callable[..., Any] | None = None
) -> Any:
    """Return the compiled model of a job, with its optimizer's variables, and metrics named as in a history.

    `network` is the model file that the job names, `function` the user's. New weights are those of the job's seed. What
    the job says of optimizer and loss comes before what the model was compiled with.

    Raises:
        BadInput: There is no such model, optimizer, schedule or loss, or they do not fit the task.
    """
    import keras

    keras.utils.set_random_seed(job.seed % 2**32)
    with _precision(job.precision, job.model):
        model = _construct(job.model, task, network, function)
        output, activation = _output(model, task), last_activation(model)
        outputs = check_outputs(tuple(output.shape[1:]), task.classes, task.target, activation)
        check_precision(output.dtype, task.classes, outputs, model.compute_dtype)
        optimizer, loss = _compiled(model)
        if job.optimizer is not None or optimizer is None:
            optimizer = make_optimizer(job.optimizer or Optimizer(), task.scale)
        else:
            optimizer = rescale(optimizer, task.scale)
        if job.loss is not None or loss is None:
            loss = make_loss(job.loss, task.classes, outputs, activation)
        if job.workers > 1 or job.gpus > 1:
            check_reduction(loss)
        metrics = make_metrics(task.classes, outputs)
        # XLA has neither collective operations nor Python's; alone, Keras chooses.
        jit = "auto" if job.workers == 1 else False
        model.compile(optimizer=optimizer, loss=loss, weighted_metrics=metrics, jit_compile=jit)
        _check_loss_scaling(job, model.optimizer)
        model.optimizer.build(model.trainable_variables)
    return model


def _construct(network: Network, task: Task, packed: PackedModel | None, function: Callable[..., Any] | None) -> Any:
    import keras

    if packed is not None:
        return load_trainable(packed)
    if function is None:
        built_in: dict[str, Callable[..., Any]] = {"lenet5": _lenet5, "convnet": _convnet(task.steps)}
        function = built_in[network.name or ""]
    arguments, parameters = (task.shape, task.classes), network.parameters
    try:
        inspect.signature(function).bind(*arguments, **parameters)
    except TypeError as error:
        raise BadInput(
            f"model: cannot be built with parameters {parameters}: {error}; it takes shape and classes, and "
            "parameters by the names that they have there"
        ) from error
    model = function(*arguments, **parameters)
    if not isinstance(model, keras.Model):
        raise BadInput(f"model: {network.build} must return a Keras model, got {type(model).__name__}")
    return model


def _lenet5(shape: tuple[int, ...], classes: int | None) -> Any:
    return lenet5.build(shape, _check_images("lenet5", shape, classes))


def _convnet(steps: int) -> Callable[..., Any]:
    def build(
        shape: tuple[int, ...],
        classes: int | None,
        width: int = 512,
        learning_rate: float = 0.01,
        decay: float = 0.95,
        steps_per_epoch: int = steps,
    ) -> Any:
        known = _check_images("convnet", shape, classes)
        return lenet.build(shape, known, width, learning_rate, decay, steps_per_epoch)

    return build


def _check_images(name: str, shape: tuple[int, ...], classes: int | None) -> int:
    if len(shape) != 3 or classes is None:
        raise BadInput(
            f"model: {name} needs labelled images of shape (height, width, channels), got shape {shape} and "
            f"{'quantities' if classes is None else f'{classes} classes'}; write a build function"
        )
    return classes


def _output(model: Any, task: Task) -> Any:
    """Return what Keras knows of a model's output, once the model is built for the task's examples."""
    import keras

    try:
        if not model.built:
            model.build((None, *task.shape))
        outputs = keras.tree.flatten(model.compute_output_spec(keras.KerasTensor((None, *task.shape))))
    except Exception as error:
        reason, _, _ = str(error).partition("\n")
        raise BadInput(
            f"model: does not take examples of shape {task.shape}: {reason}; give it an input of that shape"
        ) from error
    if len(outputs) != 1:
        raise BadInput(f"model: must have one output, got {len(outputs)}; train one of a single output")
    return outputs[0]


def _compiled(model: Any) -> tuple[Any, Any]:
    """Return the optimizer and the loss that a model was compiled with, None for each where it was not."""
    if not getattr(model, "compiled", False):
        return None, None
    optimizer = model.optimizer
    return getattr(optimizer, "inner_optimizer", optimizer), model.loss


def _check_loss_scaling(job: TrainJob, optimizer: Any) -> None:
    """Return if an optimizer scales its loss, as Keras has it in float16, only where workers can share that.

    Raises:
        BadInput: It does elsewhere: a build function or a model file has brought float16 along.
    """
    if job.mode.name != "synchronous" and hasattr(optimizer, "inner_optimizer"):
        raise BadInput(
            f"model: computes in float16 and scales its loss, which mode {job.mode.name} cannot share; "
            "make it with mixed_bfloat16, or use mode synchronous"
        )


@contextmanager
def _precision(name: str, network: Network) -> Iterator[None]:
    """Let new layers compute in a precision.

    Raises:
        BadInput: The model is a file, whose layers have theirs.
    """
    import keras

    if name != "float32" and network.path is not None:
        raise BadInput(f"precision: {name} is for new layers, and those of a model file have theirs; leave it out")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(_POLICIES[name])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
