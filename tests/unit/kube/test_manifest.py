"""The objects that a submission applies: the release's Job, with what one's own manifest has on top of it."""

from __future__ import annotations

import base64
import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tinderbox.config.reading import beside_job
from tinderbox.errors import BadInput
from tinderbox.kube.manifest import LARGEST_CONFIG_MAP, Manifest, Package, adapt, driver_of, make_objects

JOBS = Path(__file__).parents[3] / "jobs"
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
TOKEN = {"name": "TINDERBOX_TOKEN", "valueFrom": {"secretKeyRef": {"name": "sweep-mnist", "key": "token"}}}


def shipped(name: str) -> Manifest:
    """The Job of a manifest that ships."""
    job: Manifest = next(document for document in yaml.safe_load_all((JOBS / name).read_text()) if "spec" in document)
    return job


def pod_of(job: Manifest) -> Manifest:
    """The pod that a Job makes."""
    pod: Manifest = job["spec"]["template"]["spec"]
    return pod


@pytest.fixture
def base() -> Manifest:
    """The driver Job of a release, as the chart's driver.yaml is: without name, command, job file and study."""
    job = shipped("sweep-digits.yaml")
    del job["metadata"]["name"]
    for metadata in (job["metadata"], job["spec"]["template"]["metadata"]):
        metadata["labels"]["app.kubernetes.io/instance"] = "tinderbox"
    pod = pod_of(job)
    pod["volumes"] = [volume for volume in pod["volumes"] if volume["name"] != "job"]
    driver = driver_of(pod)
    driver["volumeMounts"] = [mount for mount in driver["volumeMounts"] if mount["name"] != "job"]
    del driver["command"]
    return job


@pytest.fixture
def mnist() -> Package:
    """What a submission of jobs/sweep-mnist.yaml brings."""
    files, template = beside_job(JOBS / "sweep-mnist.yaml")
    return Package("mnist", "kind: sweep\n", "secret", files=files, template=template)


def by_name(job: Manifest) -> Manifest:
    """A Job whose lists of named things are in order."""
    job = copy.deepcopy(job)
    pod = pod_of(job)
    pod["volumes"].sort(key=lambda volume: volume["name"])
    driver_of(pod)["volumeMounts"].sort(key=lambda mount: (mount["name"], mount["mountPath"]))
    return job


def test_a_plain_job_file_gives_the_job_that_ships(base: Manifest) -> None:
    """The same Job as that of jobs/sweep-digits.yaml, but for the token of its coordinator."""
    config_map, _, job = make_objects(base, Package("digits", "kind: sweep\n", "secret"))
    variable = driver_of(pod_of(job))["env"].pop()
    assert variable["name"] == "TINDERBOX_TOKEN"
    assert by_name(job) == by_name(shipped("sweep-digits.yaml"))
    assert config_map["data"] == {"job.yaml": "kind: sweep\n"}
    assert "binaryData" not in config_map


def test_a_manifest_gives_the_job_that_it_holds(base: Manifest, mnist: Package) -> None:
    """With its init container, its volume, its mount, its script and its driver's arguments."""
    config_map, _, job = make_objects(base, mnist)
    assert driver_of(pod_of(job))["env"].pop() == TOKEN
    assert by_name(job) == by_name(shipped("sweep-mnist.yaml"))
    assert driver_of(pod_of(job))["command"][-2:] == ["--set", "data.folder=/data"]
    assert set(config_map["data"]) == {"job.yaml", "fetch.py"}


