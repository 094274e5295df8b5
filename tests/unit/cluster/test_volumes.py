"""The provisioner's decisions: which claims get a volume, where it is, and when it goes."""

from pathlib import Path
from typing import Any

import pytest

from tests.cluster import volumes
from tests.cluster.layout import PROVISIONER


class Recorder:
    """An API server that only writes down what is asked of it."""

    def __init__(self) -> None:
        self.created: list[tuple[str, dict[str, Any]]] = []
        self.deleted: list[str] = []

    def create(self, place: str, thing: dict[str, Any]) -> None:
        """Note an object."""
        self.created.append((place, thing))

    def delete(self, place: str) -> None:
        """Note a place."""
        self.deleted.append(place)


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder in place of the cluster's."""
    monkeypatch.setattr(volumes, "ROOT", tmp_path)
    (tmp_path / "node2" / "volumes").mkdir(parents=True)
    return tmp_path


def _claim(node: str | None = "node2", modes: tuple[str, ...] = ("ReadWriteOnce",)) -> dict[str, Any]:
    chosen = {volumes.NODE_CHOSEN: node} if node else {}
    return {
        "metadata": {
            "name": "studies",
            "namespace": "default",
            "uid": "7",
            "annotations": {volumes.ASKED: PROVISIONER, **chosen},
        },
        "spec": {
            "accessModes": list(modes),
            "storageClassName": "standard",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


def test_claim_gets_a_folder_on_its_node(root: Path) -> None:
    """The volume can be mounted on that node alone."""
    api = Recorder()

    volumes.provide(api, _claim())

    ((place, made),) = api.created
    assert place == "/api/v1/persistentvolumes"
    assert (root / "node2" / "volumes" / "pvc-7").is_dir()
    terms = made["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert terms[0]["matchExpressions"][0]["values"] == ["node2"]


def test_claim_waits_for_its_first_pod(root: Path) -> None:
    """Before the scheduler chose a node nothing is made."""
    api = Recorder()

    volumes.provide(api, _claim(node=None))

    assert api.created == []


def test_claim_for_many_nodes_is_refused_with_a_sentence(root: Path) -> None:
    """The event says which access mode it was."""
    api = Recorder()

    volumes.provide(api, _claim(modes=("ReadWriteMany",)))

    ((place, event),) = api.created
    assert place == "/api/v1/namespaces/default/events"
    assert event["message"] == "volumes here belong to one node: ReadWriteMany is not to be had"


def test_folder_goes_with_the_claim(root: Path) -> None:
    """A released volume is removed, contents and all."""
    api = Recorder()
    volumes.provide(api, _claim())
    released = api.created[0][1] | {"status": {"phase": "Released"}}
    (root / "node2" / "volumes" / "pvc-7" / "file").touch()

    volumes.release(api, released)

    assert list((root / "node2" / "volumes").iterdir()) == []
    assert api.deleted == ["/api/v1/persistentvolumes/pvc-7"]


def test_bound_volume_stays(root: Path) -> None:
    """Only a released volume goes."""
    api = Recorder()
    volumes.provide(api, _claim())

    volumes.release(api, api.created[0][1] | {"status": {"phase": "Bound"}})

    assert api.deleted == []
