"""A container's limit and kills on folders that look like control groups, and what real processes hold."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tinderbox.memory import anonymous, bound, count_kills, find_limit, find_use, held, parent, python_sizes

MakeGroup = Callable[[dict[str, str]], Path]

HOLD = """
import os, sys
os.setpgrp()
shared = bytearray(os.urandom(1 << 20)) * 64
if os.fork() == 0:
    own = bytearray(os.urandom(1 << 20)) * 64
    print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def make_group(tmp_path: Path) -> MakeGroup:
    """A function that writes the files of a control group."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"memory.max": "3221225472\n"}, 3 << 30),
        ({"memory.max": "max\n"}, None),
        ({"memory/memory.limit_in_bytes": "3221225472\n"}, 3 << 30),
        ({"memory/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ({"cgroup.controllers": "memory\n"}, None),
        ({}, None),
    ],
)
def test_the_limit_of_a_container(make_group: MakeGroup, files: dict[str, str], limit: int | None) -> None:
    """Both versions of control groups have one; what writes none, or is no container, has none."""
    assert find_limit(make_group(files)) == limit


@pytest.mark.parametrize(
    ("files", "kills"),
    [
        ({"memory.events": "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n"}, 2),
        ({"memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"}, 5),
        ({"memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\n"}, 0),
        ({}, 0),
    ],
)
def test_kills_of_the_kernel_are_counted(make_group: MakeGroup, files: dict[str, str], kills: int) -> None:
    """As both versions write them; an old kernel counts none."""
    assert count_kills(make_group(files)) == kills


@pytest.mark.parametrize(
    ("files", "used"),
    [
        ({"memory.current": "500\n", "memory.stat": "anon 300\ninactive_file 150\n"}, 350),
        ({"memory.current": "100\n", "memory.stat": "inactive_file 150\n"}, 0),
        ({"memory.current": "100\n", "memory.stat": "anon 90\n"}, 100),
        (
            {
                "memory/memory.usage_in_bytes": "500\n",
                "memory/memory.stat": "inactive_file 9\ntotal_inactive_file 200\n",
            },
            300,
        ),
        ({"memory.current": "500\n"}, None),
        ({}, None),
    ],
)
def test_what_counts_against_the_limit(make_group: MakeGroup, files: dict[str, str], used: int | None) -> None:
    """As the kernel sees it, which would give the file cache up first; both numbers are read one after the other."""
    assert find_use(make_group(files)) == used


def test_python_processes_of_a_tree() -> None:
    """The one at the top and those below it, but nothing else that they run; none of one that has ended."""
    script = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'print(flush=True); input()'], stdin=-1, stdout=-1)\n"
        "other = subprocess.Popen(['sleep', '60'])\n"
        "child.stdout.readline(); print(flush=True); input()\n"
        "child.communicate(b'x'); other.kill(); other.wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        sizes = list(python_sizes(process.pid))
        process.communicate(b"x\n")
    assert len(sizes) == 2
    assert all(1 << 20 < size < 100 << 20 for size in sizes)
    assert list(python_sizes(process.pid)) == []


def test_pages_of_a_file_are_not_held(tmp_path: Path) -> None:
    """A data set that is mapped is not: the kernel gives its pages up before it kills."""
    path = tmp_path / "data"
    path.write_bytes(bytes(64 << 20))
    script = (
        "import mmap, os, sys; os.setpgrp(); file = open(sys.argv[1], 'rb');"
        "mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ); sum(mapped[::4096]); print(flush=True);"
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert 1 << 20 < held(process.pid) < 32 << 20 < bound(process.pid) - (32 << 20)
        process.communicate()


def test_what_a_group_holds() -> None:
    """All its processes count, pages that two of them share do not; the bound is beyond that."""
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        assert 64 << 20 < held(process.pid) < 100 << 20
        assert bound(process.pid) > 3 * (64 << 20)
        assert 64 << 20 < anonymous(process.pid) < 100 << 20
        assert parent(process.pid) == os.getpid()
    finally:
        process.communicate()
    assert (held(process.pid), bound(process.pid), anonymous(process.pid), parent(process.pid)) == (0, 0, 0, 0)