def test_what_the_release_decides_stays(base: Manifest, mnist: Package) -> None:
    """Its claim, sizes, service account and variables go before those of a manifest written for another release."""
    pod, driver = pod_of(base), driver_of(pod_of(base))
    pod["serviceAccountName"] = "lab-driver"
    pod["volumes"][-1] = {"name": "studies", "persistentVolumeClaim": {"claimName": "lab-studies"}}
    elsewhere = {"TINDERBOX_STORAGE": "s3://bucket", "TINDERBOX_METRICS_PORT": ""}
    driver["env"] = [each for each in driver["env"] if each["name"] not in elsewhere]
    driver["env"] += [{"name": name, "value": value} for name, value in elsewhere.items()]
    driver["resources"] = {"limits": {"memory": "9Gi"}}
    driver["image"], driver["imagePullPolicy"] = "lab:1", "Always"
    made = pod_of(adapt(base, mnist.template))
    assert made["serviceAccountName"] == "lab-driver"
    assert made["volumes"] == [*pod["volumes"], {"name": "data", "emptyDir": {}}]
    assert driver_of(made)["env"] == driver["env"]
    assert driver_of(made)["resources"] == {"limits": {"memory": "9Gi"}}
    assert (made["initContainers"][0]["image"], made["initContainers"][0]["imagePullPolicy"]) == ("lab:1", "Always")
    assert made["initContainers"][0]["securityContext"] == RESTRICTED


def test_an_image_of_its_own_stays(base: Manifest, mnist: Package) -> None:
    """An init container that does not share the driver's image keeps its own."""
    pod_of(mnist.template)["initContainers"][0]["image"] = "busybox"
    made = pod_of(adapt(base, mnist.template, "mine:2"))
    assert (made["initContainers"][0]["image"], driver_of(made)["image"]) == ("busybox", "mine:2")


def test_image(base: Manifest, mnist: Package) -> None:
    """--image is the image of the driver, which executors take over, and of what shares the driver's."""
    package = Package("mnist", "", "secret", template=mnist.template, image="mine:2")
    pod = pod_of(make_objects(base, package)[2])
    assert driver_of(pod)["image"] == pod["initContainers"][0]["image"] == "mine:2"
    plain = pod_of(make_objects(base, Package("mnist", "", "secret", image="mine:2"))[2])
    assert driver_of(plain)["image"] == "mine:2"


def test_arguments(base: Manifest, mnist: Package) -> None:
    """They come after the command, be it ours or a manifest's."""
    ours = ["tini", "--", "python", "-m", "tinderbox", "sweep", "/etc/tinderbox/job/job.yaml"]
    plain = make_objects(base, Package("mnist", "", "secret", arguments=("--fresh",)))[2]
    assert driver_of(pod_of(plain))["command"] == [*ours, "--fresh"]
    package = Package("mnist", "", "secret", template=mnist.template, arguments=("--fresh",))
    own = make_objects(base, package)[2]
    assert driver_of(pod_of(own))["command"] == [*ours, "--set", "data.folder=/data", "--fresh"]


@pytest.mark.parametrize(
    ("own", "command"),
    [
        (
            {"command": ["tini", "--", "python", "-m", "tinderbox"], "args": ["sweep", "/etc/tinderbox/job/job.yaml"]},
            "tini -- python -m tinderbox sweep /etc/tinderbox/job/job.yaml",
        ),
        (
            {"args": ["tinderbox", "sweep", "/etc/tinderbox/job/job.yaml"]},
            "tini -- tinderbox sweep /etc/tinderbox/job/job.yaml",
        ),
        ({}, "tini -- python -m tinderbox sweep /etc/tinderbox/job/job.yaml"),
        ({"command": None, "args": None}, "tini -- python -m tinderbox sweep /etc/tinderbox/job/job.yaml"),
    ],
)
def test_a_command_in_two_parts(base: Manifest, mnist: Package, own: Manifest, command: str) -> None:
    """Command and arguments of a manifest are run as Kubernetes would."""
    driver = driver_of(pod_of(mnist.template))
    del driver["command"]
    driver.update(own)
    made = driver_of(pod_of(adapt(base, mnist.template)))
    assert (" ".join(made["command"]), "args" in made) == (command, False)


def test_a_command_that_runs_another_file(base: Manifest, mnist: Package) -> None:
    """Is refused: a submission's job is always at the same place, and the driver would not find it."""
    driver_of(pod_of(mnist.template))["command"] = ["tinderbox", "sweep", "/job/sweep.yaml"]
    with pytest.raises(BadInput) as refused:
        make_objects(base, mnist)
    assert str(refused.value) == (
        "the Job's driver must run /etc/tinderbox/job/job.yaml, where submit puts the job, "
        "got ['tinderbox', 'sweep', '/job/sweep.yaml']; name the ConfigMap's key job.yaml and mount it there"
    )


