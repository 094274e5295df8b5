"""A model's whole state in one file: weights, optimizer, random generators, and whatever else belongs to it."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tinderbox.errors import BadInput

WEIGHTS, GENERATORS = "model.weights.h5", "generators.json"
"""Members of a checkpoint: Keras's own, with the optimizer in it, and ours beside it."""
_OWN = "tinderbox/"


def save_model(model: Any, file: BinaryIO, members: Mapping[str, bytes] | None = None) -> None:
    """Write a model in Keras's own format, with weights, optimizer and random generators, into an open file.

    `members` are put beside them, for `read_members`.
    """
    with tempfile.TemporaryDirectory(prefix="tinderbox-") as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(GENERATORS, json.dumps(_generators(model)))
            _write(archive, members or {})
        with path.open("rb") as source:
            shutil.copyfileobj(source, file)


def save_members(members: Mapping[str, bytes], file: BinaryIO) -> None:
    """Write a state without a model into an open file: that of a worker whose model another one saves."""
    with zipfile.ZipFile(file, "w") as archive:
        _write(archive, members)


def _write(archive: zipfile.ZipFile, members: Mapping[str, bytes]) -> None:
    for name, content in members.items():
        archive.writestr(f"{_OWN}{name}", content)


def read_members(path: Path) -> dict[str, bytes]:
    """Return what was saved as members of a state."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.startswith(_OWN)]
        return {name.removeprefix(_OWN): archive.read(name) for name in names}


def restore(model: Any, path: Path) -> None:
    """Put a saved state into a model of the same shape, its random layers, and Python's and NumPy's generators.

    Raises:
        BadInput: The model is not built, so it has no weights yet, or it has others.
    """
    if not model.built:
        raise BadInput(
            "a model must be built before fit, so that it can go on from a checkpoint; begin it with an Input"
        )
    if model.optimizer is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)  # or it would have no state to load into
    with tempfile.TemporaryDirectory(prefix="tinderbox-") as folder, zipfile.ZipFile(path) as archive:
        try:
            model.load_weights(archive.extract(WEIGHTS, folder))
        except ValueError as error:
            raise BadInput(f"the model is not the one that was saved: {error}; build it from params alone") from error
        _set_generators(model, json.loads(archive.read(GENERATORS)))


def set_stream(model: Any, rank: int) -> None:
    """Give a model's random layers the stream of numbers that belongs to the worker `rank`.

    It depends on the layers' seeds, the rank, and how many numbers were drawn, which is the same on all workers. So it
    can be had from the state of worker 0, whose stream is that of one worker by itself.
    """
    for variable in _seeds(model):
        seed, drawn = (int(number) for number in variable.numpy())
        mixed = int(np.random.SeedSequence([seed, rank]).generate_state(1)[0]) if rank else seed
        variable.assign(np.array([mixed, drawn], variable.numpy().dtype))


def _seeds(model: Any) -> list[Any]:
    """Return the variables of a model's random layers, such as Dropout, which Keras does not save."""
    return [variable for variable in model.variables if variable.name == "seed_generator_state"]


def _generators(model: Any) -> dict[str, Any]:
    """Return the state of Python's, NumPy's and the model's generators as plain values."""
    seeds = [variable.numpy().tolist() for variable in _seeds(model)]
    version, numbers, gauss = random.getstate()
    name, key, *rest = np.random.get_state()
    numpy = [name, np.asarray(key).tolist(), *rest]
    return {"model": seeds, "python": [version, list(numbers), gauss], "numpy": numpy}


def _set_generators(model: Any, state: dict[str, Any]) -> None:
    for variable, value in zip(_seeds(model), state["model"], strict=True):
        variable.assign(value)
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, key, *rest = state["numpy"]
    np.random.set_state((name, np.array(key, np.uint32), *rest))
