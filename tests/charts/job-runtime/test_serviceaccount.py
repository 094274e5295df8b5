"""Who drivers and executors are."""

from tests.charts.chart import render


def test_drivers_have_an_account() -> None:
    """It exists, and a driver's pod names it."""
    assert render().find("ServiceAccount", render().driver_pod()["serviceAccountName"])


def test_executors_have_one_without_a_token() -> None:
    """It exists, executors name it, no token is mounted, and no role is bound to it."""
    account = render().find("ServiceAccount", render().executor()["spec"]["serviceAccountName"])
    assert account["automountServiceAccountToken"] is False
    bound = [thing["subjects"] for thing in render().things if thing["kind"] == "RoleBinding"]
    assert account["metadata"]["name"] not in str(bound)