@pytest.mark.parametrize(
    "own",
    [
        {"kind": "Job"},
        {"kind": "Job", "spec": None},
        {"kind": "Job", "spec": {"template": {"spec": {}}}},
        {"kind": "Job", "spec": {"template": {"spec": {"containers": None}}}},
        {"kind": "Job", "spec": {"template": {"spec": {"containers": [{"name": "main"}]}}}},
        {"kind": "Job", "spec": {"template": {"spec": {"containers": [{"image": "a"}]}}}},
    ],
)
def test_a_job_without_a_driver(base: Manifest, own: Manifest) -> None:
    """Is one sentence, whatever else is in its place."""
    with pytest.raises(BadInput, match=r"^the Job beside the job file must have a container named driver, and has "):
        adapt(base, own)


def test_lists_that_are_empty(base: Manifest, mnist: Package) -> None:
    """A key without a value is a list of nothing."""
    pod, driver = pod_of(mnist.template), driver_of(pod_of(mnist.template))
    pod["initContainers"], pod["volumes"], driver["env"], driver["volumeMounts"] = None, None, None, None
    made, before = pod_of(adapt(base, mnist.template)), pod_of(base)
    assert (made["initContainers"], made["volumes"]) == ([], before["volumes"])
    assert driver_of(made)["env"] == driver_of(before)["env"]


def test_labels_say_which_study(base: Manifest, mnist: Package) -> None:
    """On all objects and the pod; those of the release stay, its own name does not."""
    base["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] = "lab"
    *others, job = make_objects(base, mnist)
    for thing in (*others, job):
        assert thing["metadata"]["name"] == "sweep-mnist"
        assert thing["metadata"]["labels"]["app.kubernetes.io/instance"] == "mnist"
        assert thing["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "lab"
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/instance"] == "mnist"
    assert labels["tinderbox/studies"] == "tinderbox-studies"


def test_the_token_is_in_the_secret_only(base: Manifest, mnist: Package) -> None:
    """The Job names it."""
    config_map, secret, job = make_objects(base, mnist)
    assert secret["stringData"] == {"token": "secret"}
    assert TOKEN in driver_of(pod_of(job))["env"]
    assert "'secret'" not in str(config_map)
    assert "'secret'" not in str(job)


def test_nothing_given_is_changed(base: Manifest, mnist: Package) -> None:
    """A release is asked once, and may make any number of Jobs."""
    before = copy.deepcopy((base, mnist))
    first = make_objects(base, mnist)
    assert (base, mnist) == before
    assert make_objects(base, mnist) == first


def test_code_travels_as_bytes(base: Manifest) -> None:
    """As Kubernetes writes them: in base 64."""
    config_map = make_objects(base, Package("own", "kind: sweep\n", "secret", code=b"PK\x00\xff"))[0]
    assert base64.b64decode(config_map["binaryData"]["code.zip"]) == b"PK\x00\xff"


def test_the_largest_submission(base: Manifest) -> None:
    """Job file, code and other files count together, in bytes and before base 64."""
    files = {"fetch.py": "é" * 1000}
    room = LARGEST_CONFIG_MAP - 2000 - len("job")
    make_objects(base, Package("own", "job", "secret", b"x" * (room - 1), files))
    with pytest.raises(BadInput) as refused:
        make_objects(base, Package("own", "job", "secret", b"x" * 2 * room, files))
    assert str(refused.value) == (
        "job file and code must be below 1 MiB, what a ConfigMap holds, got 2.0 MiB zipped; put the code into an "
        "image of your own, as images/tinderbox/README.md shows, and leave code: out"
    )
    with pytest.raises(BadInput, match=r"^job file and code must be below 1 MiB"):
        make_objects(base, Package("own", "job", "secret", b"x" * room, files))


@pytest.mark.parametrize("value", [8080, None, True, {"a": 1}])
def test_a_file_that_is_no_text(base: Manifest, value: Any) -> None:
    """Kubernetes takes texts only, and says so less clearly."""
    with pytest.raises(BadInput) as refused:
        make_objects(base, Package("own", "", "secret", files={"port": value}))
    assert str(refused.value) == f"ConfigMap: port must hold a text, got {value!r}; write it in quotes"
