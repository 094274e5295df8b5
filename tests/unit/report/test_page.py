"""The report as one HTML file."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from typing import Any

import pytest
import yaml

from tinderbox.config import check_sweep
from tinderbox.models.gain import Gain
from tinderbox.report.page import render
from tinderbox.run import Run

GAIN = Gain("accuracy", 360, 0.9806, 0.9583, 0.0222, 0.0056, 0.0389)
ORDER = [
    "Gain over the default parameters",
    "The best trial lies on the edge of what was searched",
    "Sensitivity",
    "History",
    "Parallel coordinates",
    "Importances",
    "Slot timeline",
    "All trials",
    "Failures",
    "Configuration",
    "Identity",
]


class Reader(HTMLParser):
    """Reads headings, texts, scripts and everything that a browser would fetch."""

    def __init__(self, page: str) -> None:
        """Read the page."""
        super().__init__()
        self.headings: list[str] = []
        self.blocks: list[str] = []
        self.scripts: list[tuple[str, str]] = []
        self.fetched: list[str] = []
        self.tags: list[str] = []
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Remember the tag and what it fetches."""
        self.tags.append(tag)
        found = dict(attributes)
        self.fetched += [str(found[name]) for name in ("src", "href", "srcset", "action") if name in found]
        if tag not in ("meta", "br", "link", "img", "input"):
            self._open.append((tag, found))

    def handle_endtag(self, tag: str) -> None:
        """Check that tags close in the order in which they opened."""
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        """Sort text by the tag that it stands in."""
        tag, attributes = self._open[-1] if self._open else ("", {})
        if tag == "h2":
            self.headings.append(data)
        elif tag == "pre":
            self.blocks.append(data)
        elif tag == "script":
            self.scripts.append((attributes.get("type") or "", data))


@pytest.fixture(scope="module")
def page(grid_scene: Any, run: Run) -> str:
    """The page of the grid."""
    return render(grid_scene.study, grid_scene.job, run, GAIN)


def test_sections_in_order(page: str) -> None:
    """The page is whole HTML whose sections come in the order in which a reader needs them."""
    assert page.startswith("<!doctype html>")
    assert Reader(page).headings == ORDER


def test_nothing_is_fetched(page: str) -> None:
    """The file needs no other one: plotly is inside, once, and a policy forbids every connection."""
    reader = Reader(page)
    assert reader.fetched == []
    assert [len(text) > 1_000_000 for kind, text in reader.scripts if not kind] == [True, False]
    assert "default-src 'none'" in page
    assert "@import" not in page
    assert len(page) < 6_000_000


def test_plots_are_data(page: str) -> None:
    """Each plot is one JSON document with data, drawn in the reader's own colors."""
    plots = [json.loads(text) for kind, text in Reader(page).scripts if kind == "application/json"]
    assert len(plots) == 5
    assert all(plot["data"] and "template" not in plot["layout"] for plot in plots)


def test_everything_a_user_wrote_is_escaped(page: str) -> None:
    """A cause that looks like a script stays a text, in the table, in the traceback and in the timeline."""
    assert "alert(" in page
    assert "<script>alert" not in page
    assert Reader(page).tags.count("script") == 7


def test_a_script_in_the_names_cannot_get_out(make_scene: Any, run: Run) -> None:
    """A metric, a choice and a node that close a script element or an attribute do no harm."""
    evil = "</script><img src=x onerror=alert(1)>\"'"
    space = {
        "kind": {"type": "choice", "choices": [evil, "b"]},
        "lr": {"type": "float", "low": 0, "high": 1, "grid": 2},
    }
    scene = make_scene(space, metric={"name": evil, "direction": "minimize"})
    for kind in (evil, "b"):
        for rate in (0.0, 1.0):
            scene.run({"kind": kind, "lr": rate}, [0.5 + rate])
    reader = Reader(render(scene.study, scene.job, run, None))
    assert "img" not in reader.tags
    assert reader.fetched == []


def test_gain_and_edge_are_told(page: str) -> None:
    """The page tells the gain with its interval and how it was chosen, and warns of the edge."""
    assert "a difference of +2.22 points, with a 95 % interval of +0.56 to +3.89 points" in page
    assert "chosen on validation data" in page
    assert "The best trial has width = 128, at the upper end of its grid (8 to 128)" in page


def test_no_gain_has_a_sentence(grid_scene: Any, run: Run) -> None:
    """Without a gain its section says why."""
    assert "The test set was not scored" in render(grid_scene.study, grid_scene.job, run, None)


def test_no_gain_of_the_default_parameters_over_themselves(make_scene: Any, run: Run) -> None:
    """Where the default parameters are the best, no difference of 0 is paraded."""
    scene = make_scene()
    scene.run({"lr": 1e-3, "width": 32}, [0.9], baseline=True)
    scene.finish()
    page = render(scene.study, scene.job, run, GAIN)
    assert "The default parameters are the best found so far" in page
    assert "+2.22" not in page


def test_rows_can_be_sorted(page: str) -> None:
    """Cells carry what they are sorted by, numbers as numbers."""
    assert re.search(r'<td class="number" data-number="0.003162">0.003162</td>', page)
    assert page.count("<tr") == 1 + 35 + 8
    assert page.count('<button type="button">') == 11


def test_the_configuration_makes_the_same_job(page: str, grid_scene: Any) -> None:
    """The configuration on the page is a job file of the same job."""
    (text,) = [block for block in Reader(page).blocks if block.startswith("kind: sweep")]
    assert check_sweep(yaml.safe_load(text), "page") == grid_scene.job


def test_identity(page: str) -> None:
    """Digests, seeds and versions are told."""
    for told in ("c" * 64, "d" * 64, "study 7, best trial 1014, default parameters 1000", "3.11.9", "5.0.0"):
        assert f"<td>{told}</td>" in page
    assert "none: the objective is installed, not shipped" in page


def test_tracebacks_are_folded(page: str) -> None:
    """Each cause is a closed fold, and the one with a traceback holds it whole."""
    assert page.count("<details>") == 3
    assert any("line 31, in train" in block for block in Reader(page).blocks)


def test_an_empty_study(make_scene: Any, run: Run) -> None:
    """A study in which nothing has happened renders, with a sentence in place of all that is missing."""
    scene = make_scene()
    page = render(scene.study, scene.job, run, None)
    assert Reader(page).headings == [heading for heading in ORDER if "edge" not in heading]
    for sentence in ("No trial has been proposed yet.", "No trial has started yet.", "No trial is complete yet."):
        assert sentence in page


def test_all_failed(make_scene: Any, run: Run) -> None:
    """A study without one success renders and tells why."""
    scene = make_scene()
    for _ in range(30):
        scene.run({"lr": 1e-3, "width": 8}, [], "failed", "ValueError: no", "Traceback: no")
    scene.finish()
    page = render(scene.study, scene.job, run, None)
    assert "and 10 more" in page
    assert page.count("<details>") == 1


def test_values_that_are_no_numbers(make_scene: Any, run: Run) -> None:
    """NaN and infinity, in complete trials too, break neither the plots' JSON nor the page."""
    scene = make_scene()
    for value in (math.inf, 0.5, math.nan, -math.inf, 0.6):
        scene.run({"lr": 1e-3 * (1 + len(scene.study.trials)), "width": 8}, [value])
    page = render(scene.study, scene.job, run, None)
    plots = [text for kind, text in Reader(page).scripts if kind == "application/json"]
    assert [json.loads(text, parse_constant=pytest.fail)["data"] for text in plots]
