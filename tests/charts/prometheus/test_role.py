"""What the bundled Prometheus may do."""

from tests.charts.chart import BUNDLED, render


def test_it_may_find_pods_of_its_namespace() -> None:
    """And nothing else, nowhere else."""
    release = render(BUNDLED)
    assert release.find("Role", "tinderbox-prometheus")["rules"] == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
    ]
    assert "Cluster" not in str(release.kinds())
