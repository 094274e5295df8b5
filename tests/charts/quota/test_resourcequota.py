"""The namespace's quota."""

from tests.charts.chart import render


def test_it_is_there_where_it_has_a_limit() -> None:
    """No limits, no quota; numbers become the texts that Kubernetes wants."""
    assert "ResourceQuota" not in str(render().kinds())
    quota = render({"quota": {"hard": {"pods": 3, "requests.memory": "16Gi"}}}).find("ResourceQuota", "tinderbox")
    assert quota["spec"]["hard"] == {"pods": "3", "requests.memory": "16Gi"}
