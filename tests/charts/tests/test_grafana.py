"""`helm test`: the bundled Grafana answers."""

from tests.charts.chart import BUNDLED, render


def test_it_asks_grafana_by_its_service() -> None:
    """The address is the Service's name and port; without Grafana there is no such test."""
    release = render(BUNDLED)
    address = release.find("Pod", "tinderbox-test-grafana")["spec"]["containers"][0]["args"][-1]
    service = release.find("Service", "tinderbox-grafana")
    assert address == f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}/api/health"
    assert "Pod/tinderbox-test-grafana" not in render().kinds()
