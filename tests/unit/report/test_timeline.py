"""What each slot did when."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tinderbox.report.timeline import Bar, bars, draw_axes, draw_figure, height


def test_one_bar_per_attempt(grid_scene: Any) -> None:
    """A lost attempt has its own bar, and bars of one slot do not overlap."""
    found = bars(grid_scene.study)
    assert len(found) == 36
    assert [bar.outcome for bar in found if bar.outcome != "complete"] == ["failed", "lost", "diverged"]
    for slot in ("slot-0", "slot-1"):
        spans = sorted((bar.start, bar.start + bar.length) for bar in found if bar.slot == slot)
        assert all(earlier[1] <= later[0] for earlier, later in pairwise(spans))


def test_a_running_attempt_lasts_until_the_newest_event(make_scene: Any) -> None:
    """What runs ends where the study's knowledge ends."""
    scene = make_scene()
    number = scene.propose({"lr": 1e-3, "width": 8})
    slot = scene.start(number)
    scene.report(number, [0.5, 0.6], slot, seconds=10)
    (bar,) = bars(scene.study)
    assert (bar.start, bar.length, bar.outcome) == (1, 20, "running")
    assert bar.about[0] == "trial 0, attempt 1: running"


def test_a_bar_tells_its_trial(grid_scene: Any) -> None:
    """Trial, parameters, value and cause are told, the value only where it is this attempt's."""
    lost, again = [bar for bar in bars(grid_scene.study) if bar.about[0].startswith("trial 18,")]
    assert lost.about == (
        "trial 18, attempt 1: lost",
        "lr = 0.003162, width = 64",
        "4.5 s on node-1",
        "its slot was not heard of for 30 s",
    )
    assert again.about[2] == "validation_accuracy: 0.9832"


@pytest.mark.parametrize(("end", "unit", "length"), [(100, "seconds", 100), (600, "minutes", 10), (36000, "hours", 10)])
def test_the_axis_has_a_fitting_unit(end: float, unit: str, length: float) -> None:
    """Short studies are shown in seconds, longer ones in minutes or hours."""
    figure = draw_figure([Bar("slot-0", 0, end, "complete", ("trial 0",))])
    assert figure.layout.xaxis.title.text == f"{unit} since the study began"
    assert list(figure.data[0].x) == [length]


def test_slots_are_in_natural_order() -> None:
    """slot-2 comes above slot-10 in both drawings, and many slots do not make the picture endless."""
    from matplotlib.figure import Figure

    found = [Bar(f"slot-{index}", 0, 1, "complete", ()) for index in (10, 2, 1)]
    axes = Figure().subplots()
    draw_axes(found, axes)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["slot-1", "slot-2", "slot-10"]
    assert draw_figure(found).layout.yaxis.categoryarray == ("slot-10", "slot-2", "slot-1")
    assert height([Bar(f"slot-{index}", 0, 1, "complete", ()) for index in range(500)]) == 900


def test_users_texts_are_escaped_for_plotly(grid_scene: Any) -> None:
    """Plotly reads tags in texts, so a cause is escaped."""
    figure = draw_figure(bars(grid_scene.study))
    (failed,) = [trace for trace in figure.data if trace.name == "failed"]
    assert "&lt;script&gt;" in failed.text[0]
    assert "<script" not in failed.text[0]
