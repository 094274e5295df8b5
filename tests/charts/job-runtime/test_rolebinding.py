"""Who may do what drivers do."""

from tests.charts.chart import render


def test_only_drivers_are_bound() -> None:
    """The binding names one role and one service account, both there."""
    binding = render().find("RoleBinding", "tinderbox-driver")
    assert binding["roleRef"]["name"] == render().find("Role", "tinderbox-driver")["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "tinderbox-driver", "namespace": "ml"}]
