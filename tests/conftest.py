"""What tests of all kinds share: processes that can be counted, and no silent skips where all is to run."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

_TAG = "TINDERBOX_TEST_RUN"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail what would be skipped where TINDERBOX_NO_SKIP is set."""
    report = yield
    if report.skipped and os.environ.get("TINDERBOX_NO_SKIP"):
        report.outcome = "failed"
    return report


@pytest.fixture(scope="session")
def processes() -> Iterator[Callable[[], dict[int, str]]]:
    """A function that returns pids and commands of all that was started since, orphans too: they inherit a tag."""
    tag = os.environ[_TAG] = uuid.uuid4().hex
    yield lambda: _tagged(f"{_TAG}={tag}".encode())
    del os.environ[_TAG]


def _tagged(tag: bytes) -> dict[int, str]:
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if tag in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except OSError:  # it has ended meanwhile
            continue
    return {pid: command for pid, command in found.items() if command}  # a zombie has no command


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], bool], float], bool]:
    """A function that returns whether a condition comes true within so many seconds."""

    def wait(condition: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not (met := condition()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return met

    return wait
