"""Studies on a cluster, from a person's machine; the cluster is played, the storage behind its console is real."""

from __future__ import annotations

import io
import json
import shutil
import socket
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pytest
import yaml

from tinderbox.api import remote
from tinderbox.api.driver import Watcher
from tinderbox.api.plan import describe_job
from tinderbox.api.remote import Submitted, bring_home, coordinator_port, follow, opened_storage, pack, take_stock
from tinderbox.api.result import open_study
from tinderbox.config import SweepJob, check_sweep, read_any, read_sweep
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.inference.summary import Summary, to_json
from tinderbox.kube.cluster import Release, Unreachable
from tinderbox.kube.forward import relayed
from tinderbox.kube.jobs import Progress
from tinderbox.storage import StudyFolder
from tinderbox.storage.rows import RowsFolder
from tinderbox.sweeping.events import StudyStarted, encode
from tinderbox.sweeping.objective import by_name
from tinderbox.sweeping.status import Status

JOBS = Path(__file__).parents[3] / "jobs"
TEXTS = ["1e-3", "no", "010", "0x1F", "1_000", "1:30", "true", "null", "~", "", " a ", "a: b", "# a", "grün", "a\nb"]
TREE = {
    "kind": "sweep",
    "name": "own",
    "objective": "own_objective:train",
    "metric": {"name": "loss", "direction": "minimize"},
    "parameters": {
        "way": {"type": "choice", "choices": [*TEXTS, 1e-3, 10, True], "default": "no"},
        "on": {"type": "float", "low": 1e-07, "high": 1e22, "log": True, "when": {"way": ["no", "010"]}},
    },
    "search": "tpe",
    "budget": {"trials": 3, "time": "1h"},
    "epochs": 2,
    "data": {"source": "npz", "path": "data.npz"},
}


def written(folder: Path, **keys: Any) -> Path:
    """A job file, with code beside it."""
    (folder / "code").mkdir()
    (folder / "code" / "own_objective.py").write_text("def train(trial): ...\n")
    path = folder / "own.yaml"
    path.write_text(json.dumps({**TREE, **keys}))  # which puts each text in quotes, and is YAML
    return path


def as_the_driver(folder: Path, package: Any) -> SweepJob:
    """The job as the driver reads it, from what is mounted in its pod."""
    folder.mkdir()
    (folder / "job.yaml").write_text(package.job)
    if package.code is not None:
        (folder / "code.zip").write_bytes(package.code)
    return read_sweep(folder / "job.yaml")


def test_the_driver_reads_the_job_that_was_checked(tmp_path: Path) -> None:
    """Text for text and number for number, after --set; where studies are is the release's to say."""
    file = written(tmp_path)
    job = read_sweep(file, ["epochs=7", "parameters.way.default=1e-3", "storage=/tmp/elsewhere"])
    read = as_the_driver(tmp_path / "mount", pack(file, job, "token", None, False))
    assert describe_job(read) == describe_job(job.model_copy(update={"storage": "studies"}))
    assert list(map(repr, read.parameters["way"].choices)) == list(map(repr, job.parameters["way"].choices))  # type: ignore[union-attr]
    assert list(read.parameters) == ["way", "on"]
    assert read.epochs == 7


def test_code_travels(tmp_path: Path) -> None:
    """The driver's objective is what it would be here, so a study that goes on is of the same code."""
    file = written(tmp_path, code="code")
    package = pack(file, read_sweep(file), "token", None, False)
    assert package.code is not None
    assert zipfile.ZipFile(io.BytesIO(package.code)).namelist() == ["own_objective.py"]
    read = as_the_driver(tmp_path / "mount", package)
    assert read.code == "code.zip"
    here = by_name(read.objective, tmp_path / "code")
    assert by_name(read.objective, tmp_path / "mount" / read.code).identity == here.identity


def test_a_plain_file_brings_nothing_else(tmp_path: Path) -> None:
    """No further keys and no Job of its own."""
    file = written(tmp_path)
    package = pack(file, read_sweep(file), "token", "mine:2", True)
    assert (package.name, package.token, package.image) == ("sweep-own", "token", "mine:2")
    assert (package.code, package.files, package.template, package.arguments) == (None, {}, {}, ("--fresh",))


