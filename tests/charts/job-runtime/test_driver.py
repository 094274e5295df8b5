"""The Job that `tinderbox submit` makes its Jobs of, and where studies are."""

from __future__ import annotations

from tests.charts.chart import container, environment, mounts, render

BUCKET = {"url": "s3://bucket/studies", "credentialsSecret": "s3"}


def test_the_job_retries_what_another_try_can_help() -> None:
    """Disruptions are free, bad input and hopeless studies end the Job, there are never two drivers."""
    spec = render().driver()["spec"]
    assert spec["podReplacementPolicy"] == "Failed"
    disrupted, hopeless = spec["podFailurePolicy"]["rules"]
    assert disrupted == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert (hopeless["action"], hopeless["onExitCodes"]["values"]) == ("FailJob", [2, 3, 4, 5])
    assert hopeless["onExitCodes"]["containerName"] == spec["template"]["spec"]["containers"][0]["name"]
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_what_the_values_say_of_the_job() -> None:
    """Deadline, time to live, retries, grace, size, places, variables, volumes."""
    values = {
        "cpu": "2",
        "memory": "8Gi",
        "deadlineSeconds": 60,
        "keepSeconds": 0,
        "retries": 3,
        "graceSeconds": 90,
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "x", "operator": "Exists"}],
        "priorityClassName": "high",
        "env": [{"name": "A", "value": "b"}],
        "volumes": [{"name": "data", "emptyDir": {}}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    spec = render({"driver": values}).driver()["spec"]
    pod = spec["template"]["spec"]
    driver = container(pod, "driver")
    assert (spec["activeDeadlineSeconds"], spec["ttlSecondsAfterFinished"], spec["backoffLimit"]) == (60, 0, 3)
    assert (pod["terminationGracePeriodSeconds"], pod["priorityClassName"]) == (90, "high")
    assert pod["nodeSelector"] == {"disk": "fast"}
    assert [each.get("tolerationSeconds") for each in pod["tolerations"]] == [30, 30, None]
    assert driver["resources"] == {"requests": {"cpu": "2", "memory": "8Gi"}, "limits": {"memory": "8Gi"}}
    assert environment(driver)["A"] == "b"
    assert mounts(driver)["/data"] == pod["volumes"][-1]["name"] == "data"


def test_a_driver_writes_to_its_volumes_only() -> None:
    """Studies and event logs have folders of their own on the claim; the rest is gone with the pod."""
    pod = render().driver_pod()
    driver = container(pod, "driver")
    assert mounts(driver) == {
        "/etc/tinderbox/spark": "spark",
        "/work": "work",
        "/tmp": "tmp",  # noqa: S108 - a mount of the pod
        "/studies": "studies",
        "/events": "studies",
    }
    folders = {each["mountPath"]: each.get("subPath") for each in driver["volumeMounts"]}
    assert (folders["/studies"], folders["/events"]) == ("studies", "events")
    assert driver["workingDir"] == "/work"


def test_storage_reaches_drivers_by_a_variable() -> None:
    """TINDERBOX_STORAGE is the claim's folder, or the URL, so that one manifest serves both."""
    assert environment(container(render().driver_pod(), "driver"))["TINDERBOX_STORAGE"] == {
        "configMapKeyRef": {"name": "tinderbox-driver", "key": "storage"}
    }
    assert render().find("ConfigMap", "tinderbox-driver")["data"]["storage"] == "/studies"
    release = render({"storage": BUCKET, "console": {"enabled": False}})
    assert release.find("ConfigMap", "tinderbox-driver")["data"]["storage"] == BUCKET["url"]


def test_annotations_lead_prometheus_to_the_port() -> None:
    """The driver's pod has the port that they name."""
    template = render().driver()["spec"]["template"]
    lead = {"prometheus.io/scrape": "true", "prometheus.io/port": "9095", "prometheus.io/path": "/metrics"}
    assert template["metadata"]["annotations"] == lead
    assert {"name": "metrics", "containerPort": 9095} in container(template["spec"], "driver")["ports"]
    bare = render({"monitoring": {"annotations": False}}).driver()["spec"]["template"]
    assert "annotations" not in bare["metadata"]


def test_with_a_url_a_driver_has_credentials_and_no_claim() -> None:
    """The Secret's keys are variables; nothing binds the driver to a node."""
    release = render({"storage": BUCKET, "console": {"enabled": False}})
    pod = release.driver_pod()
    assert container(pod, "driver")["envFrom"] == [{"secretRef": {"name": "s3"}}]
    assert "persistentVolumeClaim" not in str(pod["volumes"])
    assert "/studies" not in mounts(container(pod, "driver"))
    assert "affinity" not in pod
    assert "envFrom" not in container(render().driver_pod(), "driver")


def test_users_of_one_volume_share_a_node() -> None:
    """Drivers and console find each other by a label that both carry, unless any node can mount the volume."""
    release = render()
    template = release.driver()["spec"]["template"]
    term = template["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]
    wanted = term["labelSelector"]["matchLabels"]
    assert wanted.items() <= template["metadata"]["labels"].items()
    console = release.find("Deployment", "tinderbox-console")["spec"]["template"]
    assert wanted.items() <= console["metadata"]["labels"].items()
    assert console["spec"]["affinity"] == template["spec"]["affinity"]
    assert "affinity" not in render({"storage": {"accessMode": "ReadWriteMany"}}).driver_pod()


def test_a_claim_of_ones_own() -> None:
    """A claim that exists takes the place of the chart's, in mounts and affinity."""
    release = render({"storage": {"existingClaim": "mine"}})
    assert release.driver_pod()["volumes"][-1]["persistentVolumeClaim"] == {"claimName": "mine"}
    assert release.driver()["spec"]["template"]["metadata"]["labels"]["tinderbox/studies"] == "mine"


def test_kueue_queues_the_job() -> None:
    """The Job carries the queue's name where there is a queue."""
    labels = render({"kueue": {"queue": "team"}}).driver()["metadata"]["labels"]
    assert labels["kueue.x-k8s.io/queue-name"] == "team"
    assert "kueue.x-k8s.io/queue-name" not in render().driver()["metadata"]["labels"]
