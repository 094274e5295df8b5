"""The pod that executors are made of."""

from __future__ import annotations

from tests.charts.chart import container, environment, mounts, render


def test_the_executors_pod() -> None:
    """No token, a writable working folder, a port for metrics, 30 s on a dead node, spread by job."""
    pod = render().executor()["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == "tinderbox-executor"
    executor = container(pod, "executor")
    assert executor["workingDir"] == "/work"
    assert mounts(executor) == {"/work": "work", "/tmp": "tmp"}  # noqa: S108 - a mount of the pod
    assert {"name": "work", "emptyDir": {}} in pod["volumes"]
    assert executor["ports"] == [{"name": "metrics", "containerPort": 9095}]
    assert {toleration["tolerationSeconds"] for toleration in pod["tolerations"]} == {30}
    spread = pod["topologySpreadConstraints"][0]
    assert (spread["matchLabelKeys"], spread["whenUnsatisfiable"]) == (["spark-app-selector"], "ScheduleAnyway")
    assert "resources" not in executor


def test_what_the_values_add_to_the_executors_pod() -> None:
    """Places, priority, labels, variables, volumes and limits are added to what is there anyway."""
    values = {
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "priorityClassName": "low",
        "labels": {"team": "vision"},
        "annotations": {"note": "x"},
        "env": [{"name": "A", "value": "b"}],
        "volumes": [{"name": "data", "emptyDir": {}}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "spread": "DoNotSchedule",
        "disk": "10Gi",
    }
    release = render({"executor": values}).executor()
    pod, executor = release["spec"], container(release["spec"], "executor")
    assert release["metadata"]["labels"]["team"] == "vision"
    assert release["metadata"]["annotations"].items() >= {"note": "x", "prometheus.io/port": "9095"}.items()
    assert (pod["nodeSelector"], pod["priorityClassName"]) == ({"disk": "fast"}, "low")
    assert pod["tolerations"][-1] == {"key": "gpu", "operator": "Exists"}
    assert pod["topologySpreadConstraints"][0]["whenUnsatisfiable"] == "DoNotSchedule"
    assert environment(executor)["A"] == "b"
    assert mounts(executor)["/data"] == pod["volumes"][-1]["name"] == "data"
    disk = {"ephemeral-storage": "10Gi"}
    assert executor["resources"] == {"requests": disk, "limits": disk}


def test_annotations_lead_prometheus_to_the_port() -> None:
    """Until there are no metrics or no annotations; a value of one's own is the last word."""
    lead = {"prometheus.io/scrape": "true", "prometheus.io/port": "9095", "prometheus.io/path": "/metrics"}
    assert render().executor()["metadata"]["annotations"] == lead
    own = {"executor": {"annotations": {"prometheus.io/scrape": "false"}}}
    assert render(own).executor()["metadata"]["annotations"] == {**lead, "prometheus.io/scrape": "false"}
    for switch in ("enabled", "annotations"):
        assert "annotations" not in render({"monitoring": {switch: False}}).executor()["metadata"]


def test_gpus() -> None:
    """GPUs are a limit of the pod, which Spark leaves as it is, and executors run an image made for them."""
    values = {"gpus": 2, "image": "tinderbox:0.1.0-gpu", "gpuResource": "amd.com/gpu"}
    release = render({"executor": values})
    assert container(release.executor()["spec"], "executor")["resources"] == {"limits": {"amd.com/gpu": 2}}
    assert release.settings()["spark.kubernetes.container.image"] == "tinderbox:0.1.0-gpu"


def test_kueue() -> None:
    """Executors are in the driver's queue and say that they belong to a suspended parent; without one, nothing."""
    about = render({"kueue": {"queue": "team"}}).executor()["metadata"]
    assert about["labels"]["kueue.x-k8s.io/queue-name"] == "team"
    assert about["labels"]["kueue.x-k8s.io/managed"] == "true"
    assert "kueue.x-k8s.io/pod-suspending-parent" in about["annotations"]
    assert "kueue" not in str(render().executor())
