"""Networks out of files: every form gives the outputs of the model that was saved, or one sentence."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox.errors import BadInput
from tinderbox.models.network import Network, load_model, pack_model

FORMS = ["keras", "h5", "savedmodel", "architecture", "architecture, legacy"]
NAMES = {
    "keras": ["m.keras"],
    "h5": ["m.h5"],
    "savedmodel": ["m"],
    "architecture": ["m.json", "m.weights.h5"],
    "architecture, legacy": ["m.json", "m.h5"],
}

ROWS = np.linspace(0, 1, 2 * 8 * 8, dtype=np.float32).reshape(2, 8, 8, 1)

KERAS_2 = """{"class_name": "Sequential", "config": {"name": "old", "layers": [
    {"class_name": "InputLayer", "config": {"batch_input_shape": [null, 4], "dtype": "float32", "name": "d_input"}},
    {"class_name": "Dense", "config": {"name": "d", "trainable": true, "batch_input_shape": [null, 4],
        "dtype": "float32", "units": 3, "activation": "softmax", "use_bias": true,
        "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": null}},
        "bias_initializer": {"class_name": "Zeros", "config": {}}, "kernel_regularizer": null}}]},
    "keras_version": "2.8.0", "backend": "tensorflow"}"""
"""What `to_json` of TensorFlow 2.8 wrote, shortened."""


def network(seed: int = 1) -> Any:
    """Return a small network for images, which has been compiled and drops out in training."""
    import keras

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((8, 8, 1))
    hidden = keras.layers.Conv2D(2, 3, activation="relu")(inputs)
    hidden = keras.layers.Dropout(0.5)(keras.layers.GlobalAveragePooling2D()(hidden))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(hidden))
    model.compile("adam", "mse")
    return model


def save(model: Any, folder: Path, form: str = "keras") -> list[Path]:
    """Save a model in one of the forms, and return what `pack_model` takes."""
    folder.mkdir(exist_ok=True)
    if form == "savedmodel":
        model.export(folder / "m", verbose=False)
    elif form.startswith("architecture"):
        (folder / "m.json").write_text(model.to_json())
        model.save_weights(folder / "m.weights.h5")
        model.save(folder / "m.h5")
    else:
        model.save(folder / NAMES[form][0])
    return [folder / name for name in NAMES[form]]


def loaded(model: Any, folder: Path, form: str = "keras") -> Network:
    """Return the network of a model that was saved, packed and loaded."""
    return load_model(pack_model(*save(model, folder, form)))


def chain(*layers: Any, shape: tuple[int | None, ...] = (4,), dtype: str = "float32") -> Any:
    """Return a model of one layer after the other."""
    import keras

    return keras.Sequential([keras.Input(shape, dtype=dtype), *layers])


def rewrite(path: Path, change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> Path:
    """Write a zip anew, the other way round and compressed, with its members changed."""
    with zipfile.ZipFile(path) as archive:
        files = change({name: archive.read(name) for name in reversed(archive.namelist())})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_outputs_of_its_model(form: str, tmp_path: Path) -> None:
    """A model's own outputs come back, inside a tf.function too, once what was saved is gone."""
    import tensorflow as tf

    model = network()
    packed = pack_model(*save(model, tmp_path / "saved", form))
    shutil.rmtree(tmp_path / "saved")
    again = load_model(packed)
    assert packed.form == form.partition(",")[0]
    assert (again.input_shape, again.input_dtype, again.outputs) == ((8, 8, 1), "float32", 3)
    expected = model(ROWS, training=False).numpy()
    for call in (again, tf.function(again)):
        assert np.allclose(call(tf.constant(ROWS)).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_a_digest_is_of_what_counts(form: str, tmp_path: Path) -> None:
    """The same files elsewhere under other names have the same digest; other weights have another one."""
    first = pack_model(*save(network(), tmp_path / "first", form))
    shutil.copytree(tmp_path / "first", tmp_path / "moved")
    moved = [(tmp_path / "moved" / name).rename(tmp_path / f"called-{name[::-1]}") for name in NAMES[form]]
    assert pack_model(*moved) == first
    assert pack_model(*save(network(seed=2), tmp_path / "other", form)).digest != first.digest


def test_the_date_and_the_order_in_a_keras_file_do_not_count(tmp_path: Path) -> None:
    """One model saved twice is one model; another version of Keras in its file would be another."""

    def dated(date: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
        def change(files: dict[str, bytes]) -> dict[str, bytes]:
            return files | {
                "metadata.json": json.dumps(json.loads(files["metadata.json"]) | {"date_saved": date}).encode()
            }

        return change

    (path,) = save(network(), tmp_path)
    first = pack_model(path)
    second = pack_model(rewrite(path, dated("2015-03-27@00:00:00")))
    assert second.digest == first.digest
    assert second.content != first.content


@pytest.mark.parametrize("form", ["h5", "architecture", "architecture, legacy"])
def test_a_second_save_has_the_same_digest(form: str, tmp_path: Path) -> None:
    """HDF5 files hold no time; what TensorFlow exports is another graph each time, so that is not tried."""
    model = network()
    first, second = (pack_model(*save(model, tmp_path / name, form)) for name in ("first", "second"))
    assert first.digest == second.digest


def test_a_fingerprint_does_not_count(tmp_path: Path) -> None:
    """TensorFlow draws a new one for each export, and loads without it."""
    (path,) = save(network(), tmp_path, "savedmodel")
    first = pack_model(path)
    (path / "fingerprint.pb").unlink()
    (path / "notes.txt").write_text("mine")
    assert pack_model(path) == first


def test_architectures_of_keras_2_come_with_their_weights(tmp_path: Path) -> None:
    """Its JSON and its weights, which lie at the root of their file, are a network of Keras 3."""
    import h5py
    import keras
    import tensorflow as tf

    model = chain(keras.layers.Dense(3, activation="softmax", name="d"))
    (whole,) = save(model, tmp_path, "h5")
    with h5py.File(whole) as old, h5py.File(tmp_path / "weights", "w") as new:
        for name in old["model_weights"]:
            old.copy(old["model_weights"][name], new)
        new.attrs.update(old["model_weights"].attrs)
    (tmp_path / "json").write_text(KERAS_2)
    rows = tf.ones((2, 4))
    again = load_model(pack_model(tmp_path / "json", tmp_path / "weights"))
    assert np.allclose(again(rows).numpy(), model(rows).numpy())


def test_outputs_become_rows_of_float32(tmp_path: Path) -> None:
    """Axes of one are flattened, one number for each row is a row of one, and half precision is widened."""
    import keras
    import tensorflow as tf

    wide = chain(keras.layers.Dense(5, dtype="bfloat16"), keras.layers.Reshape((1, 1, 5)))
    inputs = keras.Input((4,), dtype="float16")
    flat = keras.Model(inputs, keras.ops.sum(inputs, axis=1))
    assert flat.output_shape == (None,)
    for model, outputs in ((wide, 5), (flat, 1)):
        again = loaded(model, tmp_path)
        rows = again(tf.ones((3, 4), again.input_dtype))
        assert (again.outputs, tuple(rows.shape), rows.dtype.name) == (outputs, (3, outputs), "float32")
    assert loaded(flat, tmp_path).input_dtype == "float16"
    assert rows.numpy().tolist() == [[4], [4], [4]]


def test_a_size_may_be_left_open(tmp_path: Path) -> None:
    """None in the shape stands for any size."""
    import keras
    import tensorflow as tf

    again = loaded(chain(keras.layers.GlobalAveragePooling2D(), shape=(None, None, 3)), tmp_path)
    assert again.input_shape == (None, None, 3)
    assert again(tf.ones((2, 5, 7, 3))).shape == (2, 3)


@pytest.mark.parametrize("form", ["keras", "savedmodel"])
def test_a_dictionary_of_one_is_one(form: str, tmp_path: Path) -> None:
    """One named input and one named output are found under whatever name."""
    import keras
    import tensorflow as tf

    image = keras.Input((4,), name="image")
    model = keras.Model({"image": image}, {"scores": keras.layers.Dense(2)(image)})
    rows = tf.ones((3, 4))
    again = loaded(model, tmp_path, form)
    assert np.allclose(again(rows).numpy(), model({"image": rows})["scores"].numpy())


def test_a_savedmodel_reads_its_tables_at_once(tmp_path: Path) -> None:
    """Files of a lookup table are needed while the model is loaded and not later; its variables too."""
    import tensorflow as tf

    class Table(tf.Module):  # type: ignore[misc]  # TensorFlow ships no types
        def __init__(self, words: Path) -> None:
            super().__init__()
            index = tf.lookup.TextFileIndex
            lines = tf.lookup.TextFileInitializer(str(words), tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER)
            self.table, self.weight = tf.lookup.StaticHashTable(lines, -1), tf.Variable(10.0)

        @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.int32)])  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> Any:
            return {"line": self.weight * tf.cast(self.table.lookup(tf.as_string(x)), tf.float32)}

    (tmp_path / "words.txt").write_text("33\n22\n11\n")
    table = Table(tmp_path / "words.txt")
    tf.saved_model.save(table, tmp_path / "m", signatures={"serve": table.__call__})
    again = load_model(pack_model(tmp_path / "m"))
    assert (again.input_shape, again.input_dtype) == ((1,), "int32")
    assert again(tf.constant([[11], [33], [44]])).numpy().tolist() == [[20], [0], [-10]]


