"""A sweep, two trainings, a batch inference, and a sweep that nobody asks about, in one process that is scraped."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pytest
from PIL import Image

from tinderbox.api.result import SweepResult, open_study
from tinderbox.api.trained import open_training

LayOut = Callable[[str, str, str], Path]
Scrape = Callable[[int], dict[str, float]]

pytestmark = pytest.mark.timeout(600)

EXAMPLES, EPOCHS, TRIALS, KILLED = 24, 3, 4, 2
IMAGES, EMPTY, BROKEN = 40, 2, 3
LINGER = 60

# Trial 2 is killed at the beginning of its second epoch.
FUNCTIONS = f"""
import io
import os
import signal
import time
from pathlib import Path

from place import FOLDER


def train(trial):
    import keras
    import tinderbox

    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if trial.number == {KILLED} and epoch == 1:
                os.kill(os.getpid(), signal.SIGKILL)

        def on_epoch_end(self, epoch, logs=None):
            time.sleep(1)

    assert len(trial.data.train) == {EXAMPLES}
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(trial.params["rate"]), "mse")
    x, y = trial.data.train.x, trial.data.train.y
    model.fit(x, y, 5, trial.epochs, verbose=0, callbacks=[tinderbox.keras_callback(trial), Kill()])


def unseen(trial):
    trial.count(1, 0.5)
    time.sleep(1)
    trial.report(1, loss=trial.params["x"])


def network(shape, classes):
    import keras

    return keras.Sequential([keras.layers.Input(shape), keras.layers.Dense(classes, "softmax")])


def predict(rows):
    from PIL import Image

    for row in rows:
        time.sleep(0.1)
        yield {{"level": Image.open(io.BytesIO(row["content"])).getpixel((0, 0))}}
"""

SWEEP = f"""
kind: sweep
name: told
objective: functions:train
code: code
metric: {{name: loss, direction: minimize}}
parameters:
  rate: {{type: float, low: 0.001, high: 0.1, log: true}}
  kind: {{type: choice, choices: [a, b]}}
search: random
budget: {{trials: {TRIALS}}}
epochs: {EPOCHS}
seed: 4
data: {{source: npz, path: data.npz}}
"""

UNSEEN = """
kind: sweep
name: unseen
objective: functions:unseen
code: code
preload: []
metric: {name: loss, direction: minimize}
parameters:
  x: {type: float, low: 0, high: 1}
search: random
budget: {trials: 4}
epochs: 1
data: {source: npz, path: data.npz}
"""

TRAIN = f"""
kind: train
name: {{mode}}
model: {{{{build: functions:network}}}}
code: code
mode: {{mode}}
workers: 2
batch: 5
epochs: {EPOCHS}
data: {{{{source: npz, path: data.npz}}}}
"""

INFER = """
kind: infer
name: levels
input: images
predict: functions:predict
columns: {level: int}
code: code
batch: 4
limits: {rows: 8}
"""

# Says when each command has ended; during the last one, what listens and runs here.
DRIVER = """
import json, os, sys, threading, time
import psutil
from tinderbox.cli import main

def look():
    while True:
        found = {thread.name for thread in threading.enumerate()}
        doors = {door.laddr.port for door in psutil.Process().net_connections() if door.status == "LISTEN"}
        seen.append([sorted(found), sorted(doors)])
        time.sleep(0.2)

seen, ended = [], {}
trainings = [("train", "threshold.yaml"), ("train", "averaging.yaml")]
for command, file in (("sweep", "sweep.yaml"), *trainings, ("infer", "infer.yaml"), ("sweep", "unseen.yaml")):
    if file == "unseen.yaml":
        del os.environ["TINDERBOX_METRICS_PORT"]
        threading.Thread(target=look, daemon=True).start()
    main([command, file, "--master", "local[2]"], standalone_mode=False)
    ended[file] = time.time()
with open("ended", "w") as file:
    json.dump({"ended": ended, "seen": seen}, file)
