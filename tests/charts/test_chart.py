"""The chart as a whole: schema, names, security, and that nothing in it is dead or untested."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.chart import (
    BUNDLED,
    CHART,
    MANIFESTS,
    Rendered,
    Thing,
    find_tool,
    manifest,
    pods_of,
    refusal,
    render,
)

EVERYTHING: Thing = {
    "quota": {"hard": {"pods": "20"}},
    "prepull": {"enabled": True},
    "submitters": [{"kind": "Group", "name": "scientists"}],
    "kueue": {"queue": "team"},
    "executor": {"gpus": 1, "image": "tinderbox:0.1.0-gpu", "disk": "10Gi", "cpuLimit": "2"},
    "dynamicAllocation": {"enabled": True, "maxExecutors": 4},
    "image": {"pullSecrets": ["registry"]},
    "console": {"optunaDashboard": True},
    "monitoring": {"podMonitors": {"enabled": True}, "rules": {"enabled": True}},
    "prometheus": {"enabled": True, "persistence": {"enabled": True}},
    "grafana": {"enabled": True, "persistence": {"enabled": True}},
}
OBJECT_STORAGE: Thing = {
    "storage": {"url": "s3://bucket/studies", "credentialsSecret": "s3"},
    "console": {"eventLog": "s3a://bucket/events"},
}
VALUES = pytest.mark.parametrize(
    "values", [{}, EVERYTHING, OBJECT_STORAGE], ids=["defaults", "everything", "object storage"]
)
THEIRS = {"prometheus", "grafana"}
"""Containers whose images are not ours."""
SCHEMA: Thing = json.loads((CHART / "values.schema.json").read_text())


def test_defaults_are_what_a_cluster_needs_and_no_more() -> None:
    """A plain install makes these objects; quota, pre-pull, bindings and Prometheus's kinds are switched on."""
    assert render().kinds() == [
        "ConfigMap/tinderbox-console",
        "ConfigMap/tinderbox-dashboard-inference",
        "ConfigMap/tinderbox-dashboard-nodes",
        "ConfigMap/tinderbox-dashboard-spark",
        "ConfigMap/tinderbox-dashboard-study",
        "ConfigMap/tinderbox-dashboard-training",
        "ConfigMap/tinderbox-driver",
        "ConfigMap/tinderbox-spark",
        "Deployment/tinderbox-console",
        "NetworkPolicy/tinderbox-console",
        "NetworkPolicy/tinderbox-driver",
        "NetworkPolicy/tinderbox-executor",
        "PersistentVolumeClaim/tinderbox-studies",
        "Pod/tinderbox-test-console",
        "Pod/tinderbox-test-rights",
        "Pod/tinderbox-test-token",
        "Role/tinderbox-driver",
        "Role/tinderbox-submitter",
        "RoleBinding/tinderbox-driver",
        "Service/tinderbox-console",
        "ServiceAccount/tinderbox-driver",
        "ServiceAccount/tinderbox-executor",
    ]


@VALUES
def test_helm_3_renders_what_helm_4_renders(values: Thing) -> None:
    """Both versions of helm take the chart."""
    if find_tool("helm3") is None:
        pytest.skip("there is no helm3: run python -m tests.cluster build helm")
    older, newer = render(values, helm="helm3"), render(values)
    assert older.kinds() == newer.kinds()
    # A password is another one each time.
    assert all(thing in newer.things for thing in older.things if thing["kind"] != "Secret")