def test_a_manifest_brings_what_it_holds(tmp_path: Path) -> None:
    """The other keys of its ConfigMap, and its Job."""
    file = JOBS / "sweep-mnist.yaml"
    job = read_sweep(file)
    package = pack(file, job, "token", None, False)
    assert set(package.files) == {"fetch.py"}
    assert package.template["metadata"]["name"] == "sweep-mnist"
    assert package.arguments == ()
    assert as_the_driver(tmp_path / "mount", package) == job


def test_code_that_is_not_there(tmp_path: Path) -> None:
    """Is refused before anything is asked of the cluster."""
    file = written(tmp_path, code="cod")
    cluster: Any = None
    with pytest.raises(BadInput, match="code must name a folder with your modules"):
        remote.submit_job(cluster, Release("tinderbox", "/studies", {}), file, read_sweep(file))


def test_each_submission_has_a_token_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which its Secret holds, and whoever submitted it."""
    applied: list[Any] = []
    monkeypatch.setattr(remote, "submit", lambda cluster, objects: applied.append(objects))
    documents = list(yaml.safe_load_all((JOBS / "sweep-digits.yaml").read_text()))
    release = Release("tinderbox", "/studies", documents[1])
    file, cluster = written(tmp_path), None
    first, second = (remote.submit_job(cluster, release, file, read_sweep(file)) for _ in range(2))  # type: ignore[arg-type]
    assert first.token != second.token
    assert [objects[1]["stringData"]["token"] for objects in applied] == [first.token, second.token]
    assert coordinator_port(first.job) == 7070


# Following


class Steps:
    """Keeps what is shown and told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.shown: list[int] = []

    def show(self, status: Status, study: object) -> None:
        """Keep how many trials have ended."""
        self.shown.append(status.ended)

    def tell(self, step: str) -> None:
        """Keep a step."""
        self.told.append(step)


def status(ended: int, over: bool = False) -> Status:
    """A study of three trials."""
    trials = {"waiting": 0, "running": 0, "complete": ended}
    return Status(trials, 3, 1, "loss", None, None, None, 1.0, None, over)


class Play:
    """A Job whose driver is asked through a port-forward; each look and each answer is the next one of a list.

    An answer is a Status, or an exception; a study that is over has the files of `there`.
    """

    job = Submitted({"spec": {"template": {"spec": {"containers": [{"name": "driver"}]}}}}, "secret")

    def __init__(self, looks: list[Any], answers: list[Any], there: StudyFolder | None = None) -> None:
        self.looks, self.answers, self.there = looks, answers, there
        self.forwarded: list[str] = []
        self.kept = iter([False])

    def look(self, cluster: object, job: object) -> Progress:
        """Return the next progress, or raise it."""
        progress = self.looks.pop(0)
        if isinstance(progress, Exception):
            raise progress
        return progress

    @contextmanager
    def forward(self, cluster: object, pod: str, port: int) -> Iterator[str]:
        """Lend a URL."""
        self.forwarded.append(pod)
        yield f"http://{pod}:{port}"

    def __call__(self, url: str, token: str) -> Play:
        """Be the onlooker."""
        assert token == "secret"  # noqa: S105
        return self

    def status(self) -> Status:
        """Return or raise the next answer."""
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Status)
        return answer

    def keepsakes(self) -> list[str] | None:
        """Return the names at the second time."""
        assert self.there is not None
        return self.there.keepsakes() if next(self.kept, True) else None

    def read(self, name: str) -> bytes:
        """Return what is in a file."""
        assert self.there is not None
        return self.there.read(name)


Played = Callable[..., tuple[bool, Steps]]


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Played:
    """A function that follows a play to its end, and returns what that returns and what was shown."""

    def start(play: Play, home: StudyFolder | None = None) -> tuple[bool, Steps]:
        monkeypatch.setattr(remote, "LOOK_SECONDS", 0.0)
        monkeypatch.setattr(remote, "look", play.look)
        monkeypatch.setattr(remote, "forwarded", play.forward)
        monkeypatch.setattr(remote, "Onlooker", play)
        monkeypatch.setattr(remote, "coordinator_port", lambda job: 7070)
        steps, cluster = Steps(), None
        watcher: Watcher = steps
        return follow(cluster, play.job, home or StudyFolder(str(tmp_path / "home"), "small"), watcher), steps  # type: ignore[arg-type]

    return start


