"""Real child processes: what they say, how they end, and that nothing outlives them."""

from __future__ import annotations

import importlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import pytest

from tinderbox import preloading
from tinderbox.errors import TinderboxError
from tinderbox.process import HEAD, TAIL, Child, Nursery, Output, set_gpus, set_threads

Eventually = Callable[[Callable[[], bool], float], bool]

TARGETS = """
import os, signal, struct, subprocess, sys, time
from tinderbox import preloading

def echo(connection, arguments):
    print("to stdout")
    print("to stderr", file=sys.stderr)
    os.system("echo from a command")
    connection.send((os.getpid(), os.getpgrp(), *arguments))
    connection.send(connection.recv())

def fail(connection, arguments):
    raise ValueError("no good")

def leave(connection, arguments):
    connection.send("leaving")
    os._exit(7)

def stutter(connection, arguments):
    os.write(connection.fileno(), struct.pack("!i", 1000) + b"half a message")
    os._exit(0)

def obey(connection, arguments):
    signal.signal(signal.SIGTERM, lambda *_: os._exit(5))
    connection.send("ready")
    time.sleep(60)

def show(connection, arguments):
    connection.send((os.getppid(), [os.environ.get(name) for name in arguments]))

def look(connection, arguments):
    there = [getattr(sys.modules.get(name), "VALUE", None) for name in arguments]
    connection.send((os.getppid(), there, preloading.failure))

def breed(connection, arguments):
    connection.send(subprocess.Popen(["sleep", "60"]).pid)
"""


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return a module that children can import."""
    folder = tmp_path_factory.mktemp("targets")
    (folder / "process_targets.py").write_text(TARGETS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield importlib.import_module("process_targets")


@pytest.fixture
def start(targets: Any) -> Iterator[Callable[..., Child]]:
    """Return a function that starts a child; none is left after the test."""
    children = []

    def begin(name: str, *arguments: Any) -> Child:
        # The fork server is shared by all tests, so it is given what the others need, too.
        children.append(Nursery(getattr(targets, name), arguments, ["tinderbox.sweeping.child"]).start())
        return children[-1]

    yield begin
    for child in children:
        child.end()


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_child_talks_and_prints(start: Callable[..., Child]) -> None:
    """Messages go both ways, prints of all kinds are kept, it leads its own group, and it ends with 0."""
    child = start("echo", "argument", 5)
    assert child.receive(20) == (child.pid, child.pid, "argument", 5)
    assert child.receive(0.01) is None
    child.send({"a": 1})
    assert child.receive(20) == {"a": 1}
    with pytest.raises(EOFError):
        child.receive(20)
    assert sorted(child.output.text().splitlines()) == ["from a command", "to stderr", "to stdout"]
    child.output.clear()
    assert child.output.text() == ""
    assert child.end() == 0


def test_a_child_that_raises(start: Callable[..., Child]) -> None:
    """It ends with 1, and its traceback is in its output."""
    child = start("fail")
    with pytest.raises(EOFError):
        child.receive(20)
    assert "ValueError: no good" in child.output.text()
    assert child.end() == 1


def test_a_child_that_leaves(start: Callable[..., Child]) -> None:
    """What it sent before arrives, and the exit code is its own; a message to it is lost without a word."""
    child = start("leave")
    assert child.receive(20) == "leaving"
    with pytest.raises(EOFError):
        child.receive(20)
    child.send("too late")
    assert child.end() == 7
    assert child.end() == 7


def test_a_child_that_is_killed_in_the_middle_of_a_message(start: Callable[..., Child]) -> None:
    """Half a message is none."""
    child = start("stutter")
    with pytest.raises(EOFError):
        child.receive(20)


def test_a_child_is_asked_before_it_is_killed(start: Callable[..., Child]) -> None:
    """With a grace it may end by itself, without one it is killed at once."""
    polite, rude = start("obey"), start("obey")
    assert (polite.receive(20), rude.receive(20)) == ("ready", "ready")
    assert polite.end(grace=10) == 5
    began = time.monotonic()
    assert rude.end() == -signal.SIGKILL
    assert time.monotonic() - began < 2


def test_a_child_is_killed_while_its_messages_are_awaited(start: Callable[..., Child]) -> None:
    """Another thread may do it, at once and again; the one that waits sees its end."""
    child = start("obey")
    assert child.receive(20) == "ready"
    threading.Timer(0.2, child.kill).start()
    with pytest.raises(EOFError):
        child.receive(20)
    child.kill()
    assert child.end() == -signal.SIGKILL


def test_what_a_child_started_ends_with_it(start: Callable[..., Child], eventually: Eventually) -> None:
    """Even when the child itself has long ended."""
    child = start("breed")
    grandchild = child.receive(20)
    with pytest.raises(EOFError):
        child.receive(20)
    assert eventually(lambda: not Path(f"/proc/{child.pid}").exists(), 5)
    time.sleep(0.1)  # until its exit code is known, too
    assert is_alive(grandchild)
    child.end()
    assert eventually(lambda: not is_alive(grandchild), 5)


def test_output_keeps_its_beginning_and_its_end() -> None:
    """What is too much is left out in the middle, with its size."""
    ours, theirs = Pipe(duplex=False)
    output = Output(ours)
    everything = b"".join(b"line %06d\n" % number for number in range(50_000))
    written = 0
    while written < len(everything):
        written += os.write(theirs.fileno(), everything[written : written + 50_000])
    theirs.close()
    text = output.text()
    gap = f"\n[... {len(everything) - HEAD - TAIL:,} bytes left out ...]\n"
    assert text == everything[:HEAD].decode() + gap + everything[-TAIL:].decode()


def test_output_that_just_fits_is_whole() -> None:
    """The edge, and bytes that are no text."""
    ours, theirs = Pipe(duplex=False)
    output = Output(ours)
    everything = b"x" * (HEAD + TAIL - 1) + b"\xff"
    written = 0
    while written < len(everything):
        written += os.write(theirs.fileno(), everything[written : written + 50_000])
    assert output.text() == "x" * (HEAD + TAIL - 1) + "\N{REPLACEMENT CHARACTER}"
    theirs.close()


def test_threads_of_children_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each numerical library is told; what the user said about TensorFlow's log stays."""
    names = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    for name in (*names, "TF_NUM_INTEROP_THREADS"):
        monkeypatch.setenv(name, "99")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    set_threads(3)
    assert [os.environ[name] for name in names] == ["3"] * 4
    assert (os.environ["TF_NUM_INTEROP_THREADS"], os.environ["TF_CPP_MIN_LOG_LEVEL"]) == ("1", "0")


