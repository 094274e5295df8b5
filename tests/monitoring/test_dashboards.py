"""Dashboards are as their code says, whole, and such that Grafana can lay them out."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from monitoring.generate import __main__ as generate
from monitoring.generate.boards import BOARDS
from tests.monitoring import boards

COLUMNS = 24
PANELS = {"bargauge", "gauge", "stat", "state-timeline", "table", "timeseries", "xychart"}
"""Types that Grafana 11 to 13 have."""


def test_files_are_up_to_date() -> None:
    """What lies in the repository is what the code writes; make dashboards writes it."""
    assert generate.stale(generate.FOLDER, generate.texts()) == []


def test_a_changed_dashboard_is_told_and_written_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--check names what differs and changes nothing; without it all is written, and what nobody wants goes."""
    assert generate.main([], tmp_path) == 0
    (tmp_path / "study.json").write_text("{}")
    (tmp_path / "old.json").write_text("{}")

    assert generate.main(["--check"], tmp_path) == 1
    assert (
        capsys.readouterr().err == f"old.json, study.json in {tmp_path} must be as the code says: run make dashboards\n"
    )
    assert generate.main([], tmp_path) == 0
    assert generate.main(["--check"], tmp_path) == 0
    assert sorted(path.stem for path in tmp_path.iterdir()) == boards.NAMES


@pytest.mark.parametrize("name", boards.NAMES)
def test_the_sdk_reads_what_it_wrote(name: str) -> None:
    """Nothing gets lost on the way through the SDK's types."""
    register_default_plugins()
    tree = boards.load(name)

    read = Dashboard.from_json(tree)

    assert json.loads(json.dumps(read, cls=JSONEncoder)) == tree


@pytest.mark.parametrize("name", boards.NAMES)
def test_panels_say_what_they_show(name: str) -> None:
    """Each has a title of its own, a sentence and a unit, and a type that is not on its way out."""
    panels = boards.panels(name)

    assert len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["type"] in PANELS, panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]


@pytest.mark.parametrize("name", boards.NAMES)
def test_panels_fill_the_grid_without_overlaps(name: str) -> None:
    """Each cell of each line belongs to exactly one panel."""
    cells = [
        (x, y)
        for panel in boards.load(name)["panels"]
        for place in [panel["gridPos"]]
        for x, y in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        )
    ]
    height = max(y for _, y in cells) + 1

    assert sorted(cells) == sorted(itertools.product(range(COLUMNS), range(height)))


@pytest.mark.parametrize("name", boards.NAMES)
def test_all_data_comes_from_the_chosen_source(name: str) -> None:
    """Panels, queries, variables and annotations ask the Prometheus that the variable names."""
    tree = boards.load(name)
    asking = [*boards.panels(name), *tree["annotations"]["list"]]
    asking += [target for panel in boards.panels(name) for target in panel["targets"]]
    asking += [variable for variable in tree["templating"]["list"] if variable["type"] == "query"]

    assert tree["templating"]["list"][0]["name"] == "datasource"
    assert {json.dumps(one["datasource"], sort_keys=True) for one in asking} == {
        '{"type": "prometheus", "uid": "${datasource}"}'
    }


@pytest.mark.parametrize("name", boards.NAMES)
def test_ids_are_unique_and_stay(name: str) -> None:
    """A dashboard is known by a name that does not change, its panels by their numbers."""
    tree = boards.load(name)
    numbers = [panel["id"] for panel in tree["panels"]]

    assert tree["uid"] == f"tinderbox-{name}"
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("name", boards.NAMES)
def test_links_lead_to_all_others_and_keep_variables_and_time(name: str) -> None:
    """A link's values go to a variable that the other dashboard has."""
    links = boards.load(name)["links"]

    assert sorted(link["url"].partition("?")[0] for link in links) == sorted(
        f"/d/{board.uid}" for board in BOARDS if board.uid != f"tinderbox-{name}"
    )
    for link in links:
        assert link["includeVars"]
        assert link["keepTime"]
        path, _, carried = link["url"].partition("?")
        there = boards.load(path.removeprefix("/d/tinderbox-"))
        named = {f"var-{variable['name']}" for variable in there["templating"]["list"]}
        assert {pair.partition("=")[0] for pair in carried.split("&") if pair} <= named


@pytest.mark.parametrize("name", boards.NAMES)
def test_queries_name_variables_that_exist(name: str) -> None:
    """What stands behind a dollar is a variable of the dashboard, or Grafana's own."""
    tree = boards.load(name)
    there = {variable["name"] for variable in tree["templating"]["list"]}
    text = json.dumps(tree)

    named = set(re.findall(r"\$\{?(\w+)", text))
    assert {one for one in named if not one.startswith("__")} <= there
