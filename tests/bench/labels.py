"""Batch inference beside one process with its own prefetching, and beside Spark's predict_batch_udf.

The same JPEGs, the same cores, decoding included on all sides; warm means that the model is loaded. The photos and the
model are in the folder that TINDERBOX_DATA names.
"""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from PIL import Image

from tests.bench.rows import Row, spread
from tinderbox.api.infer import run_inference
from tinderbox.api.inference import make_infer_plan
from tinderbox.config import check_infer
from tinderbox.spark.session import open_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DATA = Path(os.environ.get("TINDERBOX_DATA", Path(__file__).parents[3] / "shared" / "data"))
MODEL = DATA / "models" / "squeezenet_imagenet.keras"
IMAGES, SIDE, FRAME, BATCH, CORES = 1536, 320, 227, 32, 2
REPETITIONS = 2


def measure() -> list[Row]:
    """Measure all sides on the same images."""
    with TemporaryDirectory(prefix="tinderbox-bench-") as scratch:
        images = Path(scratch, "images")
        draw(images)
        alone = one_process(images)
        ours, cold, memory = our_rates(images, Path(scratch, "ours"))
        rivals = {
            name: udf_rates(images, predict)
            for name, predict in (("a tf.function", "function"), ("model.predict", "predict"))
        }
        executors = [executor_rate(images, Path(scratch, f"executors-{count}"), count) for count in (1, 2)]
    rows = [
        against(
            f"{IMAGES} JPEGs of {SIDE} x {SIDE}, SqueezeNet, {CORES} cores, warm",
            ours,
            "one process with tf.data",
            alone,
            0.95,
        )
    ]
    rows += [
        against(f"the same beside predict_batch_udf with {name}", ours, "theirs", rates, 1.25)
        for name, rates in rivals.items()
    ]
    rows.append(
        Row(
            "the same, cold: with all that the first run starts",
            f"{IMAGES / cold:.1f} images/s, {cold:.1f} s",
            f"warm {statistics.median(ours):.1f}",
        )
    )
    rows.append(Row("memory of a worker, with TensorFlow and the model", spread(memory, "MiB")))
    one, two = executors
    rows.append(
        Row(
            f"2 executors of 1 core on {CORES} cores",
            f"{two:.1f} images/s",
            f"1 executor: {one:.1f}",
            f"{two / one:.2f}x",
        )
    )
    return rows


def against(what: str, ours: list[float], name: str, theirs: list[float], goal: float) -> Row:
    """Return the row of our rates against other ones."""
    ratio = statistics.median(ours) / statistics.median(theirs)
    return Row(
        what,
        spread(ours, "images/s", 1),
        f"{name}: {spread(theirs, 'images/s', 1)}",
        f"{ratio:.2f}x",
        f">= {goal}x",
        ratio >= goal,
    )


def draw(folder: Path) -> None:
    """Write JPEGs, parts of the photos."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    photos = [Image.open(path).convert("RGB") for path in sorted((DATA / "photos").iterdir())]
    for number in range(IMAGES):
        photo = photos[number % len(photos)]
        side = int(min(photo.size) * rng.uniform(0.6, 1))
        left, top = (int(rng.integers(0, length - side + 1)) for length in photo.size)
        part = photo.crop((left, top, left + side, top + side)).resize((SIDE, SIDE))
        part.save(folder / f"{number:04d}.jpg", quality=90)


def one_process(images: Path) -> list[float]:
    """Return the warm rates of one process, which reads, decodes and predicts by TensorFlow's own means."""
    told = subprocess.run(
        [sys.executable, "-m", "tests.bench.labels", str(images)], stdout=subprocess.PIPE, check=True, text=True
    )
    rates: list[float] = json.loads(told.stdout.splitlines()[-1])
    return rates


def _run_alone(folder: str) -> None:
    os.environ.update({"TF_NUM_INTRAOP_THREADS": str(CORES), "TF_NUM_INTEROP_THREADS": "2"})
    import keras
    import tensorflow as tf

    model = keras.saving.load_model(MODEL, compile=False)
    top = tf.function(lambda batch: tf.math.top_k(model(tf.cast(batch, tf.float32), training=False), 5))

    def read(path: Any) -> Any:
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.cast(tf.image.resize(image, (FRAME, FRAME)), tf.uint8)

    paths = sorted(map(str, Path(folder).iterdir()))
    data = tf.data.Dataset.from_tensor_slices(paths).map(read, num_parallel_calls=CORES).batch(BATCH).prefetch(2)
    rates = []
    for repetition in range(REPETITIONS + 1):
        begin = time.monotonic()
        for batch in data:
            top(batch)
        if repetition:
            rates.append(len(paths) / (time.monotonic() - begin))
    print(json.dumps(rates))  # noqa: T201 - what the process is for


