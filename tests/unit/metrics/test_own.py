"""A process's own exporter: there where the environment asks for it, and nothing at all elsewhere."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tinderbox.errors import BadInput
from tinderbox.metrics.meter import SOCKET_VARIABLE
from tinderbox.metrics.own import LINGER_VARIABLE, PORT_VARIABLE, opened_exporter

Scrape = Callable[[int], dict[str, float]]


@pytest.fixture(autouse=True)
def nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that asks for nothing."""
    for variable in (PORT_VARIABLE, LINGER_VARIABLE, SOCKET_VARIABLE, "TINDERBOX_NODE"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize("port", [None, ""])
def test_without_a_port_there_is_nothing(monkeypatch: pytest.MonkeyPatch, port: str | None) -> None:
    """No socket, no thread, and no worker that sends anything."""
    if port is not None:
        monkeypatch.setenv(PORT_VARIABLE, port)
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("nobody has asked"))
    before = set(threading.enumerate())
    with opened_exporter("driver") as exporter:
        assert not exporter.is_open
        assert SOCKET_VARIABLE not in os.environ
        assert set(threading.enumerate()) == before
        exporter.linger()


def test_workers_find_the_socket(monkeypatch: pytest.MonkeyPatch, free_port: int, scrape: Scrape) -> None:
    """In the environment, while there is one, in a folder of its own that is removed; the pod is told."""
    monkeypatch.setenv(PORT_VARIABLE, str(free_port))
    monkeypatch.setenv("TINDERBOX_NODE", "node-a")
    with opened_exporter("driver") as exporter:
        path = Path(os.environ[SOCKET_VARIABLE])
        assert path.is_socket()
        told = scrape(free_port)
        assert exporter.is_open
    assert not path.parent.exists()
    assert SOCKET_VARIABLE not in os.environ
    assert told['tinderbox_pod_info{node="node-a",role="driver"}'] == 1
    assert told['tinderbox_worker_processes{node="node-a"}'] >= 1
    assert told['tinderbox_worker_resident_bytes{node="node-a"}'] > 10 << 20


@pytest.mark.parametrize("role", ["executor", "console"])
def test_the_place_of_the_socket_may_be_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free_port: int, scrape: Scrape, role: str
) -> None:
    """Workers that another process starts know it, too; the name stays. A node without a name has the machine's."""
    monkeypatch.setenv(PORT_VARIABLE, str(free_port))
    monkeypatch.setenv(SOCKET_VARIABLE, str(tmp_path / "metrics"))
    with opened_exporter(role):  # type: ignore[arg-type]  # one of the literals
        assert (tmp_path / "metrics").is_socket()
        told = scrape(free_port)
    assert os.environ[SOCKET_VARIABLE] == str(tmp_path / "metrics")
    assert not (tmp_path / "metrics").exists()
    assert told[f'tinderbox_pod_info{{node="{socket.gethostname()}",role="{role}"}}'] == 1


def test_a_socket_without_a_name_is_none(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    """A variable that is set to nothing is as one that is not set, before and after."""
    monkeypatch.setenv(PORT_VARIABLE, str(free_port))
    monkeypatch.setenv(SOCKET_VARIABLE, "")
    with opened_exporter("driver"):
        assert Path(os.environ[SOCKET_VARIABLE]).is_socket()
    assert os.environ[SOCKET_VARIABLE] == ""


@pytest.mark.parametrize("variable", [PORT_VARIABLE, LINGER_VARIABLE])
@pytest.mark.parametrize("text", ["metrics", "-1", "9095.5", " ", "tcp://10.0.0.1:9095"])
def test_what_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    """The last one is what Kubernetes itself sets for a service of an unlucky name."""
    monkeypatch.setenv(variable, text)
    with pytest.raises(BadInput) as refusal, opened_exporter("driver"):
        raise AssertionError
    assert str(refusal.value) == f"{variable} must be a whole number, got {text!r}; give one, or leave it out"


def test_a_driver_waits_for_so_many_seconds(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    """As the environment says; not at all where it says nothing."""
    monkeypatch.setenv(PORT_VARIABLE, str(free_port))
    with opened_exporter("driver") as exporter:
        assert exporter._patience == 0
    monkeypatch.setenv(LINGER_VARIABLE, "30")
    with opened_exporter("driver") as exporter:
        assert exporter._patience == 30
