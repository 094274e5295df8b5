"""jobs/*.yaml against the chart: `kubectl apply` works after a plain `helm install tinderbox`."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import urllib.request
from pathlib import Path

import pytest
import yaml

from tests.charts.chart import MANIFESTS, ROOT, Thing, container, environment, manifest, mounts, render
from tinderbox.config import TrainJob, read_any

EACH = pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
MNIST = ROOT / "jobs" / "sweep-mnist.yaml"


def by_name(things: list[Thing]) -> dict[str, Thing]:
    """Things of a pod by their names."""
    return {thing["name"]: thing for thing in things}


@EACH
def test_a_manifest_is_one_config_map_and_one_job_of_the_same_name(path: Path) -> None:
    """The names are that of the file, the study is a label, and the Job mounts its own ConfigMap."""
    config_map, job = manifest(path)
    assert (config_map["kind"], config_map["metadata"]["name"]) == ("ConfigMap", path.stem)
    assert (job["kind"], job["metadata"]["name"]) == ("Job", path.stem)
    assert config_map["metadata"]["labels"] == job["metadata"]["labels"]
    assert job["metadata"]["labels"]["app.kubernetes.io/instance"] == read_any(path).name
    pod = job["spec"]["template"]["spec"]
    assert by_name(pod["volumes"])["job"] == {"name": "job", "configMap": {"name": path.stem}}


@EACH
def test_a_manifest_is_what_the_chart_says_by_default(path: Path) -> None:
    """Besides name, command, job and data, a manifest's Job is the chart's; nothing drifts."""
    ours, charts = manifest(path)[1], render().driver()
    assert without_pod(ours) == without_pod(charts)
    mine, other = ours["spec"]["template"]["spec"], charts["spec"]["template"]["spec"]
    for pod in (mine, other):
        pod.pop("initContainers", None)
    driver, wanted = mine.pop("containers")[0], other.pop("containers")[0]
    driver.pop("command")
    for held, names in ((mine, "volumes"), (driver, "volumeMounts")):
        held[names] = [each for each in held[names] if each["name"] not in ("job", "data")]
    assert by_name(driver.pop("env")) == by_name(wanted.pop("env"))
    assert (driver, mine) == (wanted, other)


def without_pod(job: Thing) -> Thing:
    """A Job without its pod's specification, and without the study's label."""
    spec, labels = job["spec"], dict(job["metadata"]["labels"])
    of_pod = dict(spec["template"]["metadata"]["labels"])
    assert labels.pop("app.kubernetes.io/instance", None) == of_pod.pop("app.kubernetes.io/instance", None)
    rest = {key: value for key, value in spec.items() if key != "template"}
    annotations = spec["template"]["metadata"].get("annotations")
    return {"labels": labels, "labels of the pod": of_pod, "annotations of the pod": annotations, **rest}


@EACH
def test_the_driver_runs_the_job_of_its_config_map(path: Path) -> None:
    """Tini starts Python, so that SIGTERM reaches it, with the file that the ConfigMap is mounted as."""
    config_map, job = manifest(path)
    driver = job["spec"]["template"]["spec"]["containers"][0]
    kind = yaml.safe_load(config_map["data"]["job.yaml"])["kind"]
    assert driver["command"][:7] == ["tini", "--", "python", "-m", "tinderbox", kind, "/etc/tinderbox/job/job.yaml"]
    assert mounts(driver)["/etc/tinderbox/job"] == "job"
    assert yaml.safe_load(config_map["data"]["job.yaml"])["name"] == read_any(path).name


@EACH
def test_the_driver_knows_its_pod(path: Path) -> None:
    """What Spark has to know of the pod comes by the downward API."""
    driver = container(manifest(path)[1]["spec"]["template"]["spec"], "driver")
    told = environment(driver)
    fields = {name: value["fieldRef"]["fieldPath"] for name, value in told.items() if "fieldRef" in value}
    assert fields == {
        "POD_NAME": "metadata.name",
        "POD_NAMESPACE": "metadata.namespace",
        "POD_IP": "status.podIP",
        "TINDERBOX_NODE": "spec.nodeName",
    }


def test_the_modes_in_the_comments_of_the_training_are_valid() -> None:
    """Whoever takes one of them in the place of the other has a job."""
    path = ROOT / "jobs" / "train.yaml"
    modes = re.findall(r"# (mode: .*?\})", path.read_text())
    taken = [read_any(path, [mode.replace(": ", "=", 1)]) for mode in modes]
    assert [job.mode.name for job in taken if isinstance(job, TrainJob)] == ["averaging", "threshold"]


def test_mnist_comes_by_url_or_claim() -> None:
    """The data is in a volume that an init container fills, and the driver reads it there."""
    _, job = manifest(MNIST)
    pod = job["spec"]["template"]["spec"]
    fetching = pod["initContainers"][0]
    assert fetching["command"][-1] == "/etc/tinderbox/job/fetch.py"
    assert mounts(fetching)[fetching["workingDir"]] == "data"
    driver = container(pod, "driver")
    assert driver["command"][-2:] == ["--set", "data.folder=/data"]
    assert mounts(driver)["/data"] == "data"


FETCH = manifest(MNIST)[0]["data"]["fetch.py"]
SUMS = dict(re.findall(r'"(\S+-ubyte)": "([0-9a-f]{64})"', FETCH))


def fetch(monkeypatch: pytest.MonkeyPatch, folder: Path, files: dict[str, bytes], spoil: bytes = b"") -> None:
    """Run the manifest's fetch.py in a folder, with a mirror that has some files, and with their sums."""
    code = FETCH
    for name, content in files.items():
        code = code.replace(SUMS[name], hashlib.sha256(content).hexdigest())

    def mirror(url: str, timeout: float) -> io.BytesIO:
        return io.BytesIO(gzip.compress(files[url.rpartition("/")[2].removesuffix(".gz")] + spoil, 1))

    monkeypatch.chdir(folder)
    monkeypatch.setattr(urllib.request, "urlopen", mirror)
    exec(code, {})  # noqa: S102 - it is what the container runs


def test_mnist_is_fetched_and_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the mirror has is unpacked where it is what it should be, however it was packed; else nothing is kept."""
    files = {name: name.encode() * 100 for name in SUMS}
    fetch(monkeypatch, tmp_path, files)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
    assert len(files) == 4
    (tmp_path / "spoilt").mkdir()
    with pytest.raises(SystemExit, match="was expected; nothing was kept"):
        fetch(monkeypatch, tmp_path / "spoilt", files, spoil=b"x")
    assert not list((tmp_path / "spoilt").iterdir())


def test_the_sums_are_those_of_mnist() -> None:
    """Where it is at hand."""
    folder = Path(os.environ.get("TINDERBOX_DATA", ROOT.parent / "shared" / "data"), "mnist")
    packed = {name: folder / f"{name}.gz" for name in SUMS if (folder / f"{name}.gz").is_file()}
    for name, path in packed.items():
        assert hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest() == SUMS[name]
