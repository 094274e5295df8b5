"""Curves of the result against one number, a line per value of a second parameter."""

from __future__ import annotations

from typing import Any

import pytest

from tinderbox.report.sensitivity import Sensitivity, curves, draw_axes, draw_figure

RATE = {"type": "float", "low": 1e-5, "high": 1.0, "log": True}
RANDOM: dict[str, Any] = {"search": "random", "budget": {"trials": 99}}


def test_a_grid_gives_one_line_per_width(grid_scene: Any) -> None:
    """The logarithmic learning rate is x, each width has its line, and a failed trial leaves a gap."""
    data = curves(grid_scene.study, grid_scene.job)
    assert data is not None
    assert (data.x, data.by, data.log_x, data.connected) == ("lr", "width", True, True)
    assert [line.label for line in data.lines] == ["8", "16", "32", "64", "128"]
    assert [len(line.points) for line in data.lines] == [7, 6, 7, 7, 6]
    assert data.x_ticks == (1e-4, 0.000316, 1e-3, 0.003162, 1e-2, 0.031623, 1e-1)


def test_an_accuracy_is_drawn_as_error_in_percent(grid_scene: Any) -> None:
    """An accuracy within 0 and 1 becomes 100 (1 - value), and best and default parameters are pointed out."""
    data = curves(grid_scene.study, grid_scene.job)
    assert data is not None
    assert data.y == "error in %"
    assert data.best is not None
    assert data.best.trial == grid_scene.study.best.number
    assert data.best.y == pytest.approx(100 * (1 - grid_scene.study.best_value))
    assert data.baseline is not None
    assert (data.baseline.trial, data.baseline.x) == (0, 1e-3)


@pytest.mark.parametrize(
    ("metric", "direction", "values"),
    [
        ("validation_loss", "minimize", [0.2, 0.3]),
        ("pace", "maximize", [0.2, 0.3]),
        ("accuracy", "minimize", [0.2, 0.3]),
        ("accuracy", "maximize", [20.0, 30.0]),
    ],
)
def test_other_metrics_are_drawn_as_they_are(make_scene: Any, metric: str, direction: str, values: list[float]) -> None:
    """What is not named like an accuracy, not maximised or not within 0 and 1 keeps its values and its name."""
    scene = make_scene({"lr": RATE}, metric={"name": metric, "direction": direction}, **RANDOM)
    for rate, value in zip((0.01, 0.1), values, strict=True):
        scene.run({"lr": rate}, [value])
    data = curves(scene.study, scene.job)
    assert data is not None
    assert (data.y, [point.y for point in data.lines[0].points]) == (metric, values)


def test_the_best_of_several_trials_at_one_place(make_scene: Any) -> None:
    """Where a third parameter varies too, the best trial of each place is drawn and points are not connected."""
    space = {
        "lr": RATE,
        "width": {"type": "int", "low": 1, "high": 9},
        "decay": {"type": "choice", "choices": [0.9, 0.95]},
    }
    scene = make_scene(space, **RANDOM)
    for rate, width, decay, value in [(0.1, 1, 0.9, 0.5), (0.1, 1, 0.95, 0.7), (0.2, 2, 0.9, 0.6), (0.2, 3, 0.9, 0.4)]:
        scene.run({"lr": rate, "width": width, "decay": decay}, [value])
    data = curves(scene.study, scene.job)
    assert data is not None
    assert (data.by, data.connected) == ("width", False)
    assert [(line.label, [point.y for point in line.points]) for line in data.lines] == [
        ("1", [30.0]),
        ("2", [40.0]),
        ("3", [60.0]),
    ]


def test_choices_keep_the_order_of_the_job(make_scene: Any) -> None:
    """Lines of a choice come in the order of the job file, without those that no trial took."""
    space = {"lr": RATE, "optimizer": {"type": "choice", "choices": ["sgd", "rmsprop", "adam"]}}
    scene = make_scene(space, **RANDOM)
    for rate, optimizer in ((0.1, "adam"), (0.2, "sgd")):
        scene.run({"lr": rate, "optimizer": optimizer}, [0.5])
    data = curves(scene.study, scene.job)
    assert data is not None
    assert [line.label for line in data.lines] == ["sgd", "adam"]


