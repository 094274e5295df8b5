"""How a model is optimised and measured: optimizers, schedules and losses by their names, and what fits the targets."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

from tinderbox.config.network import Optimizer
from tinderbox.errors import BadInput

_RATES = ("initial_learning_rate", "end_learning_rate", "warmup_target", "values")
"""What is a learning rate among the arguments of Keras's schedules."""
_SHOWN = 12


def make_optimizer(wanted: Optimizer, scale: float = 1.0) -> Any:
    """Return the Keras optimizer that a job names, its learning rate, or its schedule's, multiplied by `scale`.

    Raises:
        BadInput: There is no such optimizer or schedule, or it does not take these arguments.
    """
    import keras

    kind = _find("optimizer", wanted.name, keras.optimizers, keras.optimizers.Optimizer)
    rate = wanted.learning_rate * scale if wanted.schedule is None else _make_schedule(wanted, scale)
    return _call("optimizer", kind, {"learning_rate": rate, **wanted.arguments})


def _make_schedule(wanted: Optimizer, scale: float) -> Any:
    import keras

    arguments = dict(wanted.schedule or {})
    schedules = keras.optimizers.schedules
    kind = _find("schedule", str(arguments.pop("name")), schedules, schedules.LearningRateSchedule)
    known = inspect.signature(kind).parameters
    if "initial_learning_rate" in known:
        arguments.setdefault("initial_learning_rate", wanted.learning_rate)
    elif wanted.learning_rate != Optimizer().learning_rate:
        raise BadInput(
            f"optimizer: learning_rate has no effect beside schedule {kind.__name__}, which has rates of its own, got "
            f"{wanted.learning_rate}; leave it out"
        )
    for name in set(_RATES) & set(known):  # those that Keras chooses are scaled, too
        if known[name].default is not inspect.Parameter.empty:
            arguments.setdefault(name, known[name].default)
    return _call("schedule", kind, scale_rates(arguments, scale))


def scale_rates(arguments: Mapping[str, Any], scale: float) -> dict[str, Any]:
    """Return the arguments of a schedule with all learning rates among them multiplied by `scale`."""
    return {name: _scale(value, scale) if name in _RATES else value for name, value in arguments.items()}


def _scale(value: Any, scale: float) -> Any:
    if isinstance(value, list | tuple):
        return [_scale(one, scale) for one in value]
    return value if value is None or isinstance(value, str) else value * scale


def rescale(optimizer: Any, scale: float) -> Any:
    """Return an optimizer that a user compiled, or one like it, with its learning rate multiplied by `scale`."""
    import keras

    if scale == 1:
        return optimizer
    config = optimizer.get_config()
    rate = config["learning_rate"]
    if isinstance(rate, float | int):
        return type(optimizer).from_config({**config, "learning_rate": rate * scale})
    schedule = optimizer._learning_rate  # its class need not be one that Keras finds by a name
    known = isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule)
    inner = schedule.get_config() if known else {}
    if not set(inner) & set(_RATES):
        raise BadInput(
            f"optimizer: schedule {type(schedule).__name__} has no learning rate that could be scaled; "
            f"write attempts: {{scaling: none}}, or use one of Keras's schedules"
        )
    scaled = type(schedule).from_config(scale_rates(inner, scale))
    return type(optimizer).from_config({**config, "learning_rate": scaled})


def make_loss(name: str | None, classes: int | None, outputs: int, activation: str) -> Any:
    """Return the Keras loss of a name, or the one that fits the targets, for outputs behind some last activation.

    Raises:
        BadInput: There is no such loss.
    """
    import keras

    if name is None:
        fitting = "binary_crossentropy" if outputs == 1 else "sparse_categorical_crossentropy"
        name = "mean_squared_error" if classes is None else fitting
    known = _classes(keras.losses, keras.losses.Loss)
    kind = known.get(_plain(name))
    if kind is not None:
        asks = "from_logits" in inspect.signature(kind).parameters
        return kind(from_logits=activation not in ("softmax", "sigmoid")) if asks else kind()
    try:
        return keras.losses.get(name)
    except ValueError as error:
        raise BadInput(f"loss: Keras has no {name!r}, but {_list(known)}") from error


