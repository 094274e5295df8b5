"""Two objectives against each other, with the front marked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinderbox.report.front import draw_figure, tradeoff
from tinderbox.report.page import render
from tinderbox.report.plots import figures, save_pictures
from tinderbox.report.summary import confirmed, tiles
from tinderbox.report.table import head, rows


def test_every_complete_trial_is_in_one_group(choice_scene: Any) -> None:
    """Not feasible, beaten, or on the front, at the place of its last report; others are not drawn."""
    choice_scene.repeat(1, 0.9)
    data = tradeoff(choice_scene.study)
    assert data is not None
    assert (data.x, data.y) == ("validation_accuracy", "latency<ms>")
    assert {name: [(one.trial, one.x, one.y) for one in points] for name, points in data.groups.items()} == {
        "not feasible": [(3, 0.95, 60)],
        "beaten": [(2, 0.8, 41)],
        "front": [(0, 0.7, 9), (1, 0.9, 40)],
    }
    assert data.groups["not feasible"][0].about == (
        "trial 3",
        "validation_accuracy: 0.95",
        "latency<ms>: 60",
        "size: 64",
        "lr = 0.001, width = 64",
        "latency<ms> is 60, not at most 50",
    )


def test_texts_are_escaped_for_plotly(choice_scene: Any) -> None:
    """Plotly reads tags in names and in what it shows of a point; the front is drawn last, on top."""
    data = tradeoff(choice_scene.study)
    assert data is not None
    figure = draw_figure(data)
    assert [trace.name for trace in figure.data] == ["not feasible", "beaten", "front"]
    assert figure.layout.yaxis.title.text == "latency&lt;ms&gt;"
    assert "<ms>" not in "".join(figure.data[0].text)


def test_the_front_comes_first_on_the_page(choice_scene: Any, run: Any) -> None:
    """The other plots are those of the metric; without a complete trial a sentence says so."""
    plots = figures(choice_scene.study, choice_scene.job)
    assert [plot.name for plot in plots][:3] == ["front", "sensitivity", "history"]
    assert [len(trace.x) for trace in plots[0].figure.data] == [1, 1, 2]
    assert 'id="front"' in render(choice_scene.study, choice_scene.job, run, None)


def test_a_single_objective_has_none(grid_scene: Any, make_scene: Any) -> None:
    """Nothing is drawn, nor a sentence put in its place; a study of two that has just begun has the sentence."""
    assert "front" not in [plot.name for plot in figures(grid_scene.study, grid_scene.job)]
    assert tradeoff(grid_scene.study) is None
    scene = make_scene(objectives=[{"name": "size", "direction": "minimize"}])
    assert next(plot.sentence for plot in figures(scene.study, scene.job)) == "No trial is complete yet."


def test_what_is_not_feasible_is_not_best_in_other_plots(choice_scene: Any) -> None:
    """The history's best line leaves it out, and so does the top of the parallel coordinates, where it is dotted."""
    plots = {plot.name: plot.figure for plot in figures(choice_scene.study, choice_scene.job)}
    markers, best, broken = plots["history"].data
    assert (list(markers.x), list(broken.x), best.y[3]) == ([0, 1, 2], [3], 0.9)
    assert markers.marker.color != broken.marker.color
    lines = plots["parallel-coordinates"].data
    assert [line.line.dash for line in lines] == ["dot", "solid", "solid", "solid"]
    assert lines[-1].line.color == "rgb(224, 117, 45)"
    about = {plot.name: plot.sentence for plot in figures(choice_scene.study, choice_scene.job)}
    assert about["parallel-coordinates"].endswith(" Dotted ones break a constraint.")
    assert lines[-1].y[0] == (0.9 - 0.7) / (0.95 - 0.7)


def test_it_is_a_picture_too(choice_scene: Any, tmp_path: Path) -> None:
    """The front is a PNG file among the others."""
    names = [path.stem for path in save_pictures(choice_scene.study, choice_scene.job, tmp_path)]
    assert {"front", "sensitivity", "history", "parallel-coordinates", "timeline"} <= set(names)
    assert (tmp_path / "front.png").stat().st_size > 5000


def test_the_table_has_all_metrics(choice_scene: Any) -> None:
    """A column each; a trial that is not feasible has no rank, and says why."""
    titles = head(choice_scene.job)
    assert titles[4:9] == ["width", "validation_accuracy", "latency<ms>", "size", "epochs"]
    found = [
        dict(zip(titles, (cell.text for cell in row), strict=True))
        for row in rows(choice_scene.study, choice_scene.job)
    ]
    assert [
        (row["rank"], row["trial"], row["validation_accuracy"], row["latency<ms>"], row["size"]) for row in found
    ] == [
        ("1", "1", "0.9", "40", "16"),
        ("2", "2", "0.8", "41", "32"),
        ("3", "0", "0.7", "9", "8"),
        ("—", "3", "0.95", "60", "64"),
        ("—", "4", "—", "—", "—"),
    ]
    assert found[3]["cause"] == "not feasible: latency<ms> is 60, not at most 50"


def test_nothing_is_feasible(make_scene: Any, run: Any, tmp_path: Path) -> None:
    """The headline says so, and page and pictures can be had."""
    scene = make_scene(search="random", budget={"trials": 9}, constraints=[{"name": "size", "max": 1}])
    scene.run({"lr": 1e-3, "width": 8}, [{"validation_accuracy": 0.9, "size": 2}])
    assert tiles(scene.study, scene.job)[0].note == "no complete trial is feasible"
    assert "no complete trial is feasible" in render(scene.study, scene.job, run, None)
    assert [path.stem for path in save_pictures(scene.study, scene.job, tmp_path)] == ["timeline", "history"]


def test_a_leader_that_breaks_a_bound_on_average(make_scene: Any, run: Any) -> None:
    """It comes after the others, and the page says why."""
    scene = make_scene(search="random", budget={"trials": 9}, constraints=[{"name": "size", "max": 5}])
    for accuracy, sizes in ((0.9, (5, 7)), (0.8, (4, 4))):
        number = scene.run({"lr": 1e-3, "width": 8}, [{"validation_accuracy": accuracy, "size": 4}])
        for size in sizes:
            scene.repeat(number, {"validation_accuracy": accuracy, "size": size})
    assert [(one.trial, one.broken) for one in confirmed(scene.study)] == [
        (3, ""),
        (0, "not feasible on average: size is 6, not at most 5"),
    ]
    assert "not feasible on average: size is 6" in render(scene.study, scene.job, run, None)