"""


@dataclass
class Visitor:
    """Visits a port every half a second, as Prometheus does more seldom, and keeps what it is told, with the time."""

    scrape: Scrape
    port: int
    found: list[tuple[float, dict[str, float]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._visit)
        self._thread.start()

    def _visit(self) -> None:
        while not self._over.wait(0.5):
            try:
                self.found.append((time.time(), self.scrape(self.port)))
            except OSError:  # nobody is there
                continue

    def stop(self) -> None:
        """Go home."""
        self._over.set()
        self._thread.join()

    def series(self, name: str) -> list[tuple[float, float]]:
        """Return times and values of a series."""
        return [(at, told[name]) for at, told in self.found if name in told]

    def last(self, name: str) -> float:
        """Return the value that a series had last."""
        return self.series(name)[-1][1]


@dataclass(frozen=True)
class Told:
    """What a visitor was told by a process, when its commands ended, and what its last command has opened."""

    folder: Path
    port: int
    visits: Visitor
    ended: dict[str, float]
    seen: list[tuple[list[str], list[int]]]

    @property
    def study(self) -> SweepResult:
        """The study as its record has it."""
        return open_study("told", str(self.folder / "studies"))


@pytest.fixture(scope="module")
def told(lay_out: LayOut, scrape: Scrape) -> Told:
    """The commands, run to their end in one process."""
    folder = lay_out("functions", FUNCTIONS, "")
    for name, text in (("sweep", SWEEP), ("unseen", UNSEEN), ("infer", INFER)):
        (folder / f"{name}.yaml").write_text(text)
    for mode in ("threshold", "averaging"):
        (folder / f"{mode}.yaml").write_text(TRAIN.format(mode=mode))
    (folder / "images").mkdir()
    for number in range(IMAGES):
        Image.fromarray(np.full((6, 6), number, np.uint8)).save(folder / "images" / f"{number}.png")
    for number in range(EMPTY):
        (folder / "images" / f"empty-{number}.png").write_bytes(b"")
    for number in range(BROKEN):
        (folder / "images" / f"broken-{number}.png").write_text("no image")
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    asked = {"TINDERBOX_METRICS_PORT": str(port), "TINDERBOX_METRICS_LINGER": str(LINGER), "TINDERBOX_NODE": "n"}
    visits = Visitor(scrape, port)
    try:
        done = subprocess.run(
            [sys.executable, "-c", DRIVER], cwd=folder, env={**os.environ, **asked}, capture_output=True, text=True
        )
    finally:
        visits.stop()
    assert done.returncode == 0, done.stderr
    assert "metrics" not in done.stderr
    return Told(folder, port, visits, **json.loads((folder / "ended").read_text()))


def test_a_study_is_told_as_its_record_has_it(told: Told) -> None:
    """States, best value, epochs and attempts; none of them falls on the way."""
    record, last = told.study.record, told.visits.last
    assert last('tinderbox_study_over{study="told"}') == 1
    for state, count in Counter(trial.state.value for trial in record.trials.values()).items():
        assert last(f'tinderbox_trials{{state="{state}",study="told"}}') == count
    assert last('tinderbox_trials{state="failed",study="told"}') == 1
    assert last('tinderbox_best_value{study="told"}') == record.best_value
    assert last('tinderbox_reports_total{study="told"}') == record.told == (TRIALS - 1) * EPOCHS + 1
    assert last('tinderbox_trial_attempts_total{outcome="complete",study="told"}') == TRIALS - 1
    assert last('tinderbox_slots_wanted{study="told"}') == 2
    for trial in record.ranked():
        named = f'study="told",trial="{trial.number}"'
        assert last(f"tinderbox_trial_value{{{named}}}") == trial.value("loss")
        assert last(f'tinderbox_trial_parameter{{parameter="rate",{named}}}') == trial.parameters["rate"]
        kind = last(f'tinderbox_trial_parameter{{parameter="kind",{named}}}')
        assert "ab"[int(kind)] == trial.parameters["kind"]
    for name in ('tinderbox_reports_total{study="told"}', 'tinderbox_examples_total{kind="sweep",node="n",run="told"}'):
        values = [value for _, value in told.visits.series(name)]
        assert values == sorted(values)
        assert len(set(values)) > 2, "it was seen to grow"


def test_every_example_is_counted(told: Told) -> None:
    """Of each epoch that was trained, those of the trial that was killed too, and each step with its time."""
    epochs = (TRIALS - 1) * EPOCHS + 1
    labels = 'node="n",run="told"'
    assert told.visits.last(f'tinderbox_examples_total{{kind="sweep",{labels}}}') == epochs * EXAMPLES
    assert told.visits.last(f"tinderbox_step_seconds_count{{{labels}}}") == epochs * -(-EXAMPLES // 5)
    assert told.visits.last(f"tinderbox_step_seconds_sum{{{labels}}}") > 0
    assert 1 <= told.visits.last(f"tinderbox_handover_seconds_count{{{labels}}}") <= TRIALS - 2


def test_slots_are_seen_at_their_trials(told: Told) -> None:
    """While there are some, on the node, with memory; none when the study is over."""
    seen = {name for _, found in told.visits.found for name in found if name.startswith("tinderbox_slot_trial")}
    assert len(seen) == 2
    assert all('node="n"' in name for name in seen)
    assert max(value for _, value in told.visits.series('tinderbox_slots{state="busy",study="told"}')) == 2
    over = [found for _, found in told.visits.found if found.get('tinderbox_study_over{study="told"}') == 1]
    assert not [name for name in over[-1] if name.startswith("tinderbox_slot_")]


@pytest.mark.parametrize("mode", ["threshold", "averaging"])
def test_a_training_is_told_as_its_record_has_it(told: Told, mode: str) -> None:
    """Its steps, its last metrics, how its attempt ended and its checkpoint; and by the workers, what they did."""
    last, run = told.visits.last, f'run="{mode}"'
    record = open_training(mode, str(told.folder / "studies")).record
    assert last(f"tinderbox_training_over{{{run}}}") == 1
    assert last(f"tinderbox_training_epoch{{{run}}}") == last(f"tinderbox_training_epochs_wanted{{{run}}}") == EPOCHS
    assert last(f"tinderbox_training_step{{{run}}}") == record.history[-1].step
    assert last(f"tinderbox_training_checkpoint_step{{{run}}}") == max(record.checkpoints)
    assert last(f'tinderbox_training_attempts_total{{outcome="complete",{run}}}') == 1
    for name, mean in record.history[-1].metrics.items():
        assert last(f'tinderbox_training_value{{metric="{name}",{run}}}') == pytest.approx(mean)
    assert max(value for _, value in told.visits.series(f'tinderbox_training_workers{{{run},state="training"}}')) == 2
    assert last(f'tinderbox_examples_total{{kind="train",node="n",{run}}}') == EPOCHS * EXAMPLES
    dense = sum(row.dense for row in record.history)
    assert last(f'tinderbox_step_seconds_count{{node="n",{run}}}') >= record.history[-1].step
    assert last(f'tinderbox_sync_dense_bytes_total{{mode="{mode}",node="n",{run}}}') == dense > 0
    seconds = last(f'tinderbox_step_seconds_sum{{node="n",{run}}}')
    assert 0 <= last(f'tinderbox_sync_seconds_sum{{node="n",{run}}}') <= seconds


def test_rows_are_told_as_they_are_on_disk(told: Told) -> None:
    """Labelled and broken ones, by reason; workers that the same Java starts for the second run are heard, too."""
    rows = ds.dataset(told.folder / "studies" / "levels" / "rows", partitioning="hive").to_table().to_pandas()
    last, run = told.visits.last, 'run="levels"'
    assert len(rows) == IMAGES + EMPTY + BROKEN
    assert last(f"tinderbox_inference_over{{{run}}}") == 1
    assert last(f'tinderbox_inference_rows{{outcome="labelled",{run}}}') == rows["error"].isna().sum() == IMAGES
    assert last(f'tinderbox_inference_rows{{outcome="error",{run}}}') == rows["error"].notna().sum()
    for reason, count in Counter(rows["reason"].dropna()).items():
        assert last(f'tinderbox_inference_errors{{reason="{reason}",{run}}}') == count
    # Spark passes over empty files, of which the driver makes rows.
    assert last(f'tinderbox_examples_total{{kind="infer",node="n",{run}}}') == IMAGES + BROKEN
    assert last(f'tinderbox_rows_failed_total{{node="n",reason="failed",{run}}}') == BROKEN
    for phase in ("read", "predict"):
        assert last(f'tinderbox_batch_seconds_count{{node="n",phase="{phase}",{run}}}') >= (IMAGES + BROKEN) / 4


def test_files_left_go_to_zero(told: Told) -> None:
    """From all there are, and never up."""
    left = [value for _, value in told.visits.series('tinderbox_inference_left_files{run="levels"}')]
    assert left[0] == IMAGES + EMPTY + BROKEN
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0
    assert len(set(left)) > 3
    assert told.visits.series('tinderbox_inference_left_seconds{run="levels"}')


@pytest.mark.parametrize(
    ("file", "over"),
    [
        ("sweep.yaml", 'tinderbox_study_over{study="told"}'),
        ("threshold.yaml", 'tinderbox_training_over{run="threshold"}'),
        ("averaging.yaml", 'tinderbox_training_over{run="averaging"}'),
        ("infer.yaml", 'tinderbox_inference_over{run="levels"}'),
    ],
)
def test_a_run_ends_once_its_last_values_were_fetched(told: Told, file: str, over: str) -> None:
    """Twice, so that every pod has told its own; it does not stay for as long as it would for nobody."""
    visits = [at for at, value in told.visits.series(over) if value == 1]
    assert len(visits) >= 2
    assert told.ended[file] - visits[0] < LINGER / 2


def test_the_pod_is_told(told: Told) -> None:
    """Its Python processes: this one, the workers of Spark and their trials."""
    assert told.visits.last('tinderbox_pod_info{node="n",role="driver"}') == 1
    assert max(value for _, value in told.visits.series('tinderbox_worker_processes{node="n"}')) >= 5
    assert told.visits.last('tinderbox_metrics_refused_total{node="n"}') == 0
    assert told.visits.last("tinderbox_storage_free_bytes") > 0


def test_nothing_is_open_where_nobody_asks(told: Told) -> None:
    """No port and no thread, and trials run as ever, though their Java is that of runs that were asked about."""
    assert len(told.seen) > 5
    assert "metrics" not in {name for threads, _ in told.seen for name in threads}
    assert told.port not in {port for _, doors in told.seen for port in doors}
    assert open_study("unseen", str(told.folder / "studies")).trials["state"].tolist() == ["complete"] * 4
    assert not [at for at, found in told.visits.found if 'tinderbox_study_over{study="unseen"}' in found]
    assert max(at for at, _ in told.visits.found) < told.ended["infer.yaml"] + 1
