"""`python -m tinderbox.metrics`, which an executor's container starts beside Java."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

Scrape = Callable[[int], dict[str, float]]
Eventually = Callable[[Callable[[], bool], float], bool]

EXAMPLES = 'tinderbox_examples_total{kind="infer",node="node-a",run="r"}'


@contextmanager
def started(**variables: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command; it is killed when the block ends, if it has not ended by itself."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TINDERBOX_METRICS")}
    command = [sys.executable, "-m", "tinderbox.metrics"]
    with subprocess.Popen(command, env={**clean, **variables}, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_tells_of_its_pod_until_it_is_ended(
    tmp_path: Path, free_port: int, scrape: Scrape, eventually: Eventually, number: signal.Signals
) -> None:
    """Of what workers send, and of all Python processes below the one that has started it; then it clears up."""
    place = {
        "TINDERBOX_METRICS_PORT": str(free_port),
        "TINDERBOX_METRICS_SOCKET": str(tmp_path / "metrics"),
        "TINDERBOX_NODE": "node-a",
    }

    def told() -> dict[str, float]:
        try:
            return scrape(free_port)
        except OSError:
            return {}

    with started(**place) as process:
        assert eventually(lambda: bool(told()), 30), process.poll()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as worker:
            message = json.dumps([["tinderbox_examples_total", ["r", "infer"], [7]]]).encode()
            worker.sendto(message, place["TINDERBOX_METRICS_SOCKET"])
        assert eventually(lambda: told().get(EXAMPLES) == 7, 5)
        found = told()
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)
    assert found['tinderbox_pod_info{node="node-a",role="executor"}'] == 1
    assert found['tinderbox_worker_processes{node="node-a"}'] >= 2
    assert (process.returncode, errors) == (0, "")
    assert not (tmp_path / "metrics").exists()


def test_a_mistake_is_one_sentence() -> None:
    """The executor runs on without it."""
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))  # noqa: S104 - as the exporter does
        taken.listen()
        port = str(taken.getsockname()[1])
        with started(TINDERBOX_METRICS_PORT=port) as process:
            _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert errors == (
        f"tinderbox: the port of the metrics must be a free one, got {port}: Address already in use; "
        "name another one in TINDERBOX_METRICS_PORT, or none\n"
    )


def test_without_a_port_it_ends_at_once() -> None:
    """There is nothing to wait for."""
    with started() as process:
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