def test_lint_has_nothing_to_say() -> None:
    """`helm lint --strict` passes."""
    done = subprocess.run([find_tool("helm") or "", "lint", "--strict", CHART], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "WARNING" not in done.stdout


@VALUES
def test_every_pod_is_restricted(values: Thing) -> None:
    """Every pod, those that Spark and `submit` make too, passes Pod Security `restricted` with a read-only root."""
    found = [pod for thing in render(values).things for pod in pods_of(thing)]
    found += [manifest(path)[1]["spec"]["template"]["spec"] for path in MANIFESTS]
    assert [problem for pod in found for problem in problems_of(pod)] == []


def problems_of(pod: Thing) -> list[str]:
    """What a pod does that the restricted profile, and we, do not want."""
    about = pod.get("securityContext", {})
    problems = [] if about.get("runAsNonRoot") is True and about.get("runAsUser") == 1000 else ["may run as root"]
    problems += [] if about.get("seccompProfile") == {"type": "RuntimeDefault"} else ["has no seccomp profile"]
    problems += [f"mounts {volume['name']} of its node" for volume in pod.get("volumes", []) if "hostPath" in volume]
    problems += [f"shares {key}" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    problems += [] if pod.get("enableServiceLinks") is False else ["has variables of all Services"]
    for each in [*pod.get("initContainers", []), *pod["containers"]]:
        if each.get("securityContext") != {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }:
            problems.append(f"{each['name']} is not restricted")
    return problems


def test_only_pods_that_ask_the_api_server_have_a_token() -> None:
    """Drivers, the test of their rights and the bundled Prometheus have a token; nobody else has."""
    release = render(EVERYTHING)
    with_token = [pod for thing in release.things for pod in pods_of(thing) if has_token(pod, release)]
    assert sorted(pod["containers"][0]["name"] for pod in with_token) == ["driver", "prometheus", "test"]


def has_token(pod: Thing, release: Rendered) -> bool:
    """Whether the pod, or else its service account, lets a token be mounted."""
    if "automountServiceAccountToken" in pod:
        return bool(pod["automountServiceAccountToken"])
    account = release.find("ServiceAccount", pod["serviceAccountName"])
    return bool(account.get("automountServiceAccountToken", True))


@VALUES
def test_objects_are_labelled_and_in_the_namespace_of_the_release(values: Thing) -> None:
    """Every object says which part of Tinderbox it is, and where it belongs."""
    for thing in render(values).things:
        labels = thing["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "tinderbox"
        assert labels["app.kubernetes.io/instance"] == "tinderbox"
        assert thing["metadata"]["namespace"] == "ml"


def test_a_release_of_another_name_shares_nothing() -> None:
    """Two releases live in one namespace: no object has the same name, and each refers to its own."""
    assert not set(render(EVERYTHING).kinds()) & set(render(EVERYTHING, release="ml").kinds())
    other = render(release="ml")
    pod = other.driver("ml-tinderbox")["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "ml-tinderbox-driver"
    assert pod["volumes"][-1]["persistentVolumeClaim"] == {"claimName": "ml-tinderbox-studies"}
    assert other.settings("ml-tinderbox")["spark.kubernetes.authenticate.executor.serviceAccountName"] == (
        "ml-tinderbox-executor"
    )


def test_names_can_be_chosen() -> None:
    """`nameOverride` and `fullnameOverride` change the names of all objects."""
    assert "Role/tinderbox-spark-driver" in render({"nameOverride": "spark"}).kinds()
    assert "Role/lab-driver" in render({"fullnameOverride": "lab"}).kinds()


def test_the_image_is_that_of_the_values_everywhere() -> None:
    """Tag, digest, pull policy and pull secrets reach every pod."""
    image = {"repository": "a/b", "tag": "2", "pullPolicy": "Always", "pullSecrets": ["registry"]}
    release = render(EVERYTHING, image=image)
    pods = [pod for thing in release.things for pod in pods_of(thing)]
    assert all(pod["imagePullSecrets"] == [{"name": "registry"}] for pod in pods)
    named = [each for pod in pods for each in pod["containers"] if each["name"] != "executor"]
    assert {each["image"] for each in named if each["name"] not in THEIRS} == {"a/b:2", "tinderbox:0.1.0-gpu"}
    assert {each["imagePullPolicy"] for each in named} == {"Always"}
    digest = f"sha256:{'0' * 64}"
    pod = render(image={**image, "digest": digest}).driver_pod()
    assert pod["containers"][0]["image"] == f"a/b@{digest}"


@pytest.mark.parametrize("name", sorted(THEIRS))
def test_the_images_of_others_are_values_too(name: str) -> None:
    """Repository and tag, or a digest in the tag's place."""
    image: Thing = {"repository": "mirror/it", "tag": "1"}
    digest = f"sha256:{'0' * 64}"
    for given, wanted in ((image, "mirror/it:1"), ({**image, "digest": digest}, f"mirror/it@{digest}")):
        release = render({**BUNDLED, name: {"enabled": True, "image": given}})
        pod = release.find("Deployment", f"tinderbox-{name}")["spec"]["template"]["spec"]
        assert [each["image"] for each in pod["containers"]] == [wanted]


def test_an_unknown_key_is_refused() -> None:
    """A mistyped value is an error with its place and not a silence."""
    told = refusal({"executor": {"core": 4}})
    assert "/executor" in told
    assert "'core' not allowed" in told


def test_the_schema_is_closed() -> None:
    """Every object either lists its keys, or is a mapping of texts, or is one that Kubernetes checks itself."""
    open_on_purpose = {"global", "named", "rules"}
    assert open_objects(SCHEMA["properties"]) | open_objects(SCHEMA["definitions"]) == open_on_purpose
    assert SCHEMA["additionalProperties"] is False


def open_objects(properties: dict[str, Thing]) -> set[str]:
    """The names of objects that take any key."""
    found = set()
    for name, schema in properties.items():
        for each in (schema, schema.get("items", {})):
            if each.get("type") == "object" and "additionalProperties" not in each:
                found.add(name)
            found |= open_objects(each.get("properties", {}))
    return found


def test_schema_and_values_have_the_same_keys() -> None:
    """No value is missing from the schema, and no key of the schema from the values."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    known = {key for key in keys_of_schema(SCHEMA) if key != "global"}
    assert known == keys_of_values(values, known)


def keys_of_schema(schema: Thing, path: str = "") -> set[str]:
    """The dotted keys of a schema's leaves."""
    schema = SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if "properties" not in schema:
        return {path}
    inner = schema["properties"].items()
    return {key for name, each in inner for key in keys_of_schema(each, f"{path}.{name}".lstrip("."))}


def keys_of_values(values: Any, known: set[str], path: str = "") -> set[str]:
    """The dotted keys of values, down to what the schema calls a leaf."""
    if path in known or not isinstance(values, dict):
        return {path}
    inner = values.items()
    return {key for name, each in inner for key in keys_of_values(each, known, f"{path}.{name}".lstrip("."))}


def test_every_template_has_a_test_of_its_name() -> None:
    """A template without tests is noticed here, and so are tests without a template; parts may have tests too."""
    folder = Path(__file__).parent
    templates = {path.relative_to(CHART / "templates").with_suffix("") for path in CHART.glob("templates/*/*.yaml")}
    parts = {path.relative_to(CHART / "templates").with_suffix("") for path in CHART.glob("templates/*/_*.tpl")}
    tests = {path.relative_to(folder).with_suffix("") for path in folder.glob("*/test_*.py")}
    tested = {test.with_name(test.name.removeprefix("test_")) for test in tests}
    assert templates <= tested
    assert tested <= templates | {part.with_name(part.name.removeprefix("_")) for part in parts}


def test_every_guard_is_tested() -> None:
    """The beginning of each sentence that a template can refuse values with is in a test."""
    templates = "".join(path.read_text() for path in CHART.glob("templates/**/*.tpl"))
    sentences = re.findall(r'fail (?:\(printf )?"([^%"]+)', templates)
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("*/*.py"))
    assert len(sentences) == templates.count("{{- fail ") > 0
    assert [sentence for sentence in sentences if f'"{sentence[:30]}' not in tests] == []