GONE = TinderboxError("the driver does not answer: reset")


def at(state: Any, pod: str | None = None, cause: str = "") -> Progress:
    """Where the Job stands."""
    return Progress("sweep-small", state, pod, cause)


def test_a_study_is_followed_and_comes_home(played: Played, recorded: StudyFolder, tmp_path: Path) -> None:
    """From the wait for its pod to its files; what is told while they come home is not told twice."""
    looks = [
        at("waiting", None, "it has no pod yet"),
        at("waiting", "a"),
        at("running", "a"),
        at("waiting", "a"),
        at("complete", "a"),
    ]
    brought, steps = played(Play(looks, [status(0), status(2), status(3, True), status(3, True)], recorded))
    assert brought
    assert steps.told == ["it has no pod yet", "waiting for the driver"]
    assert steps.shown == [0, 2, 3, 3]
    home = StudyFolder(str(tmp_path / "home"), "small")
    assert home.names() == recorded.keepsakes()
    assert open_study("small", str(tmp_path / "home")).best_value == 0.25


def test_the_driver_is_replaced_on_the_way(played: Played, recorded: StudyFolder) -> None:
    """The next one is followed, once it answers."""
    play = Play(
        [
            at("running", "a"),
            at("waiting", "a", "pod a was evicted"),
            at("running", "b"),
            at("running", "b"),
            at("complete"),
        ],
        [status(1), GONE, GONE, status(2), status(3, True), status(3, True)],
        recorded,
    )
    brought, steps = played(play)
    assert brought
    assert play.forwarded == ["a", "b", "b"]
    assert (steps.told, steps.shown) == (["pod a was evicted"], [1, 2, 3, 3])


def test_a_driver_that_ends_before_it_is_seen(played: Played) -> None:
    """Its Job is complete; the files are still to be fetched."""
    brought, steps = played(Play([at("running", "a"), at("complete", "a")], [GONE]))
    assert (brought, steps.shown) == (False, [])


def test_a_cluster_that_is_away_is_asked_again(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a while; then its sentence is the end of it."""
    away = Unreachable("the cluster cannot be reached: no route")
    brought, steps = played(Play([at("running", "a"), away, away, at("complete", "a")], [GONE]))
    assert (brought, steps.told) == (False, ["the cluster cannot be reached; trying again"] * 2)
    monkeypatch.setattr(remote, "AWAY_SECONDS", -1.0)
    with pytest.raises(Unreachable, match="no route"):
        played(Play([away], []))


def test_a_job_that_failed(played: Played) -> None:
    """Is an error with its cause."""
    looks = [at("running", "a"), at("failed", "a", "pod a on node n ended with exit code 2: tinderbox: no")]
    with pytest.raises(TinderboxError) as failed:
        played(Play(looks, [GONE]))
    assert str(failed.value) == "job sweep-small failed: pod a on node n ended with exit code 2: tinderbox: no"


def test_a_job_that_fails_though_its_study_came_home(played: Played, recorded: StudyFolder, tmp_path: Path) -> None:
    """As one without a trial that succeeded: it has failed, and its report is there."""
    looks = [at("running", "a"), at("failed", "a", "no trial has a value")]
    with pytest.raises(TinderboxError, match="job sweep-small failed: no trial has a value"):
        played(Play(looks, [status(3, True), status(3, True)], recorded))
    assert StudyFolder(str(tmp_path / "home"), "small").exists()


def test_a_job_that_was_deleted(played: Played, recorded: StudyFolder) -> None:
    """Is not waited for; where its study has come home already, that is all that was wanted."""
    with pytest.raises(TinderboxError) as failed:
        played(Play([at("running", "a"), at("deleted")], [GONE]))
    assert str(failed.value) == ("job sweep-small was deleted; tinderbox fetch small brings home what there is")
    brought, _ = played(Play([at("running", "a"), at("deleted")], [status(3, True), status(3, True)], recorded))
    assert brought


def test_a_home_that_cannot_be_written_ends_the_watch(played: Played, recorded: StudyFolder, tmp_path: Path) -> None:
    """At once: the driver would wait for whoever asks it again and again."""
    (tmp_path / "file").touch()
    play = Play([at("running", "a"), at("complete", "a")], [status(3, True), status(3, True)], recorded)
    with pytest.raises(BadInput, match="file/small cannot be written: Not a directory; name another folder"):
        played(play, StudyFolder(str(tmp_path / "file"), "small"))


# Home


class Quiet(SimpleHTTPRequestHandler):
    """Serves files as the console does, and prints nothing."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as in the base class
        """Print nothing."""


@pytest.fixture
def console(recorded: StudyFolder) -> Iterator[str]:
    """The URL of a server of the folder that holds the recorded study, as the release's console has one."""
    storage = recorded.root.rpartition("/")[0]
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=storage)) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def content(folder: StudyFolder) -> dict[str, bytes]:
    """All that is in a study."""
    return {name: folder.read(name) for name in folder.names()}


