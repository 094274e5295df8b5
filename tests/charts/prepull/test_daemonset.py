"""Images kept on every node."""

from tests.charts.chart import Thing, render


def pod(**values: Thing) -> Thing:
    """The DaemonSet's pod."""
    found = render({"prepull": {"enabled": True}}, **values).find("DaemonSet", "tinderbox-prepull")
    spec: Thing = found["spec"]["template"]["spec"]
    return spec


def test_it_is_switched_on() -> None:
    """By default nodes pull when a job comes."""
    assert "DaemonSet" not in str(render().kinds())


def test_it_holds_every_image_once() -> None:
    """The driver's, and the executors' where they have one of their own."""
    assert [each["image"] for each in pod()["containers"]] == ["tinderbox:0.1.0"]
    both = pod(executor={"image": "tinderbox:0.1.0-gpu", "gpus": 1})
    assert [each["image"] for each in both["containers"]] == ["tinderbox:0.1.0", "tinderbox:0.1.0-gpu"]


def test_it_can_be_on_some_nodes() -> None:
    """Node selector and tolerations are values."""
    values = {"enabled": True, "nodeSelector": {"gpu": "yes"}, "tolerations": [{"key": "gpu"}]}
    some = pod(prepull=values)
    assert (some["nodeSelector"], some["tolerations"]) == ({"gpu": "yes"}, [{"key": "gpu"}])