def test_registered_classes_are_known(tmp_path: Path) -> None:
    """A subclassed model comes back where its class is registered, and its input is what it was built with."""
    import keras
    import tensorflow as tf

    @keras.saving.register_keras_serializable("tests")
    class Doubling(keras.Model):  # type: ignore[misc]  # Keras ships no types
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.dense = keras.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return 2 * self.dense(x)

    model, rows = Doubling(), tf.ones((3, 4))
    expected = model(rows).numpy()
    again = loaded(model, tmp_path)
    assert again.input_shape == (4,)
    assert np.allclose(again(rows).numpy(), expected)


@pytest.mark.parametrize("form", ["keras", "h5", "architecture"])
def test_an_unknown_class_is_named(form: str, tmp_path: Path) -> None:
    """The sentence says which class is missing, and how to register it."""
    import keras

    class Twice(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
        def call(self, x: Any) -> Any:
            return 2 * x

    packed = pack_model(*save(chain(Twice()), tmp_path, form))
    with pytest.raises(
        BadInput, match=r"^model: needs Twice, which Keras does not know; register it with @keras.saving"
    ):
        load_model(packed)


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`:UserWarning")
@pytest.mark.parametrize("form", ["keras", "h5", "architecture"])
def test_python_code_in_a_file_is_refused(form: str, tmp_path: Path) -> None:
    """Keras's safe mode stays on."""
    import keras

    packed = pack_model(*save(chain(keras.layers.Lambda(lambda x: x)), tmp_path, form))
    with pytest.raises(BadInput, match=r"^model: has a Lambda layer, Python code that is not run from a file; "):
        load_model(packed)


UNFIT = {
    "inputs": r"^model: must have one input and one output, got 2 and 1; ",
    "outputs": r"^model: must have one input and one output, got 1 and 2; ",
    "maps": r"^model: gives outputs of shape \(None, 6, 6, 2\), and one row of numbers is wanted for each input; ",
    "open": r"^model: gives outputs of shape \(None, None, 1\), and ",
    "batch": r"^model: takes tensors of shape \(2, 4\), which must fit any number of rows; ",
    "texts": r"^model: takes texts, and a network is to take and give numbers; ",
}


def unfit(kind: str) -> Any:
    """Return a model that no row of numbers goes into or comes out of."""
    import keras

    first, second = keras.Input((4,)), keras.Input((4,))
    match kind:
        case "inputs":
            return keras.Model([first, second], keras.layers.Add()([first, second]))
        case "outputs":
            return keras.Model(first, [first * 1, first * 2])
        case "maps":
            return chain(keras.layers.Conv2D(2, 3), shape=(8, 8, 1))
        case "open":
            return chain(keras.layers.Conv1D(1, 3), shape=(None, 1))
        case "batch":
            return keras.Sequential([keras.Input((4,), batch_size=2), keras.layers.Dense(1)])
        case _:
            vectors = keras.layers.TextVectorization(output_sequence_length=4)
            vectors.adapt(["one two three"])
            return chain(vectors, keras.layers.Embedding(5, 2), keras.layers.Flatten(), shape=(1,), dtype="string")


@pytest.mark.parametrize(
    ("kind", "form"),
    # Keras exports a model of a fixed batch for any number of rows.
    [(kind, form) for kind in UNFIT for form in ("keras", "savedmodel") if (kind, form) != ("batch", "savedmodel")],
)
def test_models_of_another_kind_are_refused(kind: str, form: str, tmp_path: Path) -> None:
    """The sentence says what the model has and what it should have."""
    packed = pack_model(*save(unfit(kind), tmp_path, form))
    with pytest.raises(BadInput, match=UNFIT[kind]):
        load_model(packed)


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built:UserWarning")
def test_a_model_without_input_is_refused(tmp_path: Path) -> None:
    """A model that was never built does not say what it takes."""
    import keras

    packed = pack_model(*save(keras.Sequential([keras.layers.Dense(3)], name="unbuilt"), tmp_path))
    with pytest.raises(
        BadInput, match=r"^model: unbuilt does not say the shape of one input; begin it with keras.Input"
    ):
        load_model(packed)


def test_what_keras_says_is_one_line(tmp_path: Path) -> None:
    """A file whose weights fit another model gives the first line of Keras's own reason."""
    other = save(network(), tmp_path / "other", "architecture")[1]
    import keras

    description = save(chain(keras.layers.Dense(3)), tmp_path, "architecture")[0]
    with pytest.raises(BadInput, match=r"^model: cannot be loaded: ValueError: .+") as refusal:
        load_model(pack_model(description, other))
    assert "\n" not in str(refusal.value)


def test_the_json_of_a_layer_is_no_model(tmp_path: Path) -> None:
    """Only a whole model can take weights."""
    import keras

    _, weights = save(network(), tmp_path, "architecture")
    layer = tmp_path / "layer.json"
    layer.write_text(json.dumps(keras.saving.serialize_keras_object(keras.layers.Dense(3))))
    with pytest.raises(BadInput, match=r"^model: its JSON must describe a whole model, got a Dense; "):
        load_model(pack_model(layer, weights))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model in every form, and with much that is none."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("saved")
    for form in FORMS:
        save(network(), folder, form)
    (folder / "empty").mkdir()
    (folder / "text").write_text("a pickle, perhaps")
    (folder / "list.json").write_text('["a", "list"]')
    (folder / "cut.json").write_text('{"class_name": "Sequ')
    (folder / "cut.h5").write_bytes((folder / "m.h5").read_bytes()[:4_000])
    (folder / "cut.weights.h5").write_bytes((folder / "m.weights.h5").read_bytes()[:4_000])
    shutil.copytree(folder / "m", folder / "damaged")
    (folder / "damaged" / "saved_model.pb").write_bytes(b"\xff\xff\xff")
    tf.saved_model.save(tf.Module(), folder / "unsigned")
    _damage(folder)
    return folder


def _damage(folder: Path) -> None:
    """Write a Keras file with a flipped bit, which its checksum gives away."""
    content = bytearray((folder / "m.keras").read_bytes())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        member = archive.getinfo("model.weights.h5")
    content[member.header_offset + 200] ^= 1
    (folder / "flipped.keras").write_bytes(content)


@pytest.mark.parametrize(
    ("name", "weights", "sentence"),
    [
        ("missing", None, "missing: does not exist; name a model's file"),
        ("empty", None, "empty: is a folder without saved_model.pb, so no SavedModel; "),
        ("text", None, "text: is no whole model of a kind known here; "),
        ("list.json", None, "list.json: is no whole model of a kind known here; "),
        ("cut.json", None, "cut.json: is damaged, so nothing can be read from it: "),
        ("cut.h5", None, "cut.h5: is damaged, so nothing can be read from it: "),
        ("flipped.keras", None, "flipped.keras: cannot be read: Bad CRC-32"),
        ("damaged", None, "damaged: has a damaged saved_model.pb: "),
        ("unsigned", None, "unsigned: needs a signature serving_default or serve, got "),
        ("m.weights.h5", None, "m.weights.h5: holds weights without an architecture; "),
        ("m.json", None, "m.json: is an architecture, which needs the HDF5 file of its weights; "),
        ("m.json", "missing", "missing: does not exist; name the HDF5 file"),
        ("m.json", "m.keras", "m.keras: is no HDF5 file; "),
        ("m.json", "cut.weights.h5", "cut.weights.h5: is damaged, so nothing can be read from it: "),
        ("m.keras", "m.weights.h5", "m.weights.h5: weights go with the JSON of an architecture, and "),
        ("m", "m.weights.h5", "m.weights.h5: weights go with the JSON of an architecture, and "),
    ],
)
def test_what_is_no_model_is_refused(saved: Path, name: str, weights: str | None, sentence: str) -> None:
    """One sentence names the file, says what is wrong with it and what to do."""
    with pytest.raises(BadInput) as refusal:
        pack_model(saved / name, None if weights is None else saved / weights)
    assert str(refusal.value).startswith(f"{saved}/{sentence}")
