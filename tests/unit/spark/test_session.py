"""Sessions are refused in one sentence, and the files they need travel with the package."""

from __future__ import annotations

import fnmatch
import signal
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from py4j.protocol import Py4JNetworkError
from pyspark import SparkContext

import tinderbox
from tinderbox.config import SweepJob, check_sweep
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.metrics.meter import SOCKET_VARIABLE
from tinderbox.spark.session import (
    check_java,
    close_session,
    in_bytes,
    name_exporter,
    open_session,
    read_defaults,
    share_executor,
    size_of_executors,
    want_executors,
)

MakeJob = Callable[..., SweepJob]


@pytest.fixture
def make_job() -> MakeJob:
    """A function that returns a job with these changes."""
    tree: dict[str, Any] = {
        "kind": "sweep",
        "name": "small",
        "objective": "module:function",
        "metric": {"name": "loss", "direction": "minimize"},
        "parameters": {"x": {"type": "float", "low": 0, "high": 1, "grid": 2}},
        "search": "grid",
        "epochs": 1,
    }
    return lambda **changes: check_sweep(tree | changes, "test")


@pytest.mark.parametrize(
    ("master", "path", "expected"),
    [
        ("local[2]", "/tmp/new", "/tmp/new"),  # noqa: S108 - nothing is written there
        ("local-cluster[2,1,1024]", "/tmp/new", "/tmp/new"),  # noqa: S108
        ("local[2]", "", "/tmp/old"),  # noqa: S108
        ("k8s://https://10.0.0.1", "/tmp/new", "/tmp/old"),  # noqa: S108
    ],
)
def test_workers_of_an_older_session_find_the_exporter(
    master: str, path: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On this machine, where its Java knows the one of an earlier run, or none; on others each pod has its own."""
    monkeypatch.setenv(SOCKET_VARIABLE, path)
    context = SimpleNamespace(master=master, environment={SOCKET_VARIABLE: "/tmp/old"})  # noqa: S108
    name_exporter(cast("Any", SimpleNamespace(sparkContext=context)))
    assert context.environment == {SOCKET_VARIABLE: expected}


@pytest.mark.parametrize("master", ["nonsense", "local[2", "spark://", "", "localhost:7077"])
def test_a_wrong_master_is_refused_before_java_starts(make_job: MakeJob, master: str) -> None:
    """What Spark would take minutes of Java frames to refuse costs one sentence."""
    with pytest.raises(BadInput, match=r"^a Spark master is local\[2\], .*, got '"):
        open_session(make_job(), master, None)


@pytest.mark.parametrize(
    ("slots", "cores", "given", "executors"), [(4, 1, "2", "2"), (5, 1, "2", "3"), (3, 2, "4", "2"), (2, 2, None, "2")]
)
def test_executors_are_as_many_as_slots_need(
    make_job: MakeJob, slots: int, cores: int, given: str | None, executors: str
) -> None:
    """Slots share executors where they fit; without a word of the chart, an executor is as large as a slot."""
    defaults = {"spark.executor.cores": given} if given else {}
    sizes = size_of_executors(make_job(slots=slots, cores=cores), defaults)
    assert sizes == {"spark.executor.instances": executors, "spark.executor.cores": given or str(cores)}


@pytest.mark.parametrize(("slots", "executors"), [(1, "2"), (3, "3"), (8, "4")])
def test_executors_that_come_and_go_begin_within_their_bounds(make_job: MakeJob, slots: int, executors: str) -> None:
    """Spark does not start with more than dynamic allocation allows, or fewer."""
    bounds = {"minExecutors": "2", "maxExecutors": "4", "enabled": "true"}
    defaults = {f"spark.dynamicAllocation.{key}": value for key, value in bounds.items()}
    assert size_of_executors(make_job(slots=slots), defaults)["spark.executor.instances"] == executors


@pytest.mark.parametrize(
    ("gpus", "slots", "amount"), [(1, 1, "1"), (4, 2, "2"), (3, 2, "1"), (1, 2, "0.5"), (1, 3, "0.3333"), (2, 3, "0.5")]
)
def test_slots_divide_the_gpus_of_an_executor(make_job: MakeJob, gpus: int, slots: int, amount: str) -> None:
    """Whole ones where there are enough, or else parts of one, and as many slots fit as by cores."""
    defaults = {"spark.executor.cores": str(slots), "spark.executor.resource.gpu.amount": str(gpus)}
    assert size_of_executors(make_job(), defaults)["spark.task.resource.gpu.amount"] == amount
    part = float(amount)
    assert (gpus // int(part) if part >= 1 else gpus * int(1 / part)) >= slots


@pytest.mark.parametrize(
    ("master", "slots", "settings", "share"),
    [
        ("k8s://here", 8, {"spark.executor.cores": "4", "spark.executor.memory": "768m"}, (768 << 20, 2)),
        ("k8s://here", 1, {"spark.executor.cores": "4", "spark.executor.memory": "768m"}, (768 << 20, 1)),
        ("spark://there:7077", 8, {}, (1 << 30, 0)),
        ("local[8]", 4, {"spark.executor.cores": "4"}, (1 << 30, 0)),
    ],
)
def test_slots_share_an_executor(
    make_job: MakeJob, master: str, slots: int, settings: dict[str, str], share: tuple[int, int]
) -> None:
    """As many as there are cores for, or slots at all; not on this machine, nor where cores are not known."""
    spark = SimpleNamespace(master=master, getConf=lambda: settings)
    assert share_executor(cast("SparkContext", spark), make_job(slots=slots, cores=2)) == share


@pytest.mark.parametrize(
    ("size", "expected"), [("512", 512 << 20), ("512k", 512 << 10), ("2G", 2 << 30), ("1tb", 1 << 40), ("7b", 7)]
)
def test_sizes_are_read_as_spark_reads_them(size: str, expected: int) -> None:
    """With and without a unit."""
    assert in_bytes(size) == expected


@pytest.mark.parametrize("size", ["", "1.5g", "g", "2x"])
def test_a_size_that_is_none_is_refused(size: str) -> None:
    """The sentence has what it got."""
    with pytest.raises(BadInput, match=f"a size of Spark's memory is a number with one of the units .*, got {size!r}"):
        in_bytes(size)


@pytest.mark.parametrize(("running", "asked"), [(1, [3]), (3, []), (4, [])])
def test_more_slots_ask_for_executors_in_all(make_job: MakeJob, running: int, asked: list[int]) -> None:
    """Not for those that are missing: Spark on Kubernetes does not count what it began with; too many stay."""
    told: list[int] = []
    java = SimpleNamespace(
        getExecutorIds=lambda: SimpleNamespace(size=lambda: running),
        requestTotalExecutors=lambda count, aware, hosts: told.append(count),
    )
    spark = SimpleNamespace(
        master="k8s://here",
        getConf=lambda: SimpleNamespace(getAll=lambda: [("spark.executor.cores", "1")]),
        _jsc=SimpleNamespace(sc=lambda: java),
        _jvm=SimpleNamespace(PythonUtils=SimpleNamespace(toScalaMap=dict)),
    )
    want_executors(cast("Any", spark), make_job(slots=3))
    assert told == asked


def test_a_slot_larger_than_an_executor_is_refused(make_job: MakeJob) -> None:
    """Such a slot would wait for ever."""
    with pytest.raises(BadInput, match="cores must be at most 2, what the chart gives an executor, got 4"):
        size_of_executors(make_job(cores=4), {"spark.executor.cores": "2"})


def test_defaults_are_read_as_spark_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Comments, blank lines and keys without a value are left out."""
    (tmp_path / "spark-defaults.conf").write_text(
        "# a comment\n\nspark.executor.cores   4\nspark.x a b \nspark.empty\n"
    )
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    assert read_defaults() == {"spark.executor.cores": "4", "spark.x": "a b"}
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path / "none"))
    assert read_defaults() == {}


