"""`helm test`: the bundled Prometheus answers."""

from tests.charts.chart import BUNDLED, render


def test_it_asks_prometheus_by_its_service() -> None:
    """The address is the Service's name and port; without Prometheus there is no such test."""
    release = render(BUNDLED)
    address = release.find("Pod", "tinderbox-test-prometheus")["spec"]["containers"][0]["args"][-1]
    service = release.find("Service", "tinderbox-prometheus")
    assert address == f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}/-/ready"
    assert "Pod/tinderbox-test-prometheus" not in render().kinds()