def session(slots: int, master: str | None = None) -> SparkSession:
    """Open Spark as a batch inference does."""
    tree = {"kind": "infer", "name": "bench", "model": "none", "input": "none", "slots": slots}
    return open_session(check_infer(tree, "the bench"), master or f"local[{slots},4]", None)


def label(spark: SparkSession, images: Path, folder: Path, name: str) -> float:
    """Label the images once, and return the seconds from the listing to the report; the plan is made before."""
    tree = {
        "kind": "infer",
        "name": name,
        "model": str(MODEL),
        "input": str(images),
        "labels": str(DATA / "models" / "imagenet_labels.txt"),
        "slots": CORES,
        "batch": BATCH,
        "xla": False,
        "limits": {"rows": IMAGES},
        "storage": str(folder),
    }
    plan = make_infer_plan(check_infer(tree, "the bench"), Path.cwd())
    begin = time.monotonic()
    done = run_inference(plan, spark=spark).done
    assert (done.rows, done.labelled) == (IMAGES, IMAGES)
    return time.monotonic() - begin


def our_rates(images: Path, folder: Path) -> tuple[list[float], float, list[float]]:
    """Return our warm rates, the seconds of the first run with all that it starts, and the workers' memory in MiB."""
    spark = session(CORES)
    try:
        cold, *warm = [label(spark, images, folder, f"run-{number}") for number in range(REPETITIONS + 1)]
        workers = [
            child for child in psutil.Process().children(recursive=True) if "daemon" in " ".join(child.cmdline())
        ]
        memory = [child.memory_info().rss / (1 << 20) for child in workers]
        return [IMAGES / seconds for seconds in warm], cold, [size for size in memory if size > 300]
    finally:
        spark.stop()


def executor_rate(images: Path, folder: Path, count: int) -> float:
    """Return our warm rate on so many executors of one core."""
    spark = session(count, f"local-cluster[{count},1,1024]")
    try:
        label(spark, images, folder, "cold")
        return IMAGES / label(spark, images, folder, "warm")
    finally:
        spark.stop()


def udf_rates(images: Path, predict: str) -> list[float]:
    """Return the warm rates of predict_batch_udf on float arrays, decoded before it by a function on Arrow batches."""
    from pyspark.cloudpickle import register_pickle_by_value
    from pyspark.ml.functions import predict_batch_udf
    from pyspark.sql.types import ArrayType, FloatType

    register_pickle_by_value(sys.modules[__name__])  # workers have no tests to import
    spark = session(CORES)
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(4 * BATCH))
    spark.conf.set("spark.sql.files.minPartitionNum", str(4 * CORES))
    spark.conf.set("spark.sql.files.openCostInBytes", str(16 << 10))
    try:
        udf = predict_batch_udf(
            lambda: make_predict(predict),
            return_type=ArrayType(FloatType()),
            batch_size=BATCH,
            input_tensor_shapes=[[FRAME, FRAME, 3]],
        )
        rates = []
        for repetition in range(REPETITIONS + 1):
            begin = time.monotonic()
            files = spark.read.format("binaryFile").load(str(images))
            arrays = files.mapInPandas(decode, "path string, pixels array<float>")
            found = arrays.select("path", udf("pixels").alias("scores")).toArrow()
            assert len(found) == IMAGES
            if repetition:
                rates.append(IMAGES / (time.monotonic() - begin))
        return rates
    finally:
        spark.stop()


def make_predict(kind: str) -> Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    """Return what a person writes for predict_batch_udf."""
    os.environ.update({"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"})
    import keras
    import tensorflow as tf

    model = keras.saving.load_model(MODEL, compile=False)
    if kind == "predict":
        return lambda batch: np.asarray(model.predict(batch, verbose=0))
    run = tf.function(lambda batch: model(batch, training=False))
    return lambda batch: np.asarray(run(tf.constant(batch, tf.float32)))


def decode(tables: Iterator[Any]) -> Iterator[Any]:
    """Yield the images as arrays of floats."""
    import pandas as pd

    for table in tables:
        opened = [Image.open(io.BytesIO(content)).convert("RGB") for content in table["content"]]
        sized = [image.resize((FRAME, FRAME), Image.Resampling.BILINEAR) for image in opened]
        pixels = [np.asarray(image, np.float32).ravel() for image in sized]
        yield pd.DataFrame({"path": table["path"], "pixels": pixels})


if __name__ == "__main__":
    _run_alone(sys.argv[1])
