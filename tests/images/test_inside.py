"""What drivers and executors do, inside the image, as a restricted pod has it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from images import build
from tests.images.test_steps import load

if TYPE_CHECKING:
    from tests.images.conftest import Image

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]

STEPS = ("--volume", f"{build.ROOT}/images/tinderbox/steps:/steps:ro")

TENSORFLOW = """
import numpy, tensorflow as tf
layers = [tf.keras.layers.Conv2D(4, 3, activation="relu"), tf.keras.layers.Flatten(), tf.keras.layers.Dense(2)]
model = tf.keras.Sequential(layers)
model.compile(optimizer="adam", loss=tf.keras.losses.SparseCategoricalCrossentropy(True), jit_compile=COMPILED)
images, labels = numpy.random.default_rng(1).random((64, 8, 8, 1), "float32"), numpy.arange(64) % 2
model.fit(tf.data.Dataset.from_tensor_slices((images, labels)).batch(16), epochs=2, verbose=0)
before = model.predict(images, verbose=0)
model.save("model.keras")
model.export("model")
after = tf.keras.models.load_model("model.keras").predict(images, verbose=0)
exported = tf.saved_model.load("model")
served = exported.serve(images).numpy()
print(float(abs(before - after).max()), float(abs(before - served).max()) < 1e-5)
"""

SPARK = """
from pyspark.sql import SparkSession, functions
spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
assert spark.sparkContext.parallelize(range(100), 2).map(lambda number: number * 2).sum() == 9900
frame = spark.range(1000).selectExpr("id", "id % 7 day", "to_date('2026-11-21') + cast(id as int) date")
for kind in ("parquet", "orc", "csv", "json"):
    frame.write.format(kind).save(kind)
    assert spark.read.schema(frame.schema).format(kind).load(kind).groupBy("day").count().count() == 7, kind
for codec in ("zstd", "snappy", "lz4_raw", "gzip"):
    frame.write.option("compression", codec).parquet(codec)
    assert spark.read.parquet(codec).count() == 1000, codec
assert spark.sql("select transform(array(1, 2), x -> x + 1) a").first().a == [2, 3]
doubled = functions.pandas_udf(lambda column: column * 2, "long")
assert frame.select(doubled("id").alias("twice")).toPandas().twice.sum() == 999000
spark.conf.set("spark.sql.streaming.stateStore.providerClass",
               "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider")
counts = spark.readStream.schema(frame.schema).parquet("parquet").groupBy("day").count()
counts.writeStream.outputMode("complete").format("memory").queryName("days").trigger(availableNow=True) \\
    .option("checkpointLocation", "checkpoints").start().awaitTermination()
assert spark.table("days").count() == 7
spark.stop()
print("done")
"""

LIBRARIES = """
import ctypes, pathlib, sys
import numpy, pandas, pyarrow.parquet, scipy.linalg, sklearn.ensemble, matplotlib.pyplot, h5py, PIL.Image
import tensorflow
broken = []
for path in pathlib.Path(sys.prefix).rglob("*.so*"):
    try:
        ctypes.CDLL(str(path))
    except OSError as error:
        broken.append(f"{path}: {error}")
print(broken)
"""

ARCHIVE = """
import pathlib, sys
sys.path.insert(0, "/steps")
import archive
options = "-Xshare:on -XX:SharedArchiveFile=/opt/tinderbox/cds/{0}.jsa -Xlog:class+load:file=/work/{0}.log"
archive.warm_up(pathlib.Path("/opt/tinderbox/cds/classpath.jar"), options.format("driver"), options.format("executor"))
for kind in archive.KINDS:
    lines = pathlib.Path("/work", kind + ".log").read_text().splitlines()
    spark = [line for line in lines if " org.apache.spark." in line and "$$Lambda" not in line]  # made as it runs
    print(kind, len(spark), sum("shared objects file" in line for line in spark))
"""

HISTORY = """
set -e
mkdir -p /work/conf /work/events
python -c '
from pyspark.sql import SparkSession
settings = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": "file:///work/events", "spark.ui.enabled": "false"}
spark = SparkSession.builder.master("local[1]").appName("remembered").config(map=settings).getOrCreate()
spark.range(10).count(); spark.stop()' 2>/dev/null
echo spark.history.fs.logDirectory file:///work/events > /work/conf/spark-defaults.conf
SPARK_CONF_DIR=/work/conf spark-class org.apache.spark.deploy.history.HistoryServer > /work/log 2>&1 &
for attempt in $(seq 120); do
    sleep 1
    python -c '
