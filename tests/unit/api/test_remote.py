"""A release on a cluster, which is played; the storage behind its console is real."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from tinderbox.api import remote
from tinderbox.api.homecoming import bring_home
from tinderbox.api.remote import opened_storage
from tinderbox.api.result import open_study
from tinderbox.api.stock import take_stock
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.kube.cluster import Release
from tinderbox.kube.forward import relayed
from tinderbox.storage import StudyFolder


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
        "release tinderbox has no console that is ready, and what it keeps lies in a claim: "
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
    assert str(failed.value) == "storage cannot be read from console console-1: Server disconnected; try again"


@pytest.mark.usefixtures("broken")
def test_what_is_wrong_with_a_study_is_said_as_it_is() -> None:
    """And not blamed on the console."""
    cluster: Any = None
    with pytest.raises(BadInput, match=r"^mine$"), opened_storage(cluster, released("/studies")):
        raise BadInput("mine")


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


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("infer", "job sweep-small is a batch inference, whose slots stay as they are; delete it"),
        ("train", "job sweep-small is a training, whose workers stay as they are: it takes fewer where there are"),
    ],
)
def test_what_has_no_slots_is_not_scaled(kind: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its driver reads its job once."""
    cluster = Scaled()
    text = f"# kind: sweep\nkind: {kind}\nslots: 2\n"
    cluster.maps["sweep-small"]["data"]["job.yaml"] = text
    with pytest.raises(BadInput, match=sentence):
        scaled(cluster, monkeypatch)
    assert cluster.maps["sweep-small"]["data"]["job.yaml"] == text
