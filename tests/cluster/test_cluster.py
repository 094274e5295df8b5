"""The cluster keeps its promises: `pytest -m cluster tests/cluster` makes it, tries it and takes it down."""

import json
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.cluster import lifecycle, machine, prerequisites, processes
from tests.cluster.errors import ClusterError
from tests.cluster.layout import ROOT, nodes
from tests.cluster.objects import Space, claim, namespace, pod, service

Eventually = Callable[[Callable[[], bool], float], bool]

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

NAMES = [node.name for node in nodes()]


@pytest.fixture(scope="module")
def before() -> Iterator[dict[str, set[str]]]:
    """The machine without a cluster; one that ran is back afterwards."""
    _skip_where_it_cannot_run()
    ran = lifecycle.running()
    lifecycle.down()
    yield machine.traces()
    if ran:
        lifecycle.up()
    else:
        lifecycle.down()


def _skip_where_it_cannot_run() -> None:
    if reason := prerequisites.why_not():
        pytest.skip(reason)


@pytest.fixture(scope="module")
def cluster(before: dict[str, set[str]]) -> None:
    """A cluster that is up."""
    lifecycle.up()


@pytest.fixture(scope="module")
def space(cluster: None) -> Space:
    """A namespace with a pod on each node, each named after its node."""
    space = Space("trial")
    space.apply(namespace(space.name))
    space.apply(*(pod(name, node=name) for name in NAMES))
    space.await_ready(*NAMES)
    return space


def test_restricted_pods_run_on_every_node(space: Space) -> None:
    """Exec reaches each of them, and none is root."""
    assert [space.shell(name, "id -u; hostname").split() for name in NAMES] == [["1000", name] for name in NAMES]


def test_pod_that_is_not_restricted_is_refused(space: Space) -> None:
    """Pod Security is enforced by the namespace."""
    with pytest.raises(ClusterError, match="violates PodSecurity"):
        space.apply(pod("careless", securityContext={}))


@pytest.mark.parametrize("name", NAMES)
def test_names_and_services_are_reached_from_every_node(space: Space, name: str) -> None:
    """A page served on the first node is read by its service's name."""
    space.apply(
        pod("page", "cd /tmp && echo hello >index.html && httpd -f -p 8080", node="node1"), service("page", 8080)
    )
    space.await_ready("page")

    assert space.shell(name, "wget -q -O - http://page.trial.svc.cluster.local:8080").strip() == "hello"


def test_logs_are_read(space: Space) -> None:
    """What a pod prints comes through its kubelet."""
    space.apply(pod("speaker", "echo said; sleep 60"))
    space.await_ready("speaker")

    assert space("logs", "speaker").strip() == "said"


def test_memory_limit_is_enforced(space: Space, eventually: Eventually) -> None:
    """The kernel ends what takes more, and the pod's state says so."""
    space.apply(pod("greedy", "tail /dev/zero", resources={"limits": {"memory": "20Mi"}}))

    state = ".status.containerStatuses[0].state.terminated.reason"
    assert eventually(lambda: space.read("pod/greedy", state) == "OOMKilled", 60)


def test_eviction_is_granted(space: Space, eventually: Eventually) -> None:
    """A pod that is asked to leave goes."""
    space.apply(pod("guest"))
    space.await_ready("guest")
    metadata = {"name": "guest", "namespace": space.name}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}

    place = f"/api/v1/namespaces/{space.name}/pods/guest/eviction"
    space("create", "--raw", place, "--filename=-", given=json.dumps(eviction))

    assert eventually(lambda: "guest" not in space("get", "pods", "--output=name"), 30)


def test_volume_belongs_to_one_node(space: Space, eventually: Eventually) -> None:
    """What one pod wrote the next one reads, on that node alone; the folder goes with the claim."""
    space.apply(claim("disk"), pod("writer", "echo kept >/data/file; sleep 60", node="node2", claim="disk"))
    space.await_ready("writer")
    assert eventually(lambda: "file" in space.shell("writer", "ls /data"), 10)
    space("delete", "pod", "writer")
    space.apply(pod("reader", "cat /data/file; sleep 60", claim="disk"), pod("far", node="node3", claim="disk"))
    space.await_ready("reader")

    assert space.read("pod/reader", ".spec.nodeName") == "node2"
    assert space("logs", "reader").strip() == "kept"
    sentence = '.status.conditions[?(@.type=="PodScheduled")].message'
    assert eventually(lambda: "PersistentVolume's node affinity" in space.read("pod/far", sentence), 20)

    volume = space.read("pvc/disk", ".spec.volumeName")
    folder = ROOT / "node2" / "volumes" / volume
    assert folder.is_dir()
    space("delete", "pod/reader", "pod/far", "pvc/disk")
    assert eventually(lambda: not folder.exists(), 20)


def test_wrong_image_name_is_not_found(space: Space, eventually: Eventually) -> None:
    """The registry's answer is in the pod's state."""
    space.apply(pod("wrong", image="tinderbox:no-such-tag"))

    waiting = ".status.containerStatuses[0].state.waiting.message"
    assert eventually(lambda: "not found" in space.read("pod/wrong", waiting), 60)


def test_second_up_changes_nothing(space: Space) -> None:
    """Every process stays the one that it was."""
    found = processes.records()

    lifecycle.up()

    assert processes.records() == found


def test_up_heals_what_ended(space: Space) -> None:
    """A process that died is there again."""
    processes.stop(["kube-scheduler"], signal.SIGKILL)

    lifecycle.up()

    assert processes.find("kube-scheduler")


def test_lost_node_is_noticed_and_comes_back(space: Space, eventually: Eventually) -> None:
    """The others call it not ready; after its return it runs pods again."""
    (third,) = [node for node in nodes() if node.name == "node3"]
    lifecycle.stop_node(third)
    assert eventually(lambda: lifecycle.ready_nodes() == {"node1", "node2"}, 60)

    lifecycle.start_node(third)

    space.apply(pod("returned", node="node3"))
    space.await_ready("returned")


def test_down_leaves_nothing(before: dict[str, set[str]], cluster: None) -> None:
    """Processes, network, mounts, cgroups, folders and settings are as they were."""
    started = [record for record in processes.records() if record.alive]

    lifecycle.down()

    assert machine.left_behind(before, machine.traces()) == {}
    assert [record for record in started if record.alive] == []
    assert not ROOT.exists()


def test_down_twice_is_harmless(before: dict[str, set[str]]) -> None:
    """There is nothing to end and nothing to complain about."""
    lifecycle.down()


def test_missing_prerequisite_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user that is not root is told so."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    assert "needs root" in (prerequisites.unfit() or "")
