"""Who may do what the bundled Prometheus does."""

from tests.charts.chart import BUNDLED, render


def test_only_prometheus_is_bound() -> None:
    """The binding names one role and one service account, both there."""
    release = render(BUNDLED)
    binding = release.find("RoleBinding", "tinderbox-prometheus")
    assert release.find("Role", binding["roleRef"]["name"])
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "tinderbox-prometheus", "namespace": "ml"}]
    assert release.find("ServiceAccount", "tinderbox-prometheus")
