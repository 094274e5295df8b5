"""The claim of the bundled Prometheus."""

from tests.charts.chart import BUNDLED, Thing, render


def claims(**values: object) -> list[Thing]:
    """The claims of Prometheus."""
    things = render({**BUNDLED, "prometheus": {"enabled": True, "persistence": values}}).things
    return [
        thing["spec"]
        for thing in things
        if (thing["kind"], thing["metadata"]["name"]) == ("PersistentVolumeClaim", "tinderbox-prometheus")
    ]


def test_there_is_one_where_it_is_asked_for() -> None:
    """Without Prometheus there is none either."""
    assert claims() == []
    assert (
        "PersistentVolumeClaim/tinderbox-prometheus"
        not in render({"prometheus": {"persistence": {"enabled": True}}}).kinds()
    )
    (claim,) = claims(enabled=True)
    assert claim == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "8Gi"}}}


def test_size_and_class_are_values() -> None:
    """The cluster's default class, unless one says otherwise."""
    (claim,) = claims(enabled=True, size="2Gi", storageClass="fast")
    assert (claim["storageClassName"], claim["resources"]["requests"]["storage"]) == ("fast", "2Gi")
