"""The pod we run in, as its environment tells."""

from __future__ import annotations

import pytest

from tinderbox.errors import BadInput
from tinderbox.kube.own import OwnPod, in_cluster, own_pod


def test_outside_a_pod_there_is_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the API server's address this is a laptop."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert not in_cluster()


def test_a_manifest_without_the_downward_api_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names what is missing."""
    monkeypatch.setenv("POD_NAME", "driver")
    for name in ("POD_NAMESPACE", "POD_IP"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BadInput, match="needs POD_NAMESPACE, POD_IP from the downward API"):
        own_pod()


def test_executors_dial_the_pods_address() -> None:
    """Host and bind address are the same, because executors of Spark 4.3 dial the bind address."""
    settings = OwnPod("driver-x", "ml", "10.1.2.3", "tinderbox:1").settings()
    assert settings["spark.driver.host"] == settings["spark.driver.bindAddress"] == "10.1.2.3"
    assert settings["spark.kubernetes.container.image"] == "tinderbox:1"
