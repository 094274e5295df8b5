"""Networks out of packed models: one tensor in, one row of numbers out, whatever the model was saved as."""

from __future__ import annotations

import io
import math
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinderbox.errors import BadInput
from tinderbox.models.loading import explain, open_model
from tinderbox.models.packing import SIGNATURES, Form, PackedModel, pack_model

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["Network", "PackedModel", "load_model", "pack_model"]


@dataclass(frozen=True, eq=False)
class Network:
    """A loaded model: called with a tensor of shape (rows, *input_shape), it returns float32 of shape (rows, outputs).

    It may be called inside a tf.function, and behaves as in inference, not as in training. None in `input_shape`
    stands for any size.
    """

    input_shape: tuple[int | None, ...]
    input_dtype: str
    outputs: int
    function: Callable[[Any], Any]

    def __call__(self, batch: tf.Tensor) -> tf.Tensor:
        """Return the outputs for some rows, which are of the type `input_dtype`."""
        import tensorflow as tf

        (outputs,) = tf.nest.flatten(self.function(batch))
        return tf.reshape(tf.cast(outputs, tf.float32), (-1, self.outputs))


def load_model(packed: PackedModel) -> Network:
    """Return the network in a packed model; layers of one's own must be registered with Keras before.

    Keras's safe mode is on: Python code that is part of a file, as in Lambda layers, is refused.

    Raises:
        BadInput: It cannot be loaded, or has not one numeric input and one row of numbers as its output.
    """
    with tempfile.TemporaryDirectory(prefix="tinderbox-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of how an older Keras wrote the file
        try:
            return _LOADERS[packed.form](packed.content, Path(folder))
        except BadInput:
            raise
        except Exception as error:
            raise BadInput(explain(error)) from error


def _load_whole(content: bytes, folder: Path, form: Form) -> Network:
    return _network_of(open_model(form, content, folder))


def _network_of(model: Any) -> Network:
    import keras

    structure = _inputs(model)
    outputs = keras.tree.flatten(model.compute_output_spec(structure))
    return _network(
        keras.tree.flatten(structure),
        outputs,
        lambda batch: model(keras.tree.pack_sequence_as(structure, [batch]), training=False),
    )


def _inputs(model: Any) -> Any:
    """Return what a Keras model takes: symbolic tensors, or one in a structure that its call must repeat."""
    import keras

    if isinstance(model, keras.Sequential):
        inputs = getattr(model, "inputs", None)
        return inputs[0] if inputs else _missing(model)
    if hasattr(model, "inputs"):
        return model.input
    shape = (model.get_build_config() or {}).get("input_shape")
    if not isinstance(shape, list | tuple) or not all(size is None or isinstance(size, int) for size in shape):
        return _missing(model)
    return keras.KerasTensor((None, *shape[1:]), "float32")  # what it was built with tells no more than the shape


def _missing(model: Any) -> Any:
    raise BadInput(
        f"model: {model.name} does not say the shape of one input; begin it with keras.Input(shape) and save it anew"
    )


def _load_savedmodel(content: bytes, folder: Path) -> Network:
    import tensorflow as tf

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
    # Variables and the files of its tables are read here, none of them later.
    loaded = tf.saved_model.load(str(folder))
    name = next(name for name in SIGNATURES if name in loaded.signatures)
    inputs = loaded.signatures[name].structured_input_signature[1]
    outputs = tf.nest.flatten(loaded.signatures[name].structured_outputs)
    # Asked for anew each time: a signature alone does not keep the variables that it needs.
    return _network(
        list(inputs.values()), outputs, lambda batch: loaded.signatures[name](**dict.fromkeys(inputs, batch))
    )


def _network(inputs: Sequence[Any], outputs: Sequence[Any], function: Callable[[Any], Any]) -> Network:
    """Return the network of a function whose inputs and outputs have a shape, the batch axis included, and a dtype."""
    if len(inputs) != 1 or len(outputs) != 1:
        raise BadInput(
            f"model: must have one input and one output, got {len(inputs)} and {len(outputs)}; "
            f"save a keras.Model of the one input and output that are wanted"
        )
    shape, dtype = _rows(inputs[0], "takes")
    width, _ = _rows(outputs[0], "gives")
    wide = [size for size in width if size != 1]
    if len(wide) > 1 or None in wide:
        raise BadInput(
            f"model: gives outputs of shape {(None, *width)}, and one row of numbers is wanted for each input; "
            f"end it in a pooling and a dense layer"
        )
    return Network(shape, dtype, math.prod(size for size in wide if size is not None), function)


def _rows(tensor: Any, verb: str) -> tuple[tuple[int | None, ...], str]:
    """Return the shape of one row and the type of what a model takes or gives."""
    import tensorflow as tf

    dtype, shape = tf.as_dtype(tensor.dtype), tf.TensorShape(tensor.shape)
    if not (dtype.is_floating or dtype.is_integer or dtype.is_bool):
        what = "texts" if dtype == tf.string else dtype.name
        raise BadInput(f"model: {verb} {what}, and a network is to take and give numbers; save that part of it")
    if not shape.rank or shape[0] is not None:
        raise BadInput(
            f"model: {verb} tensors of shape {shape}, which must fit any number of rows; "
            f"save it with None for the batch axis"
        )
    return tuple(shape.as_list()[1:]), dtype.name


_LOADERS: dict[str, Callable[[bytes, Path], Network]] = {
    "keras": partial(_load_whole, form="keras"),
    "h5": partial(_load_whole, form="h5"),
    "savedmodel": _load_savedmodel,
    "architecture": partial(_load_whole, form="architecture"),
}
