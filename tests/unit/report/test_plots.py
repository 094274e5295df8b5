"""Optuna's plots and ours, for the page and as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tinderbox.errors import BadInput
from tinderbox.report.plots import figures, save_pictures

NAMES = ["sensitivity", "history", "parallel-coordinates", "importances", "timeline"]
CHOICE = {"type": "choice", "choices": ["<b>relu</b>", "tanh", "elu"]}
RATE = {"type": "float", "low": 1e-5, "high": 1.0, "log": True}
RANDOM: dict[str, Any] = {"search": "random", "budget": {"trials": 99}}


def missing(scene: Any) -> dict[str, str]:
    """Return the sentences of the plots that cannot be drawn."""
    return {plot.name: plot.sentence for plot in figures(scene.study, scene.job) if plot.figure is None}


def test_a_grid_has_all_plots_in_order(grid_scene: Any) -> None:
    """A study with data has every plot, each with a title and a sentence that says what it shows."""
    plots = figures(grid_scene.study, grid_scene.job)
    assert [plot.name for plot in plots] == NAMES
    assert all(plot.figure is not None and plot.title and plot.sentence for plot in plots)


def test_history_holds_the_values_of_complete_trials(grid_scene: Any) -> None:
    """The history has one marker per complete trial, and its best line ends at the best value."""
    history = figures(grid_scene.study, grid_scene.job)[1].figure
    markers, best, _ = history.data
    assert len(markers.x) == len(grid_scene.study.ranked())
    assert best.y[-1] == grid_scene.study.best_value


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_best_line_of_parallel_coordinates_is_on_top(make_scene: Any, direction: str) -> None:
    """The best trial is drawn last, in the last color of the scale, in either direction."""
    scene = make_scene({"lr": RATE}, metric={"name": "score", "direction": direction}, **RANDOM)
    for rate, value in ((0.1, 3.0), (0.2, 1.0), (0.3, 2.0)):
        scene.run({"lr": rate}, [value])
    lines = figures(scene.study, scene.job)[2].figure.data
    heights = [line.y[0] for line in lines]
    assert heights == ([1.0, 0.5, 0.0] if direction == "minimize" else [0.0, 0.5, 1.0])
    assert lines[-1].line.color == "rgb(224, 117, 45)"


def test_nothing_yet(make_scene: Any) -> None:
    """A study without a trial has a sentence in place of each plot."""
    sentences = missing(make_scene())
    assert list(sentences) == NAMES
    assert sentences["timeline"] == "No trial has started yet."
    assert sentences["history"] == "No trial is complete yet."


def test_all_failed(make_scene: Any) -> None:
    """Where every trial failed, there is a timeline and a sentence for the rest."""
    scene = make_scene()
    scene.run({"lr": 1e-3, "width": 8}, [], "failed", "ValueError: no")
    assert list(missing(scene)) == NAMES[:-1]


def test_one_trial(make_scene: Any) -> None:
    """One complete trial has a history, but nothing to compare."""
    scene = make_scene()
    scene.run({"lr": 1e-3, "width": 8}, [0.5])
    sentences = missing(scene)
    assert list(sentences) == ["sensitivity", "parallel-coordinates", "importances"]
    assert sentences["importances"] == "No parameter took two values in complete trials yet."


def test_a_single_parameter(make_scene: Any) -> None:
    """A single parameter has all the importance, which is told and not drawn."""
    scene = make_scene({"lr": RATE}, **RANDOM)
    for index in range(12):
        scene.run({"lr": 0.01 * (index + 1)}, [0.5 + 0.01 * index])
    assert missing(scene) == {"importances": "Only lr took more than one value, so all the importance is its own."}


def test_only_choices(make_scene: Any) -> None:
    """A space of choices has no curve, and everything else."""
    scene = make_scene({"activation": CHOICE, "bias": {"type": "choice", "choices": [True, False]}}, **RANDOM)
    for index in range(12):
        scene.run({"activation": CHOICE["choices"][index % 3], "bias": index % 2 == 0}, [0.5 + 0.01 * index])
    assert list(missing(scene)) == ["sensitivity"]


def test_optunas_warning_is_the_sentence(make_scene: Any) -> None:
    """Where Optuna warns that it has too little to say, its warning stands in place of the plot."""
    scene = make_scene()
    scene.run({"lr": 1e-3, "width": 8}, [0.5])
    scene.run({"lr": 1e-2, "width": 16}, [0.5])
    assert "same set of trials" in missing(scene)["importances"]


def test_choices_are_escaped_for_plotly(make_scene: Any) -> None:
    """Plotly reads tags in labels, so choices are escaped."""
    scene = make_scene({"activation": CHOICE, "lr": RATE}, **RANDOM)
    for index in range(3):
        scene.run({"activation": CHOICE["choices"][index], "lr": 0.1 * (index + 1)}, [0.5])
    parallel = figures(scene.study, scene.job)[2].figure
    texts = [label.text for label in parallel.layout.annotations]
    assert "&lt;b&gt;relu&lt;/b&gt;" in texts


def test_pictures(grid_scene: Any, tmp_path: Path) -> None:
    """Every plot is written as a PNG file into a new folder."""
    paths = save_pictures(grid_scene.study, grid_scene.job, tmp_path / "new" / "folder")
    assert sorted(path.stem for path in paths) == sorted(NAMES)
    assert all(path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5000 for path in paths)


def test_pictures_leave_pyplot_alone(make_scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither figures nor style nor back end of a notebook change, and no display is needed."""
    import matplotlib
    from matplotlib import pyplot

    monkeypatch.delenv("DISPLAY", raising=False)
    pyplot.switch_backend("svg")
    mine = pyplot.figure()
    before = dict(matplotlib.rcParams)
    scene = make_scene()
    scene.run({"lr": 1e-3, "width": 8}, [0.5])
    save_pictures(scene.study, scene.job, tmp_path)
    assert pyplot.get_fignums() == [mine.number]
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_backend() == "svg"
    pyplot.close(mine)


def test_pictures_need_data(make_scene: Any, tmp_path: Path) -> None:
    """A study without a trial writes no picture."""
    scene = make_scene()
    assert save_pictures(scene.study, scene.job, tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(grid_scene: Any, tmp_path: Path) -> None:
    """A file in the way is told in one sentence."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"file/plots: pictures cannot be written: Not a directory; give a folder"):
        save_pictures(grid_scene.study, grid_scene.job, tmp_path / "file" / "plots")