def test_a_parameter_that_some_trials_lack_makes_no_lines(make_scene: Any) -> None:
    """Lines by a conditional parameter would leave out the trials without it, so there is one line over all."""
    space = {
        "optimizer": {"type": "choice", "choices": ["sgd"]},
        "lr": RATE,
        "momentum": {"type": "choice", "choices": [0.0, 0.9], "when": {"optimizer": "sgd"}},
    }
    scene = make_scene(space, **RANDOM)
    scene.run({"optimizer": "sgd", "lr": 0.1, "momentum": 0.0}, [0.5])
    scene.run({"optimizer": "sgd", "lr": 0.2, "momentum": 0.9}, [0.6])
    scene.run({"optimizer": "sgd", "lr": 0.3}, [0.7])
    data = curves(scene.study, scene.job)
    assert data is not None
    assert (data.by, [line.label for line in data.lines], len(data.lines[0].points)) == ("", [""], 3)


def test_a_default_off_the_grid_makes_no_line_of_its_own(make_scene: Any) -> None:
    """The baseline is pointed out, but a width that only it has is no line."""
    space = {"lr": RATE | {"default": 0.05}, "width": {"type": "int", "low": 1, "high": 9, "default": 5}}
    scene = make_scene(space, **RANDOM)
    scene.run({"lr": 0.05, "width": 5}, [0.5], baseline=True)
    for rate, width in ((0.1, 1), (0.2, 2)):
        scene.run({"lr": rate, "width": width}, [0.5])
    data = curves(scene.study, scene.job)
    assert data is not None
    assert [line.label for line in data.lines] == ["1", "2"]
    assert data.baseline is not None


@pytest.mark.parametrize(("parameters", "expected"), [("linear", "plain"), ("log", "rate"), ("none", None)])
def test_which_number_is_x(make_scene: Any, parameters: str, expected: str | None) -> None:
    """A logarithmic real number comes first, else the number with most values; choices are never x."""
    plain = {"type": "int", "low": 0, "high": 9}
    spaces = {
        "linear": {"half": plain, "plain": plain},
        "log": {"plain": plain, "rate": RATE},
        "none": {"half": {"type": "choice", "choices": [0, 1]}},
    }
    scene = make_scene(spaces[parameters], **RANDOM)
    for index in range(4):
        values = {"half": index // 2, "plain": index, "rate": 0.1 * (1 + index // 2)}
        scene.run({name: values[name] for name in spaces[parameters]}, [0.5])
    data = curves(scene.study, scene.job)
    assert (data.x if data else None) == expected


def test_without_two_places_there_is_no_curve(make_scene: Any) -> None:
    """Nothing, one trial, or trials without a value give no curves."""
    scene = make_scene({"lr": RATE}, **RANDOM)
    assert curves(scene.study, scene.job) is None
    scene.run({"lr": 0.1}, [0.5])
    scene.run({"lr": 0.2}, [0.5], "failed", "ValueError: no")
    scene.run({"lr": 0.3}, [])
    assert curves(scene.study, scene.job) is None


def test_wide_values_get_a_logarithmic_axis_with_round_ticks(make_scene: Any) -> None:
    """Values over orders of magnitude have a logarithmic axis; over more than three, it has powers of ten."""
    scene = make_scene({"lr": RATE}, metric={"name": "loss", "direction": "minimize"}, **RANDOM)
    for index in range(14):
        scene.run({"lr": 2e-5 * 2**index}, [0.03 * 1.5**index])
    data = curves(scene.study, scene.job)
    assert data is not None
    assert data.y_ticks == (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
    assert data.x_ticks == (1e-4, 1e-3, 1e-2, 1e-1)


def test_both_drawings_show_the_same(grid_scene: Any) -> None:
    """Plotly's figure and matplotlib's axes draw the same points, names and scales."""
    from matplotlib.figure import Figure

    data = curves(grid_scene.study, grid_scene.job)
    assert isinstance(data, Sensitivity)
    figure, axes = draw_figure(data), Figure().subplots()
    draw_axes(data, axes)
    assert [trace.name for trace in figure.data] == [line.get_label() for line in axes.lines]
    for trace, line in zip(figure.data, axes.lines, strict=True):
        assert list(trace.x) == list(line.get_xdata())
        assert list(trace.y) == list(line.get_ydata())
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == (axes.get_xscale(), axes.get_yscale())


def test_users_texts_are_escaped_for_plotly(make_scene: Any) -> None:
    """Plotly reads tags in names and titles, so what a user wrote is escaped."""
    space = {"lr": RATE, "kind": {"type": "choice", "choices": ["<b>", "plain"]}}
    scene = make_scene(space, metric={"name": "a<b", "direction": "minimize"}, **RANDOM)
    for rate, kind in ((0.1, "<b>"), (0.2, "plain")):
        scene.run({"lr": rate, "kind": kind}, [0.5])
    data = curves(scene.study, scene.job)
    assert data is not None
    figure = draw_figure(data)
    assert figure.data[0].name == "&lt;b&gt;"
    assert figure.layout.yaxis.title.text == "a&lt;b"
