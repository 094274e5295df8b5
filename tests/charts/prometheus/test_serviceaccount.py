"""Who the bundled Prometheus is."""

from tests.charts.chart import BUNDLED, render


def test_it_has_an_account_of_its_own() -> None:
    """It exists where Prometheus does, and its pod names it."""
    release = render(BUNDLED)
    pod = release.find("Deployment", "tinderbox-prometheus")["spec"]["template"]["spec"]
    assert release.find("ServiceAccount", pod["serviceAccountName"])
    assert "ServiceAccount/tinderbox-prometheus" not in render().kinds()
