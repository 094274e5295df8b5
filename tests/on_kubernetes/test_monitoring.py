"""The chart's own Prometheus while a sweep with killed slots, a training and a batch inference run: it knows them."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import promql_parser
import pyarrow.dataset as ds
import pytest
import yaml

from monitoring.preview.__main__ import main as draw
from monitoring.preview.check import Returned, ask_all
from monitoring.preview.window import Window
from tests.cluster import binaries, elsewhere, images
from tests.on_kubernetes.photos import BROKEN, COPIES, JOB, TOP, mounted, share, unshare
from tests.on_kubernetes.prometheus import Prometheus, forwarded
from tests.on_kubernetes.release import CHART
from tinderbox.api.result import SweepResult, open_study
from tinderbox.api.trained import TrainResult, open_training

if TYPE_CHECKING:
    from tests.on_kubernetes.release import Release

Open = Callable[..., "Release"]
Eventually = Callable[[Callable[[], bool], float], bool]

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

SCRAPE_SECONDS = 5.0
KILLS = 3
SWEEP = """
kind: sweep
name: watched
objective: tinderbox.examples.lenet:train
metric: {name: val_accuracy, direction: maximize}
parameters:
  learning_rate: {type: float, low: 0.001, high: 1, log: true, default: 0.01}
  width: {type: choice, choices: [32, 64, 128], default: 64}
search: random
budget: {trials: 20}
epochs: 16
rungs: {min_epochs: 4, reduction: 2}
checkpoints: {epochs: 1}
slots: 2
data: {source: digits}
"""
TRAINING = """
kind: train
name: together
model: lenet5
data: {source: digits}
optimizer: {name: sgd, learning_rate: 0.05}
mode: threshold
workers: 2
batch: 16
epochs: 60
checkpoints: {steps: 100}
"""
WITHOUT_DATA = {
    ("inference", "Accuracy"): "the photos lie in one folder, so nobody knows their true labels",
    (
        "inference",
        "Tinderbox / Inference",
    ): "its alert waits for five minutes, and the job takes one",
    ("training", "Tinderbox / Training"): "its alerts wait for losses, which are the test of training's to make",
}
"""Panels, by dashboard and title, whose queries return nothing here, and why; a dashboard's title for annotations."""

SOMETIMES = {("study", "Nodes avoided"): "a node is avoided only if nothing ends well there between three kills"}

Key = tuple[str, str, str]


@dataclass
class Watched:
    """What was seen: each query's answers at several moments, alerts that fired and ended, and what is at home.

    `moments` says at what time each dashboard has most to show.
    """

    release: Release
    prometheus: Prometheus
    began: float
    study: SweepResult
    training: TrainResult
    rows: pd.DataFrame
    killed: str
    answers: dict[Key, list[Returned]] = field(default_factory=lambda: defaultdict(list))
    moments: dict[str, float] = field(default_factory=dict)
    fired: bool = False
    resolved: bool = False


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart with the window of one alert made short, so that a test can wait for its end."""
    copy = tmp_path_factory.mktemp("chart") / "tinderbox"
    shutil.copytree(CHART, copy)
    rules = copy / "monitoring" / "rules" / "alerts.yaml"
    text = rules.read_text()
    assert text.count("increase(tinderbox_slots_lost_total[15m])") == 1
    rules.write_text(
        text.replace("increase(tinderbox_slots_lost_total[15m])", "increase(tinderbox_slots_lost_total[2m])")
    )
    return copy


@pytest.fixture(scope="module")
def watched(opened: Open, photos: Path, chart: Path, eventually: Eventually) -> Iterator[Watched]:
    """A sweep one of whose slots is killed again and again, then a training and a batch inference; all brought home."""
    if elsewhere.named() is None:
        if "prometheus" in binaries.missing(["prometheus"]):
            pytest.skip("there is no prometheus: python -m tests.cluster build prometheus")
        image = yaml.safe_load((CHART / "values.yaml").read_text())["prometheus"]["image"]
        images.push_prometheus(f"{image['repository']}:{image['tag']}")
    seconds = f"{SCRAPE_SECONDS:.0f}s"
    values = {
        "console.optunaDashboard": "true",
        "prometheus.enabled": "true",
        "prometheus.scrapeInterval": seconds,
        "prometheus.memory": "512Mi",
    }
    release = opened("watched", mounted() | values, chart)
    share(release, photos)
    with forwarded(release) as prometheus:
        seen = Watched(release, prometheus, time.time(), None, None, None, "")  # type: ignore[arg-type]
        submit(release, "watched", SWEEP)
        assert eventually(lambda: reports(prometheus) >= 4, 240), release.log("sweep-watched")
        ask(seen)
        seen.killed = kill_slots(release, prometheus, eventually)
        seen.fired = eventually(lambda: ("TinderboxSlotsLost", seen.killed) in prometheus.firing(), 60)
        seen.moments = dict.fromkeys(("study", "nodes", "spark"), time.time() + 4 * SCRAPE_SECONDS)
        assert eventually(lambda: ask(seen) or release.ended("sweep-watched") is not None, 300)
        submit(release, "together", TRAINING)
        assert eventually(lambda: epochs(prometheus) > 2, 240), release.log("train-together")
        assert eventually(lambda: ask(seen) or release.ended("train-together") is not None, 300)
        seen.moments["training"] = time.time()
        submit(release, "photos", JOB)
        assert eventually(lambda: labelled(prometheus) > 50, 240), release.log("infer-photos")
        assert eventually(lambda: ask(seen) or release.ended("infer-photos") is not None, 300)
        seen.resolved = eventually(lambda: ("TinderboxSlotsLost", seen.killed) not in prometheus.firing(), 120)
        for name in ("watched", "together", "photos"):
            assert eventually(lambda name=name: is_archived(prometheus, name), 90), (
                f"the console does not tell of {name}"
            )
        ask(seen)
        seen.moments["inference"] = time.time()
        for name in ("watched", "together", "photos"):
            told = release.tinderbox("fetch", name)
            assert told.returncode == 0, told.stderr
        home = release.folder / "studies"
        seen.study, seen.training = open_study("watched", str(home)), open_training("together", str(home))
        seen.rows = ds.dataset(home / "photos" / "rows", partitioning="hive").to_table().to_pandas()
        yield seen
        if folder := os.environ.get("TINDERBOX_PREVIEW"):
            for name, moment in seen.moments.items():
                window = [f"--from={seen.began:.0f}", f"--to={moment:.0f}", f"--scrape={seconds}"]
                draw([prometheus.url, folder, f"--dashboard={name}", *window])
    unshare(release)


def submit(release: Release, name: str, job: str) -> None:
    """Submit a job."""
    (release.folder / f"{name}.yaml").write_text(job)
    told = release.tinderbox("submit", f"{name}.yaml")
    assert told.returncode == 0, told.stderr


def reports(prometheus: Prometheus) -> float:
    """How many epochs the study's trials have reported, as far as Prometheus knows."""
    return max(prometheus.ask('tinderbox_reports_total{study="watched"}').values(), default=0)