def restarted(folder: StudyFolder, time: float = 120) -> None:
    """Let another driver continue a study."""
    log = folder.log()
    log.append(encode(StudyStarted(time=time, generation=2)))
    log.close()


def test_a_study_comes_home(console: str, recorded: StudyFolder, tmp_path: Path) -> None:
    """Byte for byte, its trials' logs too, but without checkpoints and what is just being written."""
    recorded.write("best/model.keras", bytes(range(256)) * 5000)
    Path(recorded.path("logs", "trial-00002", ".attempt-2.log.x7")).write_bytes(b"hal")
    home = bring_home("small", console, str(tmp_path / "home"))
    expected = {n: c for n, c in content(recorded).items() if "checkpoints" not in n and "/." not in n}
    assert content(home) == expected
    assert open_study("small", str(tmp_path / "home")).log(2, 1) == "first attempt\n"


def test_the_same_study_is_brought_again(console: str, recorded: StudyFolder, tmp_path: Path) -> None:
    """What is new is added, though its driver was replaced, and what was deleted here comes again."""
    home = bring_home("small", console, str(tmp_path / "home"))
    Path(home.path("logs", "trial-00002", "attempt-1.log")).unlink()
    recorded.write("events/000001-000000.jsonl", recorded.read("events/000001-000000.jsonl") + b'{"kin')
    restarted(recorded)
    recorded.write("report.html", b"new")
    bring_home("small", console, str(tmp_path / "home"))
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["small"]
    assert home.read("report.html") == b"new"
    assert home.has("logs/trial-00002/attempt-1.log")
    assert home.has("events/000002-000000.jsonl")


def test_another_study_of_the_same_name_is_set_aside(console: str, recorded: StudyFolder, tmp_path: Path) -> None:
    """Though it is of the same job, data and code, as one that ran here, or that was begun anew there."""
    home = bring_home("small", console, str(tmp_path / "home"))
    restarted(home)
    mine = content(home)
    bring_home("small", console, str(tmp_path / "home"))
    assert content(StudyFolder(str(tmp_path / "home"), "small-1")) == mine
    assert not home.has("events/000002-000000.jsonl")
    record = recorded.read("events/000001-000000.jsonl")
    recorded.write("events/000001-000000.jsonl", record.replace(b"100", b"200", 1))
    bring_home("small", console, str(tmp_path / "home"))
    assert StudyFolder(str(tmp_path / "home"), "small-2").read("events/000001-000000.jsonl") == record
    assert home.read("events/000001-000000.jsonl") != record


def test_a_study_without_a_record_is_another(console: str, tmp_path: Path) -> None:
    """What a folder of this name holds is not written over unless it is known to be a part of the study."""
    home = bring_home("small", console, str(tmp_path / "home"))
    shutil.rmtree(home.path("events"))
    bring_home("small", console, str(tmp_path / "home"))
    assert StudyFolder(str(tmp_path / "home"), "small-1").exists()


def test_a_study_that_is_not_there(console: str, tmp_path: Path) -> None:
    """The sentence says which are, and nothing is made at home."""
    with pytest.raises(BadInput, match=rf"^there is no study 'smal' in {console}; it holds small$"):
        bring_home("smal", console, str(tmp_path / "home"))
    assert not (tmp_path / "home").exists()


def test_a_home_that_cannot_be_written(console: str, tmp_path: Path) -> None:
    """Is one sentence."""
    (tmp_path / "file").touch()
    with pytest.raises(BadInput) as refused:
        bring_home("small", console, str(tmp_path / "file"))
    assert str(refused.value) == f"{tmp_path}/file/small cannot be written: Not a directory; name another folder"