def test_gpus_and_threads_of_children_to_come(targets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fork server has what it was started with, so other GPUs, or threads, get another one; the same need none."""
    for name in ("CUDA_VISIBLE_DEVICES", "TF_FORCE_GPU_ALLOW_GROWTH", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "as before")

    def see() -> tuple[int, list[str | None]]:
        names = ("CUDA_VISIBLE_DEVICES", "TF_FORCE_GPU_ALLOW_GROWTH", "OMP_NUM_THREADS")
        child = Nursery(targets.show, names, []).start()
        try:
            seen: tuple[int, list[str | None]] = child.receive(20)
        finally:
            child.end()
        return seen

    set_gpus([])
    assert see()[1] == ["as before"] * 3
    set_gpus(["2", "3"])
    first = see()
    assert first[1] == ["2,3", "true", "as before"]
    assert see() == first
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    other = see()
    assert other[1] == ["2,3", "true", "4"]
    assert other[0] != first[0]


Look = Callable[..., tuple[int, list[object], str]]


@pytest.fixture
def look(targets: Any) -> Look:
    """Return a function that starts a child, and gives its fork server, VALUE of modules there, and what failed."""

    def see(preload: list[str], code: Path | None = None) -> tuple[int, list[object], str]:
        child = Nursery(targets.look, tuple(preload), preload, code).start()
        try:
            seen: tuple[int, list[object], str] = child.receive(20)
        finally:
            child.end()
        return seen

    return see


def test_modules_of_the_user_are_preloaded(look: Look, tmp_path: Path) -> None:
    """Once for all children, from the folder of code, packages too; another folder has another fork server."""
    for folder, value in (("one", 1), ("two", 2)):
        (tmp_path / folder / "shared").mkdir(parents=True)
        (tmp_path / folder / "shared" / "__init__.py").write_text("from early import VALUE\n")
        (tmp_path / folder / "early.py").write_text(f"VALUE = {value}\n")
    first = look(["early", "shared"], tmp_path / "one")
    assert first[1:] == ([1, 1], "")
    assert look(["early", "shared"], tmp_path / "one") == first
    other = look(["early", "shared"], tmp_path / "two")
    assert other[1:] == ([2, 2], "")
    assert other[0] != first[0]


def test_a_folder_that_nothing_is_preloaded_from(look: Look, tmp_path: Path) -> None:
    """The fork server that runs will do: it may have imported TensorFlow, which takes seconds."""
    assert look(["json"], tmp_path) == look(["json"], None)


@pytest.mark.parametrize(
    ("source", "failure"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import no_such", "ModuleNotFoundError: No module named 'no_such'"),
        ("raise SystemExit(0)", "SystemExit: 0"),
    ],
)
def test_a_module_that_cannot_be_preloaded(look: Look, tmp_path: Path, source: str, failure: str) -> None:
    """Each child knows why, and the fork server lives."""
    (tmp_path / "early.py").write_text(f"{source}\n")
    server, there, told = look(["early"], tmp_path)
    assert (there, told) == ([None], f"preload: module early does not import: {failure}")
    assert look(["early"], tmp_path)[0] == server


def test_a_module_that_ends_the_fork_server(look: Look, tmp_path: Path) -> None:
    """A sentence says where to look, and the next fork server is as good as any."""
    (tmp_path / "early.py").write_text("import os\nos._exit(3)\n")
    with pytest.raises(TinderboxError, match=r"^no child can be started, for its fork server has ended; leave out of"):
        look(["early"], tmp_path)
    assert look([])[1:] == ([], "")


def test_what_is_asked_of_the_fork_server_is_asked_of_nobody_else(look: Look) -> None:
    """Neither this process nor what it starts later finds it in its environment."""
    look(["json"])
    assert preloading.ASKED not in os.environ
