"""Keras models out of model files, as they are or to train them on, and why one cannot be had."""

from __future__ import annotations

import io
import re
import tempfile
import textwrap
import warnings
import zipfile
from pathlib import Path
from typing import Any

from tinderbox.errors import BadInput
from tinderbox.models.packing import Form, PackedModel

_PICKLED = re.compile(r"deserialization of a `Lambda` layer")
_UNKNOWN = re.compile(r"(?:Could not locate|Unknown)[\w ]*:? '([^']+)'")


def load_trainable(packed: PackedModel) -> Any:
    """Return the Keras model in a packed model, compiled where it was saved so and what it names is known.

    An architecture without weights gets new ones, from Keras's random generator.

    Raises:
        BadInput: It cannot be loaded, or is a SavedModel, which can only predict.
    """
    if packed.form == "savedmodel":
        raise BadInput("model: is a SavedModel, which can predict and not learn; name a .keras or .h5 file, or JSON")
    with tempfile.TemporaryDirectory(prefix="tinderbox-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of how an older Keras wrote the file
        try:
            return _load_compiled(packed, Path(folder))
        except BadInput:
            raise
        except Exception as error:
            raise BadInput(explain(error)) from error


def _load_compiled(packed: PackedModel, folder: Path) -> Any:
    try:
        return open_model(packed.form, packed.content, folder, compiled=True)
    except Exception:  # a loss or metric of one's own, say, which is not wanted where the job names others
        return open_model(packed.form, packed.content, folder)


def open_model(form: Form, content: bytes, folder: Path, compiled: bool = False) -> Any:
    """Return the Keras model in the content of a packed model that is no SavedModel; `folder` is for its files.

    Keras's safe mode is on: Python code that is part of a file, as in Lambda layers, is refused.
    """
    if form == "architecture":
        return _open_architecture(content, folder)
    import keras

    path = folder / f"model.{form}"
    path.write_bytes(content)
    return keras.saving.load_model(path, compile=compiled, safe_mode=True)


def _open_architecture(content: bytes, folder: Path) -> Any:
    import keras

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        description = archive.read("architecture.json").decode()
        weights = archive.read("weights.h5") if "weights.h5" in archive.namelist() else None
    if weights is not None and (whole := _join_legacy(description, weights)) is not None:
        return open_model("h5", whole, folder)
    model = keras.models.model_from_json(description)
    if not isinstance(model, keras.Model):
        raise BadInput(
            f"model: its JSON must describe a whole model, got a {type(model).__name__}; write model.to_json()"
        )
    if weights is not None:
        path = folder / "model.weights.h5"
        path.write_bytes(weights)
        model.load_weights(path)
    return model


def _join_legacy(description: str, weights: bytes) -> bytes | None:
    """Return the legacy file of an architecture and its weights; None where the weights are not in that format.

    Keras 3 reads architectures of Keras 2 as a part of such files only.
    """
    import h5py

    joined = io.BytesIO()
    with h5py.File(io.BytesIO(weights), "r") as old, h5py.File(joined, "w") as new:
        group = old.get("model_weights", old)
        if "layer_names" not in group.attrs:
            return None
        old.copy(group, new, "model_weights")
        new.attrs["model_config"] = description
    return joined.getvalue()


def explain(error: Exception) -> str:
    """Return the sentence that says why a model file cannot be loaded."""
    # Keras gives one class of error to many causes, so its words must tell them apart.
    text = str(error)
    if _PICKLED.search(text):
        return (
            "model: has a Lambda layer, Python code that is not run from a file; make it a layer in a module of yours "
            " with @keras.saving.register_keras_serializable()"
        )
    if unknown := _UNKNOWN.search(text):
        return (
            f"model: needs {unknown[1]}, which Keras does not know; register it with "
            f"@keras.saving.register_keras_serializable() in a module of the job's code"
        )
    reason, _, _ = text.rpartition("Exception encountered: ")[2].partition("\n")
    return f"model: cannot be loaded: {type(error).__name__}: {textwrap.shorten(reason, 300, placeholder=' ...')}"
