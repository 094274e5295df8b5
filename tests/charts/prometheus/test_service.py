"""The bundled Prometheus's Service."""

from tests.charts.chart import BUNDLED, render


def test_it_leads_to_prometheus_inside_the_cluster_only() -> None:
    """It selects the pod and a port that it has, and opens nothing outside."""
    service = render(BUNDLED).find("Service", "tinderbox-prometheus")["spec"]
    template = render(BUNDLED).find("Deployment", "tinderbox-prometheus")["spec"]["template"]
    assert service["selector"].items() <= template["metadata"]["labels"].items()
    ports = [port["name"] for port in template["spec"]["containers"][0]["ports"]]
    assert [port["targetPort"] for port in service["ports"]] == ports
    assert "type" not in service
