"""Studies to measure: a job, its server in this process, and its slots in another one, without Spark."""

from __future__ import annotations

import multiprocessing
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from tinderbox.api.opening import opened_server
from tinderbox.api.plan import Plan, make_plan
from tinderbox.config import check_sweep
from tinderbox.data import from_arrays, pack, unpack
from tinderbox.metrics.meter import Meter
from tinderbox.process import set_threads
from tinderbox.storage import StudyFolder
from tinderbox.sweeping.child import Work
from tinderbox.sweeping.client import Client
from tinderbox.sweeping.events import AttemptEnded, AttemptStarted, Event, Reported, TrialProposed, encode
from tinderbox.sweeping.slot import Settings, Slot

HERE = Path(__file__).parent
PRELOAD = ("tensorflow", "keras")
HOST = "127.0.0.1"


def plan_study(function: str, fixed: dict[str, Any], **options: Any) -> Plan:
    """Return the plan of a study of one function of this bench, over x and some values that do not vary."""
    parameters = {name: {"type": "choice", "choices": [value]} for name, value in fixed.items()}
    tree = {
        "kind": "sweep",
        "name": "bench",
        "objective": f"functions:{function}",
        "code": ".",
        "metric": {"name": "loss", "direction": "minimize"},
        "parameters": {
            "x": {"type": "float", "low": 0, "high": 1, "grid": 10_100},
            "lr": {"type": "float", "low": 1e-4, "high": 1, "log": True, "grid": [0.1]},
            **parameters,
        },
        "search": "random",
        "epochs": 1,
        **options,
    }
    rng = np.random.default_rng(0)
    data = {"x": rng.random((1600, 8, 8), dtype=np.float32), "y": rng.integers(0, 10, 1600)}
    return make_plan(check_sweep(tree, "the bench"), HERE, data=from_arrays(data))


def finished(plan: Plan, count: int) -> list[Event]:
    """Return the events of trials that have all run to their end, with a loss that learning can lower."""
    events: list[Event] = []
    rng = np.random.default_rng(0)
    fixed = {
        name: parameter.choices[0] for name, parameter in plan.job.parameters.items() if parameter.type == "choice"
    }
    for number, (x, lr) in enumerate(rng.random((count, 2)).tolist()):
        parameters = {"x": x, "lr": 10 ** (-4 * lr), **fixed}
        metrics = {"loss": (x - 0.3) ** 2 + lr}
        events += [
            TrialProposed(time=0.0, trial=number, parameters=parameters, seed=number, known=number),
            AttemptStarted(time=0.0, trial=number, attempt=1, slot="slot-0", node="here"),
            Reported(time=0.0, trial=number, attempt=1, epoch=1, metrics=metrics),
            AttemptEnded(time=0.0, trial=number, attempt=1, outcome="complete"),
        ]
    return events


@dataclass(frozen=True)
class Open:
    """A study that is being served, and where."""

    plan: Plan
    url: str
    token: str


@contextmanager
def served(plan: Plan, folder: Path, history: int = 0) -> Iterator[Open]:
    """Serve a study from this process until the block ends; `history` trials have ended before."""
    study, token = StudyFolder(str(folder), "bench"), secrets.token_urlsafe()
    if history:
        log = study.log()
        log.append(b"".join(map(encode, finished(plan, history))))
        log.close()
    with opened_server(plan, study, token) as server:
        yield Open(plan, f"http://{HOST}:{server.start(HOST)}", token)
        server.call(lambda coordinator: coordinator.close(time.time()))


class SlotHost:
    """A process that runs one slot after the other, as an executor's Python worker does, with one fork server."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_host, args=(theirs,))
        self._process.start()
        theirs.close()

    def run(self, study: Open, exporter: str | None = None) -> int:
        """Run a slot until its study is over and return how many trials it ran; `exporter` is the socket of one."""
        plan = study.plan
        code, data = self._scratch / plan.objective.digest[:16], self._scratch / "data"
        plan.objective.unpack(code)
        unpack(lambda: pack(plan.data), data)
        work = Work(plan.objective, plan.job.reported, code, data, plan.job.isolation == "reuse")
        self._connection.send((work, study.url, study.token, exporter))
        attempts: int = self._connection.recv()
        return attempts

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.join()


def _host(connection: Connection) -> None:
    set_threads(1)
    while True:
        try:
            work, url, token, exporter = connection.recv()
        except EOFError:
            return
        meter = Meter("bench", exporter)
        connection.send(Slot(Settings("slot-0", "here", PRELOAD), work, Client(url, token), meter=meter).run())
