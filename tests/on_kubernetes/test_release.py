"""A release's life: tested, upgraded, uninstalled."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.on_kubernetes.release import CHART

if TYPE_CHECKING:
    from tests.on_kubernetes.release import Release

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

Eventually = Callable[[Callable[[], bool], float], bool]

OURS = {"configmap/kube-root-ca.crt", "serviceaccount/default", "serviceaccount/person"}
KEPT = {"persistentvolumeclaim/tinderbox-studies"}
ALL = "all,configmaps,secrets,serviceaccounts,roles,rolebindings,networkpolicies,persistentvolumeclaims,resourcequotas"


@pytest.fixture(scope="module")
def installed(opened: Callable[..., Release]) -> Release:
    """A release of its own."""
    return opened("life", {"executor.memory": "2Gi"})


def test_helm_test_passes(installed: Release) -> None:
    """What drivers may do and must not, executors without a token, the console behind its Service."""
    told = installed.helm("test")
    assert told.count("Phase:          Succeeded") == 3


def test_an_upgrade_reaches_the_next_job(installed: Release) -> None:
    """Values change what is configured; the claim stays the same one."""
    before = installed.space.read("persistentvolumeclaim/tinderbox-studies", ".metadata.uid")
    values = {"executor.memory": "4Gi", "console.retentionDays": "3", "networkPolicy.enabled": "false"}
    installed.helm("upgrade", str(CHART), "--wait", "--timeout=3m", values=values)
    settings = installed.space.read("configmap/tinderbox-spark", r".data.spark-defaults\.conf")
    assert "spark.executor.memory 1024m" in settings
    assert "maxAge 3d" in installed.space.read("configmap/tinderbox-console", r".data.spark-defaults\.conf")
    assert installed.space("get", "networkpolicies", "--output=name") == ""
    assert installed.space.read("persistentvolumeclaim/tinderbox-studies", ".metadata.uid") == before
    assert installed.helm("test").count("Phase:          Succeeded") == 3


def test_grafanas_password_outlives_upgrades(installed: Release) -> None:
    """It is made once, and the next upgrade finds it; whether Grafana's image is at hand does not matter."""
    passwords = set()
    for memory in ("512Mi", "600Mi"):
        values = {"prometheus.enabled": "true", "grafana.enabled": "true", "grafana.memory": memory}
        installed.helm("upgrade", str(CHART), values=values)
        passwords.add(installed.space.read("secret/tinderbox-grafana", ".data.admin-password"))
    assert len(passwords) == 1
    assert passwords != {""}


def test_uninstalled_it_leaves_the_studies(installed: Release, eventually: Eventually) -> None:
    """And nothing else, once its pods have ended."""
    installed.helm("uninstall", "--wait")

    def left() -> set[str]:
        things = json.loads(installed.space("get", ALL, "--output=json"))["items"]
        return {f"{thing['kind'].lower()}/{thing['metadata']['name']}" for thing in things} - OURS

    eventually(lambda: left() == KEPT, 60)
    assert left() == KEPT
