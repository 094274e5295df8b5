"""The picture of a search that zooms, on the page and as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinderbox.report.boxes import NOTHING, draw_axes, draw_figure, notes
from tinderbox.report.colors import SCALE, ramp
from tinderbox.report.page import render
from tinderbox.report.plots import figures, save_pictures
from tinderbox.report.zoom import zoomed

ZOOM: dict[str, Any] = {"method": "random", "zoom": {"rounds": 2}}


def draw(scene: Any) -> Any:
    """Return the figure of a scene."""
    data = zoomed(scene.study, scene.job)
    assert data is not None
    return draw_figure(data)


def test_boxes_and_points_of_the_figure(zoom_scene: Any) -> None:
    """A box for each round in its color, below all points; each trial is one point, failed ones are crosses."""
    figure = draw(zoom_scene)
    boxes = [trace for trace in figure.data if trace.mode == "lines"]
    assert [(box.name, box.line.color) for box in boxes] == [
        (f"round {index + 1}", color) for index, color in enumerate(ramp(3))
    ]
    assert list(figure.data[:3]) == boxes
    spaces = [zoom_scene.job.parameters, *(begun.space for begun in zoom_scene.study.rounds)]
    assert [(min(box.x), max(box.x), min(box.y), max(box.y)) for box in boxes] == [
        (space["rate"].low, space["rate"].high, space["width"].low, space["width"].high) for space in spaces
    ]
    assert boxes[0].line.width > boxes[1].line.width > boxes[2].line.width
    points = [trace for trace in figure.data if trace.mode == "markers" and trace.name != "best"]
    drawn = sorted((x, y) for trace in points for x, y in zip(trace.x, trace.y, strict=True))
    assert drawn == sorted(
        (trial.parameters["rate"], trial.parameters["width"]) for trial in zoom_scene.study.trials.values()
    )
    failed = sum(trial.state == "failed" for trial in zoom_scene.study.trials.values())
    assert sum(len(trace.x) for trace in points if trace.marker.symbol == "x") == failed > 0


def test_colors_tell_the_rank(zoom_scene: Any) -> None:
    """The best trial has the last color of the scale, is the largest, and has a ring."""
    figure = draw(zoom_scene)
    assert [color for _, color in figure.layout.coloraxis.colorscale] == list(SCALE)
    best = zoom_scene.study.best.parameters
    last = next(trace for trace in figure.data if isinstance(trace.marker.color, tuple) and 1.0 in trace.marker.color)
    assert (last.x[-1], last.y[-1], last.marker.size[-1]) == (best["rate"], best["width"], 12)
    assert (figure.data[-1].name, figure.data[-1].x[0]) == ("best", best["rate"])


def test_axes_of_the_figure(zoom_scene: Any) -> None:
    """Logarithmic parameters have logarithmic axes that reach as far as the search went; tags in texts are escaped."""
    figure = draw(zoom_scene)
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("log", "log")
    assert figure.layout.xaxis.ticktext[-1] == "10"
    assert "<b>sgd" not in "".join(text for trace in figure.data for text in trace.text or ())


def test_the_page_has_the_picture_and_the_sentences(zoom_scene: Any, run: Any) -> None:
    """They stand beside the plot, each with the color of its round, and are escaped."""
    plots = figures(zoom_scene.study, zoom_scene.job)
    assert [plot.name for plot in plots][:3] == ["sensitivity", "zoom", "history"]
    page = render(zoom_scene.study, zoom_scene.job, run, None)
    assert 'id="zoom"' in page
    data = zoomed(zoom_scene.study, zoom_scene.job)
    assert data is not None
    assert plots[1].notes == notes(data)
    for color, one in zip(ramp(3), data.rounds, strict=True):
        escaped = one.sentence.replace("<", "&lt;").replace(">", "&gt;")
        assert f'<i class="dot" style="background: {color}"></i>{escaped}</li>' in page


def test_without_zoom_there_is_no_section(grid_scene: Any, run: Any) -> None:
    """Neither a plot nor a sentence in its place, and no list beside any other plot."""
    assert "zoom" not in [plot.name for plot in figures(grid_scene.study, grid_scene.job)]
    page = render(grid_scene.study, grid_scene.job, run, None)
    assert 'id="zoom"' not in page
    assert 'class="notes"' not in page


def test_before_there_is_anything_to_draw(make_scene: Any, run: Any, tmp_path: Path) -> None:
    """A search that will zoom has a sentence; from the second point on it has its first box."""
    scene = make_scene(search=ZOOM, budget={"trials": 20})
    assert next(plot.sentence for plot in figures(scene.study, scene.job) if plot.name == "zoom") == NOTHING
    assert save_pictures(scene.study, scene.job, tmp_path) == []
    scene.search(lambda chosen: chosen["lr"], trials=3)
    assert [trace.name for trace in draw(scene).data if trace.mode == "lines"] == ["round 1"]
    assert "Round 1: the whole space." in render(scene.study, scene.job, run, None)
    assert "zoom" in [path.stem for path in save_pictures(scene.study, scene.job, tmp_path)]


def test_it_is_a_picture_too(zoom_scene: Any, tmp_path: Path) -> None:
    """The rounds are a PNG file among the others."""
    paths = {path.stem: path for path in save_pictures(zoom_scene.study, zoom_scene.job, tmp_path)}
    assert paths["zoom"].read_bytes().startswith(b"\x89PNG")
    assert paths["zoom"].stat().st_size > 5000


def test_boxes_and_sentences_of_the_picture(zoom_scene: Any) -> None:
    """It has the boxes, all points and, below them, the words; a dollar in a name is no formula."""
    from matplotlib.figure import Figure

    data = zoomed(zoom_scene.study, zoom_scene.job)
    assert data is not None
    axes = Figure().subplots()
    draw_axes(data, axes)
    boxes = [line for line in axes.lines if len(line.get_xdata()) == 5 and line.get_linestyle() == "-"]  # type: ignore[arg-type]
    assert [(min(box.get_xdata()), max(box.get_xdata())) for box in boxes] == [one.x for one in data.rounds]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    legend = axes.get_legend()
    assert legend is not None
    told = [text.get_text().replace("\n", " ") for text in legend.get_texts()]
    assert told == [*(one.sentence for one in data.rounds), "best"]
    assert not any(text.get_parse_math() for text in legend.get_texts())
    crosses = sum(len(line.get_xdata()) for line in axes.lines if line.get_marker() == "x")  # type: ignore[arg-type]
    assert sum(len(drawn.get_offsets()) for drawn in axes.collections) + crosses == len(zoom_scene.study.trials)  # type: ignore[arg-type]
