"""Model files on their way to the executors: known by what they hold, packed once, told apart by a digest."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tinderbox.errors import BadInput
from tinderbox.models.files import is_keras

Form = Literal["keras", "h5", "savedmodel", "architecture"]

_HDF5 = b"\x89HDF\r\n\x1a\n"
SIGNATURES = ("serving_default", "serve")
"""The signatures of a SavedModel that are looked for, the better one first."""
_PASSING = {"date_saved", "compile_config", "shared_object_id"}
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class PackedModel:
    """A model on its way to the executors: what is in its files, and the SHA-256 of what counts there, in hexadecimal.

    `content` is the file itself, or an uncompressed zip of several; where the files lay, in which order and when they
    were written is not in the digest.
    """

    form: Form
    content: bytes
    digest: str


def pack_model(path: Path, weights: Path | None = None, new_weights: bool = False) -> PackedModel:
    """Return the model at a local path, known by what it holds, whatever its name.

    It is a file in Keras's own format, a legacy HDF5 file, a SavedModel folder, or the JSON of an architecture, whose
    `weights` are an HDF5 file; only what is to be trained may do without, by `new_weights`. Nothing is unpickled; a
    SavedModel however is a program, which must be trusted.

    Raises:
        BadInput: There is no such model, or it is incomplete.
    """
    form = _tell(path)
    if weights is None and form == "architecture" and not new_weights:
        raise BadInput(f"{path}: is an architecture, which needs the HDF5 file of its weights; name it as weights")
    if weights is not None and form != "architecture":
        raise BadInput(f"{weights}: weights go with the JSON of an architecture, and {path} is a whole model; name one")
    try:
        files = _read(path, weights, form)
        whole = files[""] if form in ("keras", "h5") else _zip(files)
        return PackedModel(form, whole, _digest(form, _members(whole) if form == "keras" else files))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from error


def pack_loaded(model: Any) -> PackedModel:
    """Return a Keras model that is in this process, as its own file would be packed.

    Raises:
        BadInput: It is none.
    """
    import keras

    if not isinstance(model, keras.Model):
        raise BadInput(f"model: must be a Keras model, a path, a URL or a mapping, got {type(model).__name__}")
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "model.keras")
        model.save(path)
        return pack_model(path)


def _tell(path: Path) -> Form:
    if not path.exists():
        raise BadInput(f"{path}: does not exist; name a model's file or its SavedModel folder")
    if path.is_dir():
        if not (path / "saved_model.pb").is_file():
            raise BadInput(
                f"{path}: is a folder without saved_model.pb, so no SavedModel; name what model.export wrote"
            )
        return "savedmodel"
    try:
        if is_keras(path):
            return "keras"
        with path.open("rb") as file:
            start = file.read(len(_HDF5))
        if start == _HDF5:
            return "h5"
        if start.lstrip()[:1] == b"{" and _is_architecture(json.loads(path.read_bytes())):
            return "architecture"
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path}: is damaged, so nothing can be read from it: {error}") from error
    raise BadInput(
        f"{path}: is no whole model of a kind known here; name a .keras or .h5 file, a SavedModel folder, "
        f"or the JSON of an architecture"
    )


def _is_architecture(description: Any) -> bool:
    return isinstance(description, dict) and {"class_name", "config"} <= set(description)


def _read(path: Path, weights: Path | None, form: Form) -> dict[str, bytes]:
    """Return a model's files by their names; the only one of a model in one file has none."""
    if weights is not None:
        return {"architecture.json": path.read_bytes(), "weights.h5": _read_weights(weights)}
    if form == "savedmodel":
        return _read_folder(path)
    content = path.read_bytes()
    if form == "architecture":
        return {"architecture.json": content}
    if form == "h5" and "model_config" not in _attributes(path, content):
        raise BadInput(f"{path}: holds weights without an architecture; name its JSON as path, and this as weights")
    return {"": content}


def _read_weights(path: Path) -> bytes:
    if not path.is_file():
        raise BadInput(f"{path}: does not exist; name the HDF5 file of the architecture's weights")
    content = path.read_bytes()
    if not content.startswith(_HDF5):
        raise BadInput(f"{path}: is no HDF5 file; write the weights by model.save_weights with a name in .weights.h5")
    _attributes(path, content)
    return content


def _attributes(path: Path, content: bytes) -> set[str]:
    import h5py

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            return set(file.attrs)
    except OSError as error:
        raise BadInput(f"{path}: is damaged, so nothing can be read from it: {error}") from error


def _read_folder(path: Path) -> dict[str, bytes]:
    """Return what TensorFlow loads of a SavedModel, without the fingerprint, which is another at each export."""
    found = [path / "saved_model.pb", *path.glob("variables/*"), *path.glob("assets/**/*")]
    files = {file.relative_to(path).as_posix(): file.read_bytes() for file in found if file.is_file()}
    signatures = _signatures(path, files["saved_model.pb"])
    if not signatures & set(SIGNATURES):
        names = ", ".join(sorted(signatures)) or "none"
        raise BadInput(f"{path}: needs a signature {' or '.join(SIGNATURES)}, got {names}; write it by model.export")
    return files


def _signatures(path: Path, content: bytes) -> set[str]:
    # TensorFlow's public loader names the signatures only once all variables are restored.
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    try:
        graphs = SavedModel.FromString(content).meta_graphs
    except DecodeError as error:
        raise BadInput(f"{path}: has a damaged saved_model.pb: {error}") from error
    return {name for graph in graphs for name in graph.signature_def}


def _zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return buffer.getvalue()


def _members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _digest(form: Form, files: Mapping[str, bytes]) -> str:
    sha256 = hashlib.sha256(form.encode())
    for name, content in sorted(files.items()):
        counted = _without_passing(content) if name.endswith(".json") else content
        sha256.update(json.dumps([name, len(counted)]).encode())
        sha256.update(counted)
    return sha256.hexdigest()


def _without_passing(content: bytes) -> bytes:
    """Return a JSON text without what is another at each save and changes no prediction."""

    def keep(found: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in found.items() if key not in _PASSING}

    return json.dumps(json.loads(content, object_hook=keep), sort_keys=True).encode()
