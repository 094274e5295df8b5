"""Which port a worker gets, and at which address others reach it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tinderbox.errors import TinderboxError
from tinderbox.training.worker import ports
from tinderbox.training.worker.ports import HeldPort, find_host, join_address

HERE = "127.0.0.1"


def listen(host: str, port: int) -> socket.socket:
    """Return a stranger that listens at a port; connections of others may have ended lately."""
    stranger = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    stranger.bind((host, port))
    stranger.listen()
    return stranger


def test_agents_of_a_machine_have_different_ports(tmp_path: Path) -> None:
    """And may have the same again once they are let go; a worker can listen there meanwhile."""
    with HeldPort(tmp_path) as one:
        first = one.find()
        assert one.find() == first
        with HeldPort(tmp_path) as other:
            second = other.find()
            assert first != second
            assert {first, second} <= set(ports.PORTS)
            listen(HERE, second).close()
        with HeldPort(tmp_path) as other:
            assert other.find() != first


@pytest.mark.parametrize("host", [HERE, "127.0.0.2", "0.0.0.0", "::1", "::"])  # noqa: S104 - for a moment
def test_a_port_at_which_somebody_listens_is_passed_over(tmp_path: Path, host: str) -> None:
    """Whoever that is, and at whatever address: workers listen at all."""
    with HeldPort(tmp_path) as free:
        port = free.find()
    try:
        stranger = listen(host, port)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    with stranger, HeldPort(tmp_path) as other:
        assert other.find() != port


def test_a_port_that_somebody_takes_meanwhile_is_left(tmp_path: Path) -> None:
    """The next worker gets another one."""
    with HeldPort(tmp_path) as held:
        port = held.find()
        with listen("127.0.0.2", port):
            assert held.find() != port


def test_there_may_be_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are taken."""
    with HeldPort(tmp_path) as free:
        port = free.find()
    monkeypatch.setattr(ports, "PORTS", range(port, port + 1))
    with HeldPort(tmp_path) as one, HeldPort(tmp_path) as other:
        one.find()
        with pytest.raises(TinderboxError, match=f"none of the ports {port} to {port} is free for a worker"):
            other.find()


def test_the_address_is_the_one_that_reaches_the_driver() -> None:
    """The loopback one, where the driver is on this machine."""
    assert find_host("http://127.0.0.1:4040") == HERE
    assert find_host("http://[::1]:4040") == "::1"
    assert (join_address(HERE, 7100), join_address("::1", 7100)) == ("127.0.0.1:7100", "[::1]:7100")