def epochs(prometheus: Prometheus) -> float:
    """How many epochs of the training are done, as far as Prometheus knows."""
    return max(prometheus.ask('tinderbox_training_epoch{run="together"}').values(), default=0)


def labelled(prometheus: Prometheus) -> float:
    """How many rows are told."""
    return sum(prometheus.ask('sum(tinderbox_inference_rows{run="photos"})').values())


def kill_slots(release: Release, prometheus: Prometheus, eventually: Eventually) -> str:
    """Kill the Python processes of one executor again and again, and return its node."""
    victim = min(release.pods("spark-role=executor"), key=lambda pod: str(pod["metadata"]["name"]))
    name, node = victim["metadata"]["name"], victim["spec"]["nodeName"]
    of_node = f'{{study="watched",node="{node}"}}'

    def told(query: str) -> float:
        return max(prometheus.ask(query).values(), default=0)

    for kill in range(1, KILLS + 1):
        # A slot that has not come back yet has nothing to lose, and five such jobs in a row would end the study.
        assert eventually(lambda: told(f"count(tinderbox_slot_trial{of_node})") > 0, 120), f"no slot runs on {node}"
        release.space("exec", name, "--container=executor", "--", "pkill", "-KILL", "-f", "pyspark.daemon")
        is_lost = partial(lambda kill: told(f"max(tinderbox_slots_lost_total{of_node})") >= kill, kill)
        assert eventually(is_lost, 60), f"slot {kill} was not lost on {node}"
    return str(node)


def is_archived(prometheus: Prometheus, name: str) -> bool:
    """Whether the console, and nobody else, tells of a run by now."""
    asked = [f'tinderbox_study_over{{study="{name}"}}']
    asked += [f'tinderbox_{kind}_over{{run="{name}"}}' for kind in ("training", "inference")]
    over = prometheus.ask(" or ".join(asked))
    return len(over) == 1 and all(any("console" in label for label in labels) for labels in over)


def ask(seen: Watched) -> bool:
    """Ask every query of the dashboards, keep the answers, and return false."""
    window = Window(seen.began, time.time(), SCRAPE_SECONDS)
    for found in ask_all(seen.prometheus.url, {}, window):
        seen.answers[found.dashboard, found.panel, found.ref].append(found)
    time.sleep(SCRAPE_SECONDS)
    return False


def test_every_query_returns_data(watched: Watched) -> None:
    """Each query of each dashboard, at one moment at least, but for those that are named with a reason."""
    failed = {key: found[0].error for key, found in watched.answers.items() if any(one.error for one in found)}
    assert failed == {}
    empty = {key: found[0].expression for key, found in watched.answers.items() if not any(one.series for one in found)}
    assert {key[:2] for key in empty} - set(SOMETIMES) == set(WITHOUT_DATA), empty


