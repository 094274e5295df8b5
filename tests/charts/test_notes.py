"""What helm says after an install: the next commands."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.charts.chart import BUNDLED, CHART, Thing, find_tool


def notes(values: Thing | None = None) -> str:
    """The notes of an install that is not carried out."""
    command = [find_tool("helm") or "", "install", "tinderbox", str(CHART), "--dry-run=client", "-n", "ml", "-f", "-"]
    done = subprocess.run(command, input=json.dumps(values or {}), capture_output=True, text=True)
    if "cluster unreachable" in done.stderr:
        pytest.skip("Helm 3 writes no notes without a cluster: put Helm 4 on the PATH")
    return done.stdout.partition("NOTES:")[2]


def test_the_next_commands() -> None:
    """Test, apply, follow, look."""
    told = notes()
    assert "helm test tinderbox --namespace ml" in told
    assert "kubectl apply --namespace ml -f jobs/sweep-digits.yaml" in told
    assert "kubectl port-forward --namespace ml deployment/tinderbox-console 18080 8080" in told
    assert "list people under `submitters`" in told


def test_manifests_that_do_not_fit_are_not_recommended() -> None:
    """Where studies are elsewhere, or names differ, `tinderbox submit` adapts the job."""
    told = notes({"fullnameOverride": "lab", "submitters": [{"kind": "User", "name": "ada"}]})
    assert "tinderbox submit jobs/sweep-digits.yaml --namespace ml --release tinderbox --watch" in told
    assert "kubectl apply -" not in told
    assert "submitters" not in told


def test_what_runs_can_be_opened() -> None:
    """Each page that was switched on has its command, and Grafana that for its password."""
    told = notes({**BUNDLED, "console": {"optunaDashboard": True}})
    assert "kubectl port-forward --namespace ml deployment/tinderbox-console 18080 8080 8081" in told
    assert "kubectl port-forward --namespace ml deployment/tinderbox-grafana 3000" in told
    assert "kubectl get secret --namespace ml tinderbox-grafana --output go-template='{{index .data " in told
    assert "kubectl port-forward --namespace ml deployment/tinderbox-prometheus 9090" in told
    assert not {"8081", "3000", "9090"} & set(notes().split())
