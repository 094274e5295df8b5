"""The console's pod."""

from tests.charts.chart import Thing, container, environment, mounts, refusal, render


def console(values: Thing | None = None) -> Thing:
    """The specification of the console's pod."""
    pod: Thing = render(values).find("Deployment", "tinderbox-console")["spec"]["template"]["spec"]
    return pod


def test_the_history_server_reads_what_drivers_write() -> None:
    """It mounts the folder of event logs that drivers mount, and its memory is divided between heap and the rest."""
    history = container(console(), "history")
    assert mounts(history)["/events"] == "studies"
    assert history["volumeMounts"][-1] in container(render().driver_pod(), "driver")["volumeMounts"]
    assert environment(history)["SPARK_DAEMON_MEMORY"] == "640m"
    assert history["resources"]["limits"] == {"memory": "1Gi"}
    assert history["command"][-1] == "org.apache.spark.deploy.history.HistoryServer"


def test_studies_can_be_read_through_a_port_forward_only() -> None:
    """Their files are served read-only, at an address that no other pod reaches."""
    files = container(console(), "studies")
    assert files["command"][-4:] == ["--bind", "127.0.0.1", "--directory", "/studies"]
    assert files["volumeMounts"] == [
        {"name": "studies", "mountPath": "/studies", "subPath": "studies", "readOnly": True}
    ]
    assert "ports" not in files


def test_the_volume_is_handed_over() -> None:
    """A new pod starts when the old one has let the volume go."""
    spec = render().find("Deployment", "tinderbox-console")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_places_and_size() -> None:
    """Node selector, tolerations, CPU and memory are values."""
    values = {"nodeSelector": {"a": "b"}, "tolerations": [{"key": "x"}], "cpu": "1", "memory": "2Gi"}
    pod = console({"console": values})
    assert pod["nodeSelector"] == {"a": "b"}
    assert pod["tolerations"][-1] == {"key": "x"}
    assert container(pod, "history")["resources"]["requests"] == {"cpu": "1", "memory": "2Gi"}


def test_a_change_of_its_configuration_restarts_it() -> None:
    """The pod carries a digest of what it reads once."""

    def digest(days: int) -> str:
        deployment = render({"console": {"retentionDays": days}}).find("Deployment", "tinderbox-console")
        return str(deployment["spec"]["template"]["metadata"]["annotations"])

    assert digest(1) != digest(2)


def test_with_a_url_it_needs_no_volume() -> None:
    """Event logs come from object storage, with the same credentials, and nothing binds it to a node."""
    storage = {"url": "s3://b/studies", "credentialsSecret": "s3"}
    pod = console({"storage": storage, "console": {"eventLog": "s3a://b/events"}})
    assert [each["name"] for each in pod["containers"]] == ["history", "metrics"]
    assert pod["containers"][0]["envFrom"] == [{"secretRef": {"name": "s3"}}]
    assert "studies" not in str(pod["volumes"])
    assert "affinity" not in pod


def test_it_can_be_left_out() -> None:
    """Without it there is no pod, no Service, no configuration, no policy and no test of it."""
    assert "console" not in str(render({"console": {"enabled": False}}).kinds())


def test_it_may_be_anywhere_with_a_volume_for_all_nodes() -> None:
    """ReadWriteMany lets it leave the drivers' node."""
    values = {"storage": {"accessMode": "ReadWriteMany"}, "console": {"besideDrivers": False}}
    assert "affinity" not in console(values)


def test_a_second_reader_on_another_node_is_refused() -> None:
    """A ReadWriteOnce volume is on one node."""
    told = refusal({"console": {"besideDrivers": False}})
    assert "console.besideDrivers=false puts a second reader " in told
    assert ", got ReadWriteOnce" in told


def test_a_second_reader_of_a_volume_for_one_pod_is_refused() -> None:
    """ReadWriteOncePod leaves no room for a console."""
    assert "storage.accessMode=ReadWriteOncePod lets one pod use the volume" in refusal(
        {"storage": {"accessMode": "ReadWriteOncePod"}}
    )
    assert render({"storage": {"accessMode": "ReadWriteOncePod"}, "console": {"enabled": False}})


def test_a_url_without_a_place_for_event_logs_is_refused() -> None:
    """Spark writes its logs by Hadoop, which does not know fsspec's URLs."""
    assert "storage.url=s3://b leaves no volume for Spark's event logs" in refusal({"storage": {"url": "s3://b"}})
