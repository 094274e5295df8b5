"""Which port a worker gets, and at which address others reach it."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tinderbox.errors import TinderboxError
from tinderbox.training import ports
from tinderbox.training.ports import find_host, held_port, join_address

HERE = "127.0.0.1"


def test_agents_of_a_machine_have_different_ports(tmp_path: Path) -> None:
    """And may have the same again once they are let go; a worker can listen there meanwhile."""
    with held_port(HERE, tmp_path) as first:
        with held_port(HERE, tmp_path) as second, socket.socket() as listener:
            assert first != second
            assert {first, second} <= set(ports.PORTS)
            listener.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # connections of others may have ended lately
            listener.bind((HERE, second))
        with held_port(HERE, tmp_path) as third:
            assert third != first


def test_a_port_at_which_somebody_listens_is_passed_over(tmp_path: Path) -> None:
    """Whoever that is."""
    with held_port(HERE, tmp_path) as free:
        pass
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind((HERE, free))
        stranger.listen()
        with held_port(HERE, tmp_path) as other:
            assert other != free


def test_there_may_be_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are taken."""
    with held_port(HERE, tmp_path) as free:
        pass
    monkeypatch.setattr(ports, "PORTS", range(free, free + 1))
    with ExitStack() as held:
        held.enter_context(held_port(HERE, tmp_path))
        with pytest.raises(TinderboxError, match=f"none of the ports {free} to {free} is free for a worker"):
            held.enter_context(held_port(HERE, tmp_path))


def test_the_address_is_the_one_that_reaches_the_driver() -> None:
    """The loopback one, where the driver is on this machine."""
    assert find_host("http://127.0.0.1:4040") == HERE
    assert find_host("http://[::1]:4040") == "::1"
    assert (join_address(HERE, 7100), join_address("::1", 7100)) == ("127.0.0.1:7100", "[::1]:7100")
