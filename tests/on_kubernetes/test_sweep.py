"""jobs/sweep-digits.yaml after `helm install`, as it stands; then what a person asks of the study."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cluster.errors import ClusterError
from tests.cluster.layout import API_PORT
from tests.cluster.objects import pod as made
from tests.cluster.policies import judge
from tests.on_kubernetes.observer import Swept, component

if TYPE_CHECKING:
    from pathlib import Path

    from tests.on_kubernetes.release import Release

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


def test_the_sweep_is_complete(swept: Swept) -> None:
    """All its trials, on two nodes at least, and a model that is better than the default's."""
    assert swept.ended == "Complete"
    record = swept.result.record
    assert [trial.state.value for trial in record.trials.values()] == ["complete"] * 21
    assert len({attempt.node for trial in record.trials.values() for attempt in trial.attempts}) >= 2
    assert swept.result.gain is not None
    assert swept.result.gain.best > swept.result.gain.baseline


def test_what_it_leaves_is_brought_home(swept: Swept, release: Release) -> None:
    """Report, model, parameters, and what a trial printed."""
    home = release.folder / "studies" / "digits"
    for name in ("report.html", "best/model.keras", "best/parameters.yaml", "optuna.log"):
        assert (home / name).stat().st_size > 100, name
    assert not (home / "checkpoints").exists()
    told = release.tinderbox("logs", "digits", "--trial", "3", "--cluster")
    assert (told.returncode, told.stderr) == (0, "")


def test_its_log_is_pleasant(swept: Swept, release: Release) -> None:
    """A line for each trial and no word of Spark's."""
    told = release.tinderbox("logs", "digits", "--cluster")
    lines = told.stdout.splitlines()
    assert [line[:5] for line in lines if line.startswith("[")] == [f"[{n}/21]"[:5] for n in range(1, 22)]
    assert not [line for line in lines if " spark ERROR " in line or "Exception" in line]
    assert release.tinderbox("status", "digits").stdout.splitlines()[0] == "job sweep-digits is complete"


def test_pods_keep_to_themselves(swept: Swept, release: Release) -> None:
    """No folder of a node in any pod, no token in executors, and the namespace refuses what is not restricted."""
    with pytest.raises(ClusterError, match="violates PodSecurity"):
        release.space.apply(made("careless", securityContext={}))
    kinds = {component(pod) for pod in swept.pods}  # type: ignore[arg-type]
    assert kinds >= {"driver", "executor", "console"}
    for seen in swept.pods:
        text = json.dumps(seen["spec"])
        assert "hostPath" not in text
        assert "serviceAccountToken" not in text or component(seen) != "executor"  # type: ignore[arg-type]


def test_the_flows_are_among_those_allowed(swept: Swept, release: Release, tmp_path: Path) -> None:
    """No policy engine runs here: cyclonus judges the installed policies, and the connections that were seen."""
    needed = {("executor", "driver", 7078), ("executor", "driver", 7070)}
    assert swept.flows >= needed
    # The driver speaks to the API server's Service, and policies see the endpoint behind it.
    service, endpoint = ("driver", "elsewhere", 443), ("driver", "elsewhere", API_PORT)
    assert service in swept.flows
    denied = {("executor", "console", 18080), ("driver", "executor", 4040), ("stranger", "driver", 7070)}
    denied |= {("executor", "elsewhere", API_PORT)}
    policies = json.loads(release.space("get", "networkpolicies", "--output=json"))["items"]
    judged = judge(policies, release.space.name, swept.flows - {service} | {endpoint} | denied, tmp_path)
    assert {flow for flow, allowed in judged.items() if not allowed} == denied