@pytest.mark.parametrize(("code", "how"), [(-signal.SIGKILL, "was killed by SIGKILL"), (11, "ended with exit code 11")])
def test_java_that_ends_is_noticed(monkeypatch: pytest.MonkeyPatch, code: int, how: str) -> None:
    """A killed Java, or one that gives up, is told with its signal or its exit code."""
    running = SimpleNamespace(poll=lambda: None)
    monkeypatch.setattr(SparkContext, "_gateway", SimpleNamespace(proc=running))
    check_java()
    running.poll = lambda: code
    with pytest.raises(TinderboxError, match=f"^Spark's Java process {how}; run the same command again to continue$"):
        check_java()


@pytest.mark.parametrize("gateway", [None, SimpleNamespace()])
def test_a_java_that_is_not_ours_is_not_looked_at(monkeypatch: pytest.MonkeyPatch, gateway: object) -> None:
    """Where there is none, or somebody else has started it, there is nothing to tell."""
    monkeypatch.setattr(SparkContext, "_gateway", gateway)
    check_java()


@pytest.mark.parametrize("error", [ConnectionRefusedError(111, "refused"), Py4JNetworkError("no answer")])
def test_a_session_whose_java_has_ended_is_closed(error: Exception) -> None:
    """There is nothing left to stop, and no reason to hide what went wrong before."""

    def stop() -> None:
        raise error

    close_session(cast("Any", SimpleNamespace(stop=stop)))


def test_every_file_of_the_package_is_installed() -> None:
    """What is no module, such as Spark's logging, is named in pyproject.toml, or a wheel would lack it."""
    package = Path(tinderbox.__file__).parent
    named = tomllib.loads((package.parents[1] / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    patterns = {f"{name.replace('.', '/')}/{pattern}" for name, globs in named.items() for pattern in globs}
    files = [
        path.relative_to(package.parent).as_posix()
        for path in package.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    assert [file for file in files if not any(fnmatch.fnmatch(file, pattern) for pattern in patterns)] == []