def make_metrics(classes: int | None, outputs: int) -> list[Any]:
    """Return new metrics under their names in a history: top1 and top5 of classes, mae and mse of quantities.

    top5 is left out where one output tells two classes apart; with fewer than five, all are among the best.
    """
    import keras

    metrics = keras.metrics
    if classes is None:
        return [metrics.MeanAbsoluteError(name="mae"), metrics.MeanSquaredError(name="mse")]
    if outputs == 1:
        return [metrics.BinaryAccuracy(name="top1")]
    best = metrics.SparseTopKCategoricalAccuracy(min(5, classes), name="top5")
    return [metrics.SparseCategoricalAccuracy(name="top1"), best]


def check_outputs(shape: tuple[int | None, ...], classes: int | None, target: tuple[int, ...], activation: str) -> int:
    """Return how many outputs a model has, whose output has `shape` without the batch axis.

    Raises:
        BadInput: They do not fit the classes, or the shape of one target.
    """
    size = math.prod(shape) if None not in shape else 0  # type: ignore[arg-type]  # mypy does not see the guard
    if classes is None:
        if shape not in (target, (*target, 1)) and (*shape, 1) != target:  # Keras leaves out a last axis of one
            raise BadInput(f"model: outputs of shape {shape} do not fit targets of shape {target}; make them alike")
    elif shape == (1,) and classes == 2 and activation != "sigmoid":
        raise BadInput(f"model: one output for two classes must end in a sigmoid, got {activation}; or make it two")
    elif shape != (classes,) and not (shape == (1,) and classes == 2):
        raise BadInput(f"model: outputs of shape {shape} do not fit {classes} classes; give it one for each")
    return size


def check_precision(output: str, classes: int | None, outputs: int, computed: str) -> None:
    """Return if Keras can tell the best classes of a model's outputs, which have the type `output`.

    Raises:
        BadInput: It cannot, since they are not float32.
    """
    if classes is not None and outputs > 1 and output != "float32":
        raise BadInput(
            f"model: outputs must be float32 where layers compute in {computed}, got {output}; "
            "end it in a layer with dtype='float32'"
        )


def check_reduction(loss: Any) -> None:
    """Return if a loss, or what a model was compiled with as one, is a mean over the examples of a step.

    Raises:
        BadInput: It is a sum, so that several workers, or GPUs, would not do what one does.
    """
    import keras

    for one in keras.tree.flatten(loss):
        reduction = getattr(one, "reduction", "sum_over_batch_size")
        if reduction in ("sum", "none", None):
            raise BadInput(
                f"loss: {type(one).__name__} is compiled with reduction {reduction!r}, and what workers do together is "
                "a mean over a step's examples; compile it with reduction='sum_over_batch_size', or use one worker"
            )


def last_activation(model: Any) -> str:
    """Return the name of what a model's outputs come out of, such as softmax; linear where nothing is known of it."""
    for layer in reversed(getattr(model, "layers", [])):
        if hasattr(layer, "layers"):
            return last_activation(layer)
        name = _activation(layer)
        if name != "linear" or getattr(layer, "weights", None):
            return name
    return "linear"  # of layers without weights and activation, such as a last one that makes float32


def _activation(layer: Any) -> str:
    kind = type(layer).__name__.lower()
    if kind in ("softmax", "sigmoid"):
        return kind
    function = getattr(layer, "activation", None)
    return str(getattr(function, "__name__", "linear")) if function is not None else "linear"


def _find(what: str, name: str, module: Any, base: type) -> Any:
    known = _classes(module, base)
    kind = known.get(_plain(name))
    if kind is None:
        raise BadInput(f"{what}: Keras has no {name!r}, but {_list(known)}")
    return kind


def _classes(module: Any, base: type) -> dict[str, Any]:
    found = (getattr(module, name) for name in dir(module))
    return {
        kind.__name__.lower(): kind
        for kind in found
        if inspect.isclass(kind) and issubclass(kind, base) and kind is not base
    }


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _list(known: Mapping[str, Any]) -> str:
    names = sorted(kind.__name__ for kind in known.values())
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _call(what: str, kind: Any, arguments: Mapping[str, Any]) -> Any:
    try:
        return kind(**arguments)
    except (TypeError, ValueError) as error:
        reason, _, _ = str(error).partition("\n")
        raise BadInput(f"{what}: {kind.__name__} does not take {_spell(arguments)}: {reason}") from error


def _spell(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items() if name != "learning_rate")
