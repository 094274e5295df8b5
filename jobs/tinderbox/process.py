"""Supervised child processes: forked from a clean server that has the heavy imports, ended with their parent.

A fork server (Python's own) is asked for each child, because forking a process that has already run TensorFlow
hangs the child's first operation; the server has only imported it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from pathlib import Path
from types import ModuleType
from typing import Any

from tinderbox import preloading
from tinderbox.errors import TinderboxError

HEAD, TAIL = 64 << 10, 192 << 10
"""How much of a process's output is kept, in bytes: its beginning and its end."""

_OWN = (__name__, preloading.__name__, "multiprocessing.popen_forkserver")
"""What every child imports before its target, and would import after the fork."""

Target = Callable[[Connection, tuple[Any, ...]], None]


class Output:
    """What a process prints, read from its pipe as it comes, with the middle left out when it is too much."""

    def __init__(self, pipe: Connection) -> None:
        os.set_blocking(pipe.fileno(), False)
        self._pipe, self._lock, self._ended = pipe, threading.Lock(), False
        self._head, self._tail, self._dropped = bytearray(), bytearray(), 0
        threading.Thread(target=self._drain, name="output", daemon=True).start()

    def text(self) -> str:
        """Return what was kept of everything printed so far."""
        self._take()
        with self._lock:
            gap = f"\n[... {self._dropped:,} bytes left out ...]\n".encode() if self._dropped else b""
            return bytes(self._head + gap + self._tail).decode(errors="replace")

    def clear(self) -> None:
        """Forget everything printed so far: the child begins something new."""
        self._take()
        with self._lock:
            self._head, self._tail, self._dropped = bytearray(), bytearray(), 0

    def _drain(self) -> None:
        while not self._ended:
            wait([self._pipe])
            self._take()
        self._pipe.close()

    def _take(self) -> None:
        """Take in all that is in the pipe now."""
        with self._lock:
            while not self._ended:
                try:
                    block = os.read(self._pipe.fileno(), 1 << 16)
                except BlockingIOError:
                    return
                self._ended = not block
                self._keep(block)

    def _keep(self, block: bytes) -> None:
        room = HEAD - len(self._head)
        self._head += block[:room]
        self._tail += block[room:]
        excess = max(len(self._tail) - TAIL, 0)
        self._dropped += excess
        del self._tail[:excess]


class Child:
    """A running child process and the two ends of it that its parent holds.

    Raises:
        TinderboxError: The fork server has ended, by what it imports.
    """

    def __init__(self, context: ForkServerContext, target: Target, arguments: tuple[Any, ...]) -> None:
        self.connection, theirs = context.Pipe()
        ours, output = context.Pipe(duplex=False)
        self._process = context.Process(target=_run, args=(target, theirs, output, arguments), daemon=True)
        try:
            with _without_main():
                self._process.start()
        except (EOFError, ConnectionError) as error:
            raise TinderboxError(
                "no child can be started, for its fork server has ended; leave out of preload what ends a process"
            ) from error
        theirs.close()
        output.close()
        self.output = Output(ours)

    @property
    def pid(self) -> int | None:
        """The child's process id."""
        return self._process.pid

    def receive(self, timeout: float) -> Any:
        """Return the child's next message, None after `timeout` seconds without one.

        Raises:
            EOFError: The child has ended, and every message it sent was received.
        """
        if not wait([self.connection, self._process.sentinel], timeout):
            return None
        if not self.connection.poll():
            raise EOFError
        try:
            return self.connection.recv()
        except OSError as error:  # it was killed while it sent this one
            raise EOFError from error

    def send(self, message: Any) -> None:
        """Send a message; one to a child that has ended is lost, as its next `receive` will tell."""
        try:
            self.connection.send(message)
        except (BrokenPipeError, ConnectionResetError):
            return

    def end(self, grace: float = 0.0) -> int | None:
        """End the child and all it started: a request first, force after `grace` seconds; return its exit code."""
        if grace:
            self._signal(signal.SIGTERM)
            self._process.join(grace)
        self._signal(signal.SIGKILL)
        self._process.join(5)
        self.connection.close()
        return self._process.exitcode

    def kill(self) -> None:
        """Kill the child and all it started; from any thread, as the one that receives from it will see it end."""
        if self._process.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        """Signal the child's process group, which it leads once it runs, and which outlives it in what it started."""
        if self._process.pid is None:
            return
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            if self._process.exitcode is None:  # it does not lead its group yet
                self._process.kill()


class Nursery:
    """Starts children that run `target(connection, arguments)`.

    `preload` names modules that are imported once for all children, beside the target's own, those of the user from
    the folder `code`; what does not import is in `preloading.failure` of each child.
    """

    def __init__(
        self, target: Target, arguments: tuple[Any, ...], preload: Sequence[str], code: Path | None = None
    ) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([*_OWN, target.__module__])
        self._target, self._arguments = target, arguments
        self._asked = preloading.ask_for(preload, code)

    def start(self) -> Child:
        """Start a child."""
        with _server_of(self._asked):
            return Child(self._context, self._target, self._arguments)


_THREADS = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_GPUS = ("CUDA_VISIBLE_DEVICES", "TF_FORCE_GPU_ALLOW_GROWTH")

_served: tuple[str | None, ...] = ()
"""What the newest fork server was asked to import, threads and GPUs; multiprocessing has one for all children."""


@contextmanager
def _server_of(asked: str) -> Iterator[None]:
    """Have a fork server that was asked for these modules: one of an earlier study has others, or older code."""
    global _served
    wanted = (asked, *(os.environ.get(variable) for variable in (*_THREADS, *_GPUS)))
    if wanted != _served and not multiprocessing.active_children():  # it would wait for them
        forkserver._forkserver._stop()  # type: ignore[attr-defined]  # there is no public way
        _served = wanted
    os.environ[preloading.ASKED] = asked
    try:
        yield
    finally:
        del os.environ[preloading.ASKED]


def set_threads(cores: int) -> None:
    """Give TensorFlow and the numerical libraries of children to come as many threads as a slot has cores."""
    for variable in _THREADS:
        os.environ[variable] = str(cores)
    os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def set_gpus(addresses: Sequence[str]) -> None:
    """Show children to come these GPUs and no others, where there are any.

    TensorFlow takes a GPU's memory as it needs it, so that slots may share one. No GPU was at hand to try it on.
    """
    if addresses:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(addresses)
        os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide `__main__`, or each child would import it again: half a second where it is Spark's worker."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _run(target: Target, connection: Connection, output: Connection, arguments: tuple[Any, ...]) -> None:
    """Run the target in the child: own process group, output to the pipe, ended at once when the parent ends."""
    os.setsid()
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    output.close()
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115 - the stream outlives this function
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    target(connection, arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    # Leave without TensorFlow's own clean-up: nothing is left to save, and the next trial waits for the cores.
    os._exit(0)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
    os.killpg(0, signal.SIGKILL)
