"""The password of the bundled Grafana's administrator."""

from __future__ import annotations

import base64

from tests.charts.chart import BUNDLED, render


def test_it_is_long_and_random() -> None:
    """Two releases never share one; without a cluster there is none to keep."""
    found = [
        render(BUNDLED, release=name).find("Secret", f"{name}-grafana")["data"] for name in ("tinderbox", "tinderbox2")
    ]
    passwords = {base64.b64decode(each["admin-password"]) for each in found}
    assert {len(password) for password in passwords} == {32}
    assert len(passwords) == 2
    assert {base64.b64decode(each["admin-user"]) for each in found} == {b"admin"}


def test_one_of_ones_own_takes_its_place() -> None:
    """Then the chart makes none, and the pod reads that one."""
    release = render({**BUNDLED, "grafana": {"enabled": True, "existingSecret": "mine"}})
    assert "Secret" not in " ".join(release.kinds())
    pod = release.find("Deployment", "tinderbox-grafana")["spec"]["template"]["spec"]
    assert [each["valueFrom"]["secretKeyRef"]["name"] for each in pod["containers"][0]["env"]] == ["mine", "mine"]


def test_there_is_none_without_grafana() -> None:
    """A plain install makes no Secret."""
    assert "Secret" not in " ".join(render().kinds())
