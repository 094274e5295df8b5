"""Every kind of input through a real Spark: the same images, and so the same rows, whatever they lie in."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from PIL import Image

import tinderbox
from tinderbox.api.infer import run_inference
from tinderbox.api.inference import make_infer_plan
from tinderbox.api.labelled import InferResult
from tinderbox.config import check_infer
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.spark.reading import find_volume
from tinderbox.spark.session import open_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

COUNT = 50
Run = Callable[..., InferResult]


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    """A session with two workers' worth of cores."""
    tree = {"kind": "infer", "name": "session", "model": "none", "input": "none"}
    session = open_session(check_infer(tree, "test"), "local[2,4]", None)
    yield session
    session.stop()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose ten classes are the tens of the mean gray level, and which is sure of the right one."""
    import keras

    inputs = keras.Input((4, 4, 1))
    mean = keras.layers.GlobalAveragePooling2D()(inputs)
    dense = keras.layers.Dense(10)
    network = keras.Model(inputs, dense(mean))
    # Parabolas around the middle of each ten: -(m - c)^2, without the part that is equal for all.
    middles = np.arange(10) * 10.0 + 4.5
    dense.set_weights([2 * middles[np.newaxis], -(middles**2)])
    path = tmp_path_factory.mktemp("model") / "tens.keras"
    network.save(path)
    return path


def png(level: int) -> bytes:
    """An image of one gray level."""
    sink = io.BytesIO()
    Image.fromarray(np.full((8, 8), level, np.uint8)).save(sink, "PNG")
    return sink.getvalue()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Images by name, each of the gray level that its name is, one of them broken."""
    return {f"{level}.png": png(level) for level in range(COUNT)} | {"broken.png": png(3)[:40]}


@pytest.fixture
def run(spark: SparkSession, model: Path, tmp_path: Path) -> Run:
    """A function that labels an input on the session."""

    def start(source: Any, **options: Any) -> InferResult:
        tree = {
            "kind": "infer",
            "name": "tens",
            "model": str(model),
            "input": source,
            "logits": True,
            "top": 2,
            "storage": str(tmp_path / "studies"),
            **options,
        }
        return run_inference(make_infer_plan(check_infer(tree, "test"), tmp_path), spark=spark)

    return start


