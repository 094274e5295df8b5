"""The command."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from monitoring.preview import __main__ as preview

if TYPE_CHECKING:
    from tests.monitoring.preview.conftest import Fake

Write = Callable[..., Path]
ROOT = Path(__file__).parents[3]
NODE = {"name": "node", "type": "query", "query": "label_values(up, node)"}


@pytest.fixture
def run(prometheus: Fake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """A function that draws dashboards, and returns the exit code and what was said."""

    def command(boards: Path, *arguments: str) -> tuple[int, str, str]:
        code = preview.main([prometheus.url, str(tmp_path / "drawn"), *arguments], boards)
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def test_a_page_and_a_picture_for_each_dashboard(
    prometheus: Fake, run: Any, write_board: Write, tmp_path: Path
) -> None:
    """And how many panels, errors and gaps there are."""
    prometheus.series["up"] = [({}, 1.0)]
    folder = write_board({}, {"targets": []}, {"type": "row", "targets": []})
    assert run(folder) == (0, "small, Panel 1: no data\nsmall: 2 panels, 0 errors, 1 without data\n", "")
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["small.html", "small.png"]


def test_failures_are_listed(prometheus: Fake, run: Any, write_board: Write, tmp_path: Path) -> None:
    """With exit code 1; the others are drawn."""
    prometheus.errors["up"] = "parse error"
    folder = write_board({}, variables=[NODE | {"query": "names()"}])
    code, said, _ = run(folder)
    assert (code, said.splitlines()) == (
        1,
        [
            "small, variable node: the query of variable 'node' must be label_values(...), got 'names()'",
            "small, Panel 0: A: parse error",
            "small: 1 panels, 2 errors, 0 without data",
        ],
    )
    assert (tmp_path / "drawn" / "small.png").exists()


def test_variables_and_times(prometheus: Fake, run: Any, write_board: Write) -> None:
    """As they are given; a time may begin with a dash."""
    folder = write_board({"targets": [{"refId": "A", "expr": 'up{node="$node"}', "range": True}]}, variables=[NODE])
    times = ("--from", "1800000000", "--to", "1800000600", "--scrape", "30s")
    assert run(folder, "--set", "node=z", "--dashboard", "small", *times)[0] == 0
    assert prometheus.asked == [
        {
            "path": "/api/v1/query_range",
            "query": 'up{node="z"}',
            "start": "1800000000.000",
            "end": "1800000600.000",
            "step": "30",
        }
    ]
    assert run(folder, "--from", "-10m", "--to=-5m")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--set", "nod=z"], "--set takes one of node as NAME=VALUE, got 'nod=z'\n"),
        (["--set", "node"], "--set takes one of node as NAME=VALUE, got 'node'\n"),
        (["--dashboard", "big"], "--dashboard must be one of small, got 'big'\n"),
        (["--from", "soon"], "a time is now, -30m, or Unix seconds, got 'soon'\n"),
    ],
)
def test_mistakes_cost_a_sentence(run: Any, write_board: Write, arguments: list[str], sentence: str) -> None:
    """And exit code 2; nobody is asked."""
    assert run(write_board({}, variables=[NODE]), *arguments) == (2, "", sentence)


def test_a_server_that_does_not_answer(write_board: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, not one for each panel."""
    assert preview.main(["http://127.0.0.1:1", str(tmp_path)], write_board({})) == 2
    assert capsys.readouterr().err.startswith("http://127.0.0.1:1 must be a Prometheus, and does not answer as one: ")


def test_a_folder_that_cannot_be_made(prometheus: Fake, write_board: Write, tmp_path: Path) -> None:
    """Is exit code 2."""
    (tmp_path / "file").touch()
    assert preview.main([prometheus.url, str(tmp_path / "file" / "below")], write_board({})) == 2


def test_make_preview_needs_a_prometheus() -> None:
    """The sentence says how it is given."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PROMETHEUS", "MAKEFLAGS")}
    command = ["make", "--assume-old=.venv/installed", "preview"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith(
        "make preview needs the URL of a Prometheus: make preview PROMETHEUS=http://localhost:9090\n"
    )


def test_the_real_dashboards_are_drawn(prometheus: Fake, run: Any, tmp_path: Path) -> None:
    """Every panel, with nothing that is not known here."""
    labels = {"trial": "1", "parameter": "x", "metric": "loss", "run": "digits", "pod": "digits-driver", "mode": "m"}
    prometheus.always = [({"node": "a", **labels}, 1.0), ({"node": "b", **labels, "trial": "2"}, 2.0)]
    code, said, _ = run(preview.FOLDER)
    assert (code, [line for line in said.splitlines() if " 0 errors, 0 without data" not in line]) == (0, [])
    assert len(list((tmp_path / "drawn").glob("*.png"))) == 5