def test_every_rule_has_what_it_needs(watched: Watched) -> None:
    """All rules are evaluated; recording rules have recorded, and each metric that an alert looks at was there."""
    rules = watched.prometheus.rules()
    assert {rule["name"]: rule["lastError"] for rule in rules if rule["health"] != "ok"} == {}
    minutes = f"{(time.time() - watched.began) / 60 + 1:.0f}m"
    names = {rule["name"] for rule in rules if rule["type"] == "recording"}
    for rule in rules:
        names |= set(selected(promql_parser.parse(rule["query"])))
    absent = {name for name in names if not watched.prometheus.ask(f"count(last_over_time({name}[{minutes}]))")}
    assert absent == set()


def selected(expression: object) -> Iterator[str]:
    """The names of the metrics in an expression."""
    if isinstance(expression, promql_parser.VectorSelector):
        yield str(expression.name)
    for attribute in ("expr", "lhs", "rhs", "vector_selector", "args"):
        part = getattr(expression, attribute, None)
        for one in part if isinstance(part, list) else [part]:
            if one is not None:
                yield from selected(one)


def test_nodes_count_what_the_jobs_counted(watched: Watched) -> None:
    """What the nodes' counters say together is, within 5 %, the rows on disk, and the epochs of the record."""
    ask = watched.prometheus.ask
    counted = "sum by (node) (max by (node, pod) (max_over_time(tinderbox_examples_total{{run='{0}'}}[30m])))"
    by_node = ask(counted.format("photos"))
    assert len(by_node) >= 2
    assert sum(by_node.values()) == pytest.approx(len(watched.rows) - empty_files(watched.rows), rel=0.05)
    record = watched.study.record
    assert sum(ask(counted.format("watched")).values()) == pytest.approx(record.told * examples(), rel=0.05)


def empty_files(rows: pd.DataFrame) -> int:
    """Spark passes over files without a byte, so the driver makes their rows."""
    return int((rows["reason"] == "empty").sum())


def examples() -> int:
    """How many examples an epoch has."""
    from tinderbox.config.data import Digits
    from tinderbox.data import load

    return len(load(Digits(source="digits"), Path(), lambda name: None).train)  # type: ignore[arg-type, return-value]


def test_states_and_the_best_value_are_the_records(watched: Watched) -> None:
    """What the console tells of the study that has ended is what its record says; so too of the rows."""
    ask, record = watched.prometheus.ask, watched.study.record
    states = {state: count for (state,), count in ask('max by (state) (tinderbox_trials{study="watched"})').items()}
    assert {state: count for state, count in states.items() if count} == {
        state.value: count for state, count in record.counts.items() if count
    }
    assert list(ask('max(tinderbox_best_value{study="watched"})').values()) == [pytest.approx(record.best_value)]
    rows = {outcome: count for (outcome,), count in ask("max by (outcome) (tinderbox_inference_rows)").items()}
    assert rows == {"labelled": COPIES * len(TOP), "error": BROKEN}


def test_a_training_is_told_as_its_record_has_it(watched: Watched) -> None:
    """What its nodes have counted, within 5 %, and what the console tells of its end."""
    ask, history = watched.prometheus.ask, watched.training.record.history

    def counted(metric: str) -> float:
        query = f"sum(max by (node, pod) (max_over_time({metric}{{run='together'}}[30m])))"
        return float(sum(ask(query).values()))

    assert counted("tinderbox_examples_total") == pytest.approx(sum(row.examples for row in history), rel=0.05)
    assert counted("tinderbox_sync_bytes_total") == pytest.approx(sum(row.sent for row in history), rel=0.05)
    assert counted("tinderbox_sync_dense_bytes_total") == pytest.approx(sum(row.dense for row in history), rel=0.05)
    told = {name: mean for (name,), mean in ask("max by (metric) (tinderbox_training_value)").items()}
    assert told == pytest.approx(history[-1].metrics)


def test_a_slot_that_is_killed_again_and_again_is_told(watched: Watched) -> None:
    """The alert fires, and ends by itself."""
    assert watched.fired
    assert watched.resolved
    assert watched.study.record.lost[watched.killed] >= KILLS


def test_a_study_is_whole_though_its_slots_were_killed(watched: Watched) -> None:
    """Nothing of it was lost for all that."""
    record = watched.study.record
    assert record.finished is not None
    assert len(record.trials) == 21


def test_optunas_dashboard_shows_the_study(watched: Watched, eventually: Eventually) -> None:
    """In the console's pod, of which it hears by itself: it looks every half a minute."""
    (console,) = watched.release.pods("app.kubernetes.io/component=console")
    ask = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8081/api/studies').read().decode())"
    command = ["exec", console["metadata"]["name"], "--container=optuna", "--", "python", "-c", ask]

    def shows() -> bool:
        studies = json.loads(watched.release.space(*command))["study_summaries"]
        return [study["study_name"] for study in studies] == ["watched"]

    assert eventually(shows, 60)