def check(result: InferResult, broken: int = 1) -> pd.DataFrame:
    """Return the rows, after every image was found with the label of its own level."""
    table = ds.dataset(result.rows).to_table().to_pandas()
    good = table[table["error"].isna()]
    levels = [int(Path(path).stem) for path in good["path"]]
    assert sorted(levels) == list(range(COUNT))
    assert list(good["label"]) == [str(level // 10) for level in levels]
    assert len(table) - len(good) == broken
    assert (result.summary.rows, result.summary.labelled) == (COUNT + broken, COUNT)
    return table


def test_folders_with_names_that_urls_escape(run: Run, tmp_path: Path, images: dict[str, bytes]) -> None:
    """Folders below the folder, blanks and percent signs: a path in a row is the file's own; a glob finds them too."""
    folder = tmp_path / "in put" / "a%20b"
    folder.mkdir(parents=True)
    for name, content in images.items():
        (folder / name).write_bytes(content)
    table = check(run("in put"))
    assert {path for path in table["path"] if "broken" not in path} == {
        str(folder / name) for name in images if name != "broken.png"
    }
    again = run({"source": "images", "path": "in put/*", "pattern": "1*.png"}, name="glob")
    assert again.summary.rows == 11


def test_files_that_come_later_may_be_older(run: Run, tmp_path: Path) -> None:
    """A file counts as new when it has not been seen, whatever its date says, for copies keep theirs."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "7.png").write_bytes(png(7))
    run("in")
    (tmp_path / "in" / "17.png").write_bytes(png(17))
    os.utime(tmp_path / "in" / "17.png", (1e9, 1e9))
    result = run("in")
    assert (result.done.rows, result.summary.labels.kept) == (1, {"0": 1, "1": 1})


def test_names_that_begin_with_an_underscore(run: Run, tmp_path: Path) -> None:
    """They are images, in folders of such names too; hidden files and what Spark leaves beside its own are not."""
    (tmp_path / "in" / "_more").mkdir(parents=True)
    for name in ("_7.png", "_more/17.png"):
        (tmp_path / "in" / name).write_bytes(png(7))
    for name in (".hidden.png", "_SUCCESS"):
        (tmp_path / "in" / name).touch()
    result = run("in")
    paths = ds.dataset(result.rows).to_table()["path"].to_pylist()
    assert sorted(paths) == [f"{tmp_path}/in/_7.png", f"{tmp_path}/in/_more/17.png"]


def test_a_file_alone(run: Run, tmp_path: Path) -> None:
    """One file is an input too."""
    (tmp_path / "7.png").write_bytes(png(7))
    assert run("7.png").summary.labels.kept == {"0": 1}


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_tars(run: Run, tmp_path: Path, images: dict[str, bytes], mode: Any) -> None:
    """Members are called by their archive and their name; a truncated archive is one more row."""
    for part in range(2):
        with tarfile.open(tmp_path / f"{part}.tar", mode) as archive:
            for name, content in list(images.items())[part::2]:
                member = tarfile.TarInfo(f"some/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    whole = (tmp_path / "0.tar").read_bytes()
    (tmp_path / "2.tar").write_bytes(whole[:30])
    table = check(run({"source": "tar", "path": "*.tar"}), broken=2)
    assert {Path(path).name for path in table[table["error"].notna()]["path"]} == {"2.tar", "broken.png"}
    members = {f"{tmp_path}/{part}.tar/some/{name}" for part in range(2) for name in list(images)[part::2]}
    assert set(table["path"]) == {*members, f"{tmp_path}/2.tar"}


def test_archives_fill_all_slots(spark: SparkSession, tmp_path: Path) -> None:
    """A micro-batch has room for as many large archives as there are slots; a job may say otherwise."""
    with (tmp_path / "large.tar").open("wb") as file:
        file.truncate(1 << 30)
    (tmp_path / "_small.tar").write_bytes(b"x")
    tree = {"kind": "infer", "name": "all", "model": "m", "input": f"{tmp_path}/*.tar", "slots": 3}
    assert find_volume(spark, check_infer(tree, "test")) == 3 << 30
    assert find_volume(spark, check_infer({**tree, "limits": {"volume": 5}}, "test")) == 5


def test_tfrecords(run: Run, tmp_path: Path, images: dict[str, bytes]) -> None:
    """The usual features of ImageNet's records."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(tmp_path / "all.tfrecord")) as writer:
        for name, content in images.items():
            features = {
                key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                for key, value in {"image/encoded": content, "image/filename": name.encode()}.items()
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    check(run("all.tfrecord"))


def test_parquet_with_images(run: Run, tmp_path: Path, images: dict[str, bytes]) -> None:
    """A binary column, and a key that takes the place of the path."""
    table = pa.table({"name": list(images), "bytes": pa.array(images.values(), pa.binary())})
    pq.write_table(table, tmp_path / "all.parquet")
    check(run({"source": "parquet", "path": "all.parquet", "image": "bytes", "key": "name"}))
    with pytest.raises(BadInput, match="has the columns name, bytes, and not picture"):
        run({"source": "parquet", "path": "all.parquet", "image": "picture"}, name="other")


def test_parquet_without_a_key(run: Run, tmp_path: Path) -> None:
    """A row is called by its file, whose name is the file's own, and by its number there."""
    pq.write_table(pa.table({"bytes": pa.array([png(7), png(17)], pa.binary())}), tmp_path / "a+b c%20.parquet")
    rows = _read_rows(run({"source": "parquet", "path": "*.parquet", "image": "bytes"}))
    assert {row["path"]: row["label"] for row in rows} == {
        f"{tmp_path}/a+b c%20.parquet#0": "0",
        f"{tmp_path}/a+b c%20.parquet#1": "1",
    }


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_numbers(run: Run, tmp_path: Path, kind: str) -> None:
    """Rows of numbers through a regression; a null among them is a row with an error."""
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.set_weights([np.array([[2.0], [1.0]]), np.array([0.5])])
    model.save(tmp_path / "sum.keras")
    frame = pd.DataFrame({"id": ["a", "b", "c"], "x": [1.0, 2.0, None], "y": [10, 20, 30]})
    frame.to_csv(tmp_path / "rows.csv", index=False) if kind == "csv" else frame.to_parquet(tmp_path / "rows.parquet")
    source = {"source": kind, "path": f"rows.{kind}", "features": ["x", "y"], "key": "id"}
    result = run(source, model="sum.keras", task="regression", logits=False, output={"format": "jsonl"})
    rows = {row["path"]: row for row in map(dict, _read_lines(result))}
    assert (rows["a"]["values"], rows["b"]["values"]) == ([12.5], [24.5])
    assert (rows["c"]["values"], rows["c"]["error"]) == (None, "x must be a finite number")


def test_tables_whose_columns_are_in_another_order(run: Run, tmp_path: Path) -> None:
    """What would be taken for another column, for Spark reads by position, is refused; what nobody needs may differ."""
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.set_weights([np.array([[2.0], [1.0]]), np.array([0.5])])
    model.save(tmp_path / "sum.keras")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1.csv").write_text("x,y\n1,10\n")
    (tmp_path / "in" / "2.csv").write_text("x,y,z\n2,20,a\n")
    source = {"source": "csv", "path": "in", "features": ["x", "y"]}
    options = {"model": "sum.keras", "task": "regression", "logits": False}
    assert sorted(row["values"] for row in _read_rows(run(source, **options))) == [[12.5], [24.5]]
    (tmp_path / "in" / "3.csv").write_text("y,x\n10,1\n")
    with pytest.raises(TinderboxError, match="CSV header does not conform to the schema"):
        run(source, name="other", **options)


def _read_rows(result: InferResult) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ds.dataset(result.rows).to_table().to_pylist()
    return found


def _read_lines(result: InferResult) -> list[dict[str, Any]]:
    table = ds.dataset(result.rows, format="json").to_table()
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def test_a_path_that_is_not_there(run: Run, tmp_path: Path) -> None:
    """One sentence, and nothing is left that a later run would take for work that is done."""
    with pytest.raises(BadInput, match=r"^input: .*nowhere"):
        run("nowhere")
    with pytest.raises(BadInput, match=r"^input: .*/nothing/\*\.png cannot be read"):
        run("nothing/*.png")
    (tmp_path / "bare").mkdir()
    with pytest.raises(BadInput, match="bare holds nothing to label"):
        run("bare")


def test_predict_in_a_notebook(spark: SparkSession, model: Path, tmp_path: Path, images: dict[str, bytes]) -> None:
    """A DataFrame in, a DataFrame out, by a path, a model at hand, and columns that are not there."""
    import keras

    for name, content in images.items():
        (tmp_path / name).write_bytes(content)
    files = spark.read.format("binaryFile").load(f"{tmp_path}/*.png")
    for given in (str(model), keras.models.load_model(model)):
        rows = tinderbox.predict(files, given, logits=True, top=1, labels=[f"tens-{n}" for n in range(10)]).toPandas()
        good = rows[rows["error"].isna()]
        assert [f"tens-{int(Path(path).stem) // 10}" for path in good["path"]] == list(good["label"])
        assert (len(good), len(rows), "thumbnail" in rows) == (COUNT, COUNT + 1, False)
    with pytest.raises(BadInput, match="and not pixels"):
        tinderbox.predict(files, str(model), image="pixels")
    with pytest.raises(BadInput, match="labels must name the model's 10 classes, one a line, got 2"):
        tinderbox.predict(files, str(model), labels=["a", "b"])
    with pytest.raises(BadInput, match=r"output is no option; leave it out"):
        tinderbox.predict(files, str(model), output={"format": "csv"})
