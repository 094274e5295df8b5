"""Studies in optuna-dashboard, over HTTP."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import urllib3

from tinderbox.errors import BadInput
from tinderbox.report import dashboard
from tinderbox.report.library import Library
from tinderbox.storage import StudyFolder
from tinderbox.sweeping.events import StudyStarted, TrialProposed, encode

REFUSED = '{"reason": "studies are only shown here, and cannot be changed"}'


@pytest.fixture
def storage(recorded: StudyFolder) -> str:
    """A storage with two studies."""
    storage = recorded.root.rpartition("/")[0]
    other = StudyFolder(storage, "other")
    other.write_job(recorded.read_job(), recorded.read_run())
    for name in recorded.names("events"):
        other.write(name, recorded.read(name))
    return storage


@pytest.fixture
def url(storage: str) -> Iterator[str]:
    """Where they are served, looked at ten times a second."""
    with dashboard.serving(Library(storage, pytest.fail), 0, every=0.1) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def ask(url: str, method: str = "GET") -> urllib3.BaseHTTPResponse:
    """Return what is answered."""
    return urllib3.request(method, url, retries=False, timeout=30)


def trials(url: str, number: int) -> list[Any]:
    """Return the trials of a study, as a page gets them."""
    found: list[Any] = ask(f"{url}/api/studies/{number}").json()["trials"]
    return found


def test_all_studies_are_served(url: str) -> None:
    """With their trials, and the page that shows them."""
    studies = ask(f"{url}/api/studies").json()["study_summaries"]
    assert [(study["study_id"], study["study_name"]) for study in studies] == [(0, "other"), (1, "small")]
    states = [trial["state"] for trial in trials(url, 1)]
    assert states == ["Complete", "Complete", "Fail", "Pruned", "Waiting"]
    assert b"<title>Optuna Dashboard</title>" in ask(f"{url}/dashboard").data


def test_new_trials_come_after_growth(
    url: str, recorded: StudyFolder, eventually: Callable[[Callable[[], bool], float], bool]
) -> None:
    """While the server runs, under the same number."""
    assert len(trials(url, 1)) == 5
    log = recorded.log()
    log.append(encode(StudyStarted(time=200, generation=2)))
    log.append(encode(TrialProposed(time=201, trial=5, parameters={"x": 1.5}, seed=7, known=0)))
    log.close()
    assert eventually(lambda: len(trials(url, 1)) == 6, 30)
    assert len(trials(url, 0)) == 5


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed(url: str, method: str) -> None:
    """Whatever the page offers, a study stays as it is recorded."""
    answer = ask(f"{url}/api/studies/1", method)
    assert (answer.status, answer.data.decode()) == (405, REFUSED)
    assert len(ask(f"{url}/api/studies").json()["study_summaries"]) == 2


@pytest.mark.parametrize("plot", ["param_importances", "plot/slice", "plot/timeline"])
def test_plots_are_made_of_the_shelf(url: str, plot: str) -> None:
    """Optuna itself draws some of them here."""
    answer = ask(f"{url}/api/studies/1/{plot}")
    assert (answer.status, list(answer.json()) != []) == (200, True)


def test_other_machines_are_not_served(url: str) -> None:
    """It listens on the loopback address only: people come by a port-forward."""
    port = int(url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), timeout=5)


def test_a_port_that_is_taken(storage: str) -> None:
    """The sentence says which."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with (
            pytest.raises(BadInput, match=rf"port {port} of 127.0.0.1 cannot be had: .* in use; give another"),
            dashboard.serving(Library(storage, pytest.fail), port),
        ):
            pytest.fail("it was lent")


def test_without_optuna_dashboard(storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says how to get it."""
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    with (
        pytest.raises(BadInput, match=r"optuna-dashboard is not installed; run pip install 'tinderbox\[console\]'"),
        dashboard.serving(Library(storage, pytest.fail), 0),
    ):
        pytest.fail("it was lent")


@pytest.mark.parametrize("given", ["0", "65536", "http", "-1", "8081.0"])
def test_a_port_that_is_none(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """Is refused with what was given."""
    monkeypatch.setenv("TINDERBOX_DASHBOARD_PORT", given)
    with pytest.raises(BadInput, match=rf"must be a number from 1 to 65535, got '{given}'"):
        dashboard.find_port()


def test_the_port_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the chart's."""
    monkeypatch.delenv("TINDERBOX_DASHBOARD_PORT", raising=False)
    assert dashboard.find_port() == 8081
    monkeypatch.setenv("TINDERBOX_DASHBOARD_PORT", "9000")
    assert dashboard.find_port() == 9000


def start(storage: str, port: int) -> subprocess.Popen[str]:
    """Start the command as the console's container does."""
    environment = os.environ | {"TINDERBOX_STORAGE": storage, "TINDERBOX_DASHBOARD_PORT": str(port)}
    command = [sys.executable, "-m", "tinderbox.report.dashboard"]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def test_the_command_serves_until_it_is_stopped(storage: str) -> None:
    """It says where, and Ctrl-C ends it without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with start(storage, port) as command:
        assert command.stderr is not None
        assert command.stderr.readline() == f"studies of {storage}: http://127.0.0.1:{port}/dashboard\n"
        assert len(json.loads(ask(f"http://127.0.0.1:{port}/api/studies").data)["study_summaries"]) == 2
        command.send_signal(signal.SIGINT)
        assert command.stderr.read() == ""
    assert command.returncode == 130


def test_the_command_refuses_storage_that_cannot_be_opened(tmp_path: Path) -> None:
    """In one sentence, with the exit code of bad input."""
    file = tmp_path / "file"
    file.touch()
    with start(str(file), 8081) as command:
        _, said = command.communicate(timeout=60)
    assert said == f"storage '{file}' must be a folder or URL, got a file; give the folder that studies are in\n"
    assert command.returncode == 2