import json, urllib.request
applications = json.load(urllib.request.urlopen("http://localhost:18080/api/v1/applications"))
print(applications[0]["name"], applications[0]["attempts"][0]["completed"])' 2>/dev/null && break
done || { tail -20 /work/log >&2; exit 1; }
kill %1
"""

DASHBOARD = """
import gzip, threading, urllib.request
from tinderbox.report.dashboard import serving
from tinderbox.report.library import Library
with serving(Library("/work/studies", print), 8081) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for path in ("dashboard", "api/studies"):
        print(urllib.request.urlopen("http://127.0.0.1:8081/" + path).read().decode())
    script = urllib.request.Request("http://127.0.0.1:8081/static/bundle.js", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(script) as answer:
        print(answer.headers["Content-Encoding"], len(gzip.decompress(answer.read())) > 1_000_000)
    server.shutdown()
"""

COLLECTIVE = """
import pathlib, subprocess, sys
pathlib.Path("worker.py").write_text('''
import json, os, sys
rank, addresses = int(sys.argv[1]), ["127.0.0.1:7100", "127.0.0.1:7101"]
task = {"type": "worker", "index": rank}
os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
import tensorflow as tf
strategy = tf.distribute.MultiWorkerMirroredStrategy()
keys = {"group_size": 2, "group_key": 1, "instance_key": 1, "ordering_token": []}
total = tf.raw_ops.CollectiveReduceV2(input=tf.constant([1.5, rank]), merge_op="Add", final_op="Id", **keys)
print(total.numpy().tolist())
''')
command = [sys.executable, "worker.py"]
workers = [subprocess.Popen([*command, str(rank)], stdout=subprocess.PIPE, text=True) for rank in range(2)]
print([worker.communicate()[0].strip() for worker in workers])
"""

CURVE = """
import zmq
with zmq.Context() as context, context.socket(zmq.PULL) as server, context.socket(zmq.PUSH) as client:
    client.curve_serverkey, server.curve_secretkey = zmq.curve_keypair()
    client.curve_publickey, client.curve_secretkey = zmq.curve_keypair()
    server.curve_server = True
    client.connect(f"tcp://127.0.0.1:{server.bind_to_random_port('tcp://127.0.0.1')}")
    client.send(b"update")
    print(server.recv(), server.get(zmq.MECHANISM) == zmq.CURVE)
"""

ZONES = """
import zoneinfo, pandas
print(pandas.Timestamp("2026-07-01 12:00", tz=zoneinfo.ZoneInfo("Europe/Berlin")).tz_convert("America/New_York"))
"""

JOB = """
kind: sweep
name: small
objective: tinderbox.examples.lenet:train
metric: {name: val_accuracy, direction: maximize}
parameters:
  learning_rate: {type: float, low: 0.001, high: 0.1, log: true}
  width: {type: int, low: 16, high: 64}
search: random
budget: {trials: 2}
epochs: 1
slots: 1
data: {source: digits}
"""

TRAINING = """
kind: train
name: together
model: lenet5
data: {source: digits}
workers: 2
epochs: 1
mode: MODE
"""


def test_the_user_is_nobody_special(image: Image) -> None:
    """Numbers, because restricted Pod Security looks at them; and nothing of the image is theirs to change."""
    assert image.run("sh", "-c", "id -u; id -g; touch /opt/code/x || true").splitlines() == ["1000", "1000"]
    settings = json.loads(image.docker.run("image", "inspect", "--format", "{{json .Config}}", image.name))
    assert settings["User"] == "1000:1000"


def test_commands_are_on_the_path(image: Image) -> None:
    """With Spark and Java found."""
    image.run("sh", "-ec", "python -m tinderbox --help; tinderbox --help; command -v spark-class; java -version")
    home = "import os, pyspark; print(os.path.samefile(os.environ['SPARK_HOME'], pyspark.__path__[0]))"
    assert image.python(home) == "True\n"


def test_a_signal_reaches_the_command(image: Image) -> None:
    """The init is process 1 and passes it on."""
    script = "trap 'echo stopped; exit 7' TERM; kill -TERM 1; sleep 5 & wait"
    done = image.start("bash", "-c", script)
    assert (done.returncode, done.stdout) == (7, "stopped\n")


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "XLA"])
def test_tensorflow_trains_saves_and_loads(image: Image, compiled: bool) -> None:
    """A model that is loaded predicts what the saved one did."""
    assert image.python(TENSORFLOW.replace("COMPILED", str(compiled))).splitlines()[-1] == "0.0 True"


def test_spark_works(image: Image) -> None:
    """RDDs and SQL with Python workers, files, codecs and the native code that the cuts went past."""
    assert image.python(SPARK).splitlines()[-1] == "done"


def test_every_library_loads(image: Image) -> None:
    """Those that were stripped too."""
    assert image.python(LIBRARIES).splitlines()[-1] == "[]"


def test_classes_come_from_the_archive(image: Image) -> None:
    """A driver asks a stand-in for the API server for an executor, both with -Xshare:on: a mismatch ends a JVM."""
    said = image.python(ARCHIVE, STEPS).splitlines()[-2:]
    for kind, line in zip(("driver", "executor"), said, strict=True):
        name, loaded, shared = line.split()
        assert name == kind
        assert int(shared) > 0.8 * int(loaded) > 500, said


def test_the_archive_is_used_without_being_asked_for(image: Image) -> None:
    """A driver's own settings suffice, and its JVM does not complain."""
    code = """
import os
os.environ["SPARK_SUBMIT_OPTS"] += " -Xlog:class+load:file=/work/log"
from pyspark.sql import SparkSession
SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate().stop()
print(sum("shared objects file" in line for line in open("/work/log")))
"""
    done = image.start("python", "-", given=code)
    assert int(done.stdout.splitlines()[-1]) > 5000
    assert "[cds]" not in done.stderr + done.stdout


def test_the_history_server_reads_event_logs(image: Image) -> None:
    """Started as the chart's console starts it."""
    assert image.run("bash", "-c", HISTORY).splitlines()[-1] == "remembered True"


def test_optuna_dashboard_serves(image: Image) -> None:
    """As in the chart's console, without the database that the cuts took."""
    assert image.python(DASHBOARD).splitlines()[-2:] == ['{"study_summaries": []}', "gzip True"]


def test_a_sweep_runs_and_its_report_is_written(image: Image) -> None:
    """The whole product, on one machine inside the image."""
    script = (
        "cat > job.yaml; tinderbox sweep job.yaml > log 2>&1 || { cat log >&2; exit 1; }; find studies -name '*.html'"
    )
    assert image.run("bash", "-c", script, given=JOB).startswith("studies/small/")


def test_workers_add_up_gradients(image: Image) -> None:
    """Two processes, each of which gets the sum of both: TensorFlow's runtime for several of them is there."""
    assert image.python(COLLECTIVE).splitlines()[-1] == "['[3.0, 1.0]', '[3.0, 1.0]']"


def test_workers_share_updates_in_secret(image: Image) -> None:
    """ZeroMQ encrypts and authenticates."""
    assert image.python(CURVE) == "b'update' True\n"


@pytest.mark.parametrize("mode", ["synchronous", "averaging", "threshold"])
def test_a_training_runs_and_leaves_its_model(image: Image, mode: str) -> None:
    """Two workers on one machine inside the image."""
    script = "cat > job.yaml; tinderbox train job.yaml > log 2>&1 || { cat log >&2; exit 1; }; ls studies/together"
    left = image.run("bash", "-c", script, given=TRAINING.replace("MODE", mode)).split()
    assert {"model.keras", "history.jsonl", "report.html"} <= set(left)


def test_the_system_knows_time_zones(image: Image) -> None:
    """In the place of the package that was cut."""
    assert image.python(ZONES) == "2026-07-01 06:00:00-04:00\n"


def test_figures_need_no_home(image: Image) -> None:
    """Fonts are found and cached where everybody may write, in each format that people save."""
    code = """
import matplotlib.pyplot as plot
plot.plot([1, 2])
for kind in ("png", "svg", "pdf", "ps"):
    plot.savefig("figure." + kind)
import plotly.graph_objects
print(len(plotly.graph_objects.Figure(plotly.graph_objects.Scatter(y=[1, 2])).to_html()) > 1_000_000)
"""
    done = image.start("python", "-", given=code)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_the_image_is_small(image: Image) -> None:
    """At most 2.0 GB, archives and all."""
    size = int(image.docker.run("image", "inspect", "--format", "{{.Size}}", image.name))
    assert size <= 2_000_000_000


def test_the_packages_fit_together(image: Image) -> None:
    """But for what was cut on purpose: pip looks at the names of packages only."""
    done = image.start("pip", "check")
    cut = {pattern.removesuffix("-*") for pattern in load("trim").UNUSED if pattern.endswith("-*")}
    missing = {
        line.split(" requires ")[1].partition(",")[0] for line in done.stdout.splitlines() if " requires " in line
    }
    assert missing <= cut
