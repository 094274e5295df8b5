"""The claim of the bundled Grafana."""

from tests.charts.chart import BUNDLED, Thing, render


def claims(**values: object) -> list[Thing]:
    """The claims of Grafana."""
    things = render({**BUNDLED, "grafana": {"enabled": True, "persistence": values}}).things
    return [
        thing["spec"]
        for thing in things
        if (thing["kind"], thing["metadata"]["name"]) == ("PersistentVolumeClaim", "tinderbox-grafana")
    ]


def test_there_is_one_where_it_is_asked_for() -> None:
    """Without Grafana there is none either."""
    assert claims() == []
    assert (
        "PersistentVolumeClaim/tinderbox-grafana" not in render({"grafana": {"persistence": {"enabled": True}}}).kinds()
    )
    (claim,) = claims(enabled=True)
    assert claim == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def test_size_and_class_are_values() -> None:
    """The cluster's default class, unless one says otherwise."""
    (claim,) = claims(enabled=True, size="2Gi", storageClass="fast")
    assert (claim["storageClassName"], claim["resources"]["requests"]["storage"]) == ("fast", "2Gi")