def test_a_copy_that_breaks_off_is_no_study(console: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until all its files are there it has no job.yaml."""
    write = StudyFolder.write

    def refuse(folder: StudyFolder, name: str, content: bytes) -> None:
        if name == "run.json":
            raise OSError("full")
        write(folder, name, content)

    monkeypatch.setattr(StudyFolder, "write", refuse)
    with pytest.raises(BadInput, match="full"):
        bring_home("small", console, str(tmp_path / "home"))
    home = StudyFolder(str(tmp_path / "home"), "small")
    assert home.has("events/000001-000000.jsonl")
    assert not home.exists()


def test_a_study_is_read_where_it_is(console: str) -> None:
    """Its record and a trial's log, through the console."""
    result = open_study("small", console)
    assert result.best_value == 0.25
    assert result.log(2, 1) == "first attempt\n"


# Storage and stock


def released(storage: str) -> Release:
    """A release that keeps its studies there."""
    return Release("tinderbox", storage, {})


def test_storage_with_a_url_is_opened_as_it_is() -> None:
    """Without a word to the cluster."""
    cluster: Any = None
    with opened_storage(cluster, released("s3://bucket/studies")) as storage:
        assert storage == "s3://bucket/studies"


def test_a_claim_needs_a_console(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says how there is one."""
    cluster: Any = None
    monkeypatch.setattr(remote, "find_console", lambda cluster, release: None)
    with pytest.raises(TinderboxError) as failed, opened_storage(cluster, released("/studies")):
        pass
    assert str(failed.value) == (
        "release tinderbox has no console that is ready, and its studies lie in a claim: "
        "install it with console.enabled=true, or wait for it"
    )


def test_a_claim_is_read_through_its_console(console: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a port of this machine, for as long as the block lasts."""
    cluster: Any = None
    address = ("127.0.0.1", int(console.rpartition(":")[2]))
    monkeypatch.setattr(remote, "find_console", lambda cluster, release: "console-1")
    monkeypatch.setattr(
        remote, "forwarded", lambda cluster, pod, port: relayed(lambda: socket.create_connection(address))
    )
    with opened_storage(cluster, released("/studies")) as storage:
        home = bring_home("small", storage, str(tmp_path / "home"))
        assert take_stock(open_study("small", storage)).ended == 4
    assert home.read("events/000001-000000.jsonl") == StudyFolder(console, "small").read("events/000001-000000.jsonl")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A console whose pod takes no connection."""

    def dial() -> None:
        raise OSError("no such pod")

    monkeypatch.setattr(remote, "find_console", lambda cluster, release: "console-1")
    monkeypatch.setattr(remote, "forwarded", lambda cluster, pod, port: relayed(dial))


@pytest.mark.usefixtures("broken")
def test_a_console_that_does_not_answer(tmp_path: Path) -> None:
    """Is one sentence, and no study that is not there."""
    cluster: Any = None
    with pytest.raises(TinderboxError) as failed, opened_storage(cluster, released("/studies")) as storage:
        bring_home("small", storage, str(tmp_path / "home"))
    assert not isinstance(failed.value, BadInput)
    assert str(failed.value) == "studies cannot be read from console console-1: Server disconnected; try again"


@pytest.mark.usefixtures("broken")
def test_what_is_wrong_with_a_study_is_said_as_it_is() -> None:
    """And not blamed on the console."""
    cluster: Any = None
    with pytest.raises(BadInput, match=r"^mine$"), opened_storage(cluster, released("/studies")):
        raise BadInput("mine")


def test_stock_is_taken_of_a_study_that_has_ended(recorded: StudyFolder) -> None:
    """As its driver would have said."""
    stock = take_stock(open_study("small", recorded.root.rpartition("/")[0]))
    assert (stock.ended, stock.total, stock.best_value, stock.over, stock.slots) == (4, 5, 0.25, True, 1)
    assert stock.seconds == 10.0


def test_stock_is_taken_of_a_study_that_goes_on(recorded: StudyFolder) -> None:
    """Slots of an earlier driver count no more."""
    restarted(recorded)
    stock = take_stock(open_study("small", recorded.root.rpartition("/")[0]))
    assert (stock.over, stock.slots, stock.ended) == (False, 0, 4)


@pytest.mark.parametrize("method", ["gp", "tpe", "cma-es", "qmc", "random"])
def test_stock_needs_no_search(recorded: StudyFolder, method: str) -> None:
    """What the search imports is needed where it runs: gp's PyTorch is in the driver's image, and not here."""
    job = check_sweep({**recorded.read_job(), "search": method, "budget": {"trials": 9}}, "test")
    recorded.write_job(describe_job(job), recorded.read_run())
    assert take_stock(open_study("small", recorded.root.rpartition("/")[0])).total == 10


def test_stock_counts_the_points_that_a_search_starts_with(recorded: StudyFolder) -> None:
    """As its driver does."""
    search = {"method": "tpe", "start_with": [{"x": 0.125}, {"x": 0.75}]}
    job = check_sweep({**recorded.read_job(), "search": search, "budget": {"trials": 9}}, "test")
    recorded.write_job(describe_job(job), recorded.read_run())
    assert take_stock(open_study("small", recorded.root.rpartition("/")[0])).total == 12


class Scaled:
    """A namespace with one Job and its ConfigMap."""

    def __init__(self, **changes: Any) -> None:
        volumes = [{"name": "job", "configMap": {"name": "sweep-small"}}]
        self.job = {
            "metadata": {"name": "sweep-small"},
            "spec": {"template": {"spec": {"volumes": volumes}}},
            **changes,
        }
        self.maps = {"sweep-small": {"data": {"job.yaml": "kind: sweep\nslots: 2  # of two cores\nepochs: 3\n"}}}

    def find(self, kind: str, name: str) -> Any:
        """Return a ConfigMap."""
        return self.maps.get(name)

    def merge(self, kind: str, name: str, change: Any) -> None:
        """Change a ConfigMap."""
        self.maps[name]["data"] |= change["data"]


def scaled(cluster: Scaled, monkeypatch: pytest.MonkeyPatch) -> str:
    """Scale its study to five slots."""
    monkeypatch.setattr(remote, "find_job", lambda cluster, study: cluster.job)
    return remote.scale_study(cluster, "small", 5)  # type: ignore[arg-type]


def test_a_study_is_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the text of its job file, which stays as it is otherwise."""
    cluster = Scaled()
    assert scaled(cluster, monkeypatch) == "ConfigMap sweep-small"
    assert cluster.maps["sweep-small"]["data"]["job.yaml"] == "kind: sweep\nslots: 5  # of two cores\nepochs: 3\n"


def test_a_study_that_has_ended_is_not_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no slots."""
    over = {"conditions": [{"type": "Complete", "status": "True"}]}
    with pytest.raises(BadInput, match="job sweep-small has ended, so it has no slots; submit the changed job file"):
        scaled(Scaled(status=over), monkeypatch)


@pytest.mark.parametrize(
    "volumes", [[], [{"name": "job", "emptyDir": {}}], [{"name": "job", "configMap": {"name": "x"}}]]
)
def test_a_study_whose_file_is_elsewhere_is_not_scaled(volumes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence says where to look."""
    with pytest.raises(
        BadInput, match="job sweep-small has its job file in no ConfigMap; change slots where the file is"
    ):
        scaled(Scaled(spec={"template": {"spec": {"volumes": volumes}}}), monkeypatch)


def test_a_batch_inference_is_not_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its driver reads its job once."""
    cluster = Scaled()
    text = "# kind: sweep\nkind: infer\nslots: 2\n"
    cluster.maps["sweep-small"]["data"]["job.yaml"] = text
    with pytest.raises(BadInput, match="job sweep-small is a batch inference, whose slots stay as they are; delete it"):
        scaled(cluster, monkeypatch)
    assert cluster.maps["sweep-small"]["data"]["job.yaml"] == text


def test_rows_come_home(tmp_path: Path) -> None:
    """All but the stream's progress, and what is half written; their count is known without bringing them."""
    there = RowsFolder(str(tmp_path / "there"), "photos", "0123456789ab")
    assert not remote.has_rows("photos", str(tmp_path / "there"))
    for name in ("progress/0123456789ab/offsets/0", "rows/version=0123456789ab/.half", "report.html"):
        there.write(name, b"x")
    there.keep(0, pa.table({"path": ["a", "b"]}), to_json(Summary(rows=2, labelled=2)))
    there.write("infer.yaml", b"kind: infer")
    assert remote.has_rows("photos", str(tmp_path / "there"))
    assert remote.count_rows("photos", str(tmp_path / "there")).rows == 2
    home = remote.bring_rows_home("photos", str(tmp_path / "there"), str(tmp_path / "home"))
    assert home.names() == [
        "infer.yaml",
        "report.html",
        "rows/version=0123456789ab/batch-000000.parquet",
        "summaries/0123456789ab/batch-000000.json",
    ]
    with pytest.raises(BadInput, match="there is no batch inference 'others'"):
        remote.bring_rows_home("others", str(tmp_path / "there"), str(tmp_path / "home"))


def test_rows_that_come_home_again_are_those_that_are_there(tmp_path: Path) -> None:
    """Micro-batches that are gone since all was labelled anew are no rows at home; what has run at home is kept."""
    storage, to = str(tmp_path / "there"), str(tmp_path / "home")
    there, home = RowsFolder(storage, "photos", "0123456789ab"), RowsFolder(to, "photos", "0123456789ab")
    there.begin(anew=False)
    there.write("infer.yaml", b"kind: infer")
    for number in range(2):
        there.keep(number, pa.table({"path": [str(number)]}), to_json(Summary(rows=1)))
    remote.bring_rows_home("photos", storage, to)
    there.begin(anew=True)
    there.keep(0, pa.table({"path": ["0", "1"]}), to_json(Summary(rows=2)))
    there.write("anew-0123456789ab", b"")
    remote.bring_rows_home("photos", storage, to)
    kept = [name for name in there.names() if not name.startswith(("driver-", "anew-"))]
    assert home.names() == kept
    home.write("progress/0123456789ab/offsets/0", b"x")
    remote.bring_rows_home("photos", storage, to)
    assert home.names() == kept
    assert RowsFolder(to, "photos-1").has("progress/0123456789ab/offsets/0")


def test_what_a_batch_inference_brings(tmp_path: Path) -> None:
    """Its own command, its folder of code, and where it is to begin anew `--force`."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "mine.py").write_text("def predict(rows):\n    return rows\n")
    file = tmp_path / "job.yaml"
    file.write_text("kind: infer\nname: own\npredict: mine:predict\ncolumns: {a: int}\ncode: code\ninput: /data\n")
    package = remote.pack(file, read_any(file), "secret", None, anew=True)
    assert (package.name, package.kind, package.arguments) == ("infer-own", "infer", ("--force",))
    assert package.code is not None
    assert "code: code.zip" in package.job
    assert "storage" not in package.job


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"model": "m.keras"}, "model: m.keras"),
        ({"model": {"path": "s3://b/m.json", "weights": "w.h5"}}, "model.weights: w.h5"),
        ({"labels": "../labels.txt"}, "labels: ../labels.txt"),
        ({"input": "photos"}, "input: photos"),
        ({"input": {"source": "tar", "path": "./*.tar"}}, "input: ./*.tar"),
        ({"labels": "s3://b/labels.txt", "input": "file:/data", "model": "/models/m.keras"}, None),
        ({"labels": "./here.txt"}, None),
        ({"model": {"study": "digits"}, "input": {"source": "data", "data": {"source": "digits"}}}, None),
    ],
)
def test_files_that_stay_here_are_refused(keys: dict[str, Any], told: str | None, tmp_path: Path) -> None:
    """The driver would look for them below its own job; those in the same ConfigMap are there."""
    tree = {"kind": "infer", "name": "own", "model": "/m.keras", "input": "/data", **keys}
    held = {"job.yaml": yaml.safe_dump(tree), "here.txt": "a"}
    file = tmp_path / "manifest.yaml"
    file.write_text(yaml.safe_dump({"kind": "ConfigMap", "data": held}))
    job = read_any(file)
    if told is None:
        assert remote.pack(file, job, "secret", None, anew=False).files == {"here.txt": "a"}
        return
    with pytest.raises(BadInput) as refusal:
        remote.pack(file, job, "secret", None, anew=False)
    assert str(refusal.value).startswith(f"{told} is a file of this machine, which the cluster has not; give a URL, or")
