"""The console's Service."""

from tests.charts.chart import render


def test_it_leads_to_the_history_server() -> None:
    """It selects the console's pods and a port that they have."""
    service = render().find("Service", "tinderbox-console")["spec"]
    template = render().find("Deployment", "tinderbox-console")["spec"]["template"]
    assert service["selector"].items() <= template["metadata"]["labels"].items()
    ports = [port["name"] for port in template["spec"]["containers"][0]["ports"]]
    assert [port["targetPort"] for port in service["ports"]] == ports
