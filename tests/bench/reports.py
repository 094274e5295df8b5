"""Reports per second through decision and log, synced to the disk, beside the same through Optuna's journal."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.bench.rows import Row, quantile, ratios, spread
from tests.bench.studies import plan_study, served
from tinderbox.sweeping.client import Client
from tinderbox.sweeping.messages import Ask, Finish, Report

if TYPE_CHECKING:
    import optuna

GOAL = 1.07  # 1,500 a second where the journal does 1,400
CLIENTS = 8
EPOCHS = 400
REPETITIONS = 3


def measure() -> list[Row]:
    """Measure both with the same processes, in turns."""
    ours, theirs = list[float](), list[float]()
    with TemporaryDirectory(prefix="tinderbox-bench-") as scratch, opened_clients() as clients:
        for repetition in range(REPETITIONS):
            folder = Path(scratch) / str(repetition)
            plan = plan_study("nothing", {}, epochs=EPOCHS, budget={"trials": CLIENTS})
            with served(plan, folder) as study:
                ours.append(rate(clients, ("tinderbox", study.url, study.token)))
            journal = folder / "optuna.log"
            _optuna_study(journal, create=True)
            theirs.append(rate(clients, ("optuna", str(journal), "")))
    return [
        Row(
            f"reports from {CLIENTS} processes, decided and synced",
            spread(ours, "a second"),
            f"Optuna's journal, report and should_prune: {spread(theirs, 'a second')}",
            spread(ratios(ours, theirs), "x", 2),
            f">= {GOAL} x",
            quantile(ratios(ours, theirs), 0.5) >= GOAL,
        )
    ]


def rate(clients: list[Connection], where: tuple[str, str, str]) -> float:
    """Let all clients report at once and return their reports per second, from the first to the last of them."""
    for client in clients:
        client.send(where)
    times = [client.recv() for client in clients]
    return CLIENTS * EPOCHS / (max(end for _, end in times) - min(begin for begin, _ in times))


@contextmanager
def opened_clients() -> Iterator[list[Connection]]:
    """Keep the client processes until the block ends, for they take seconds to start."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(CLIENTS)
    pipes = [context.Pipe() for _ in range(CLIENTS)]
    processes = [
        context.Process(target=_report_on_demand, args=(number, theirs, barrier))
        for number, (_, theirs) in enumerate(pipes)
    ]
    for process, (_, theirs) in zip(processes, pipes, strict=True):
        process.start()
        theirs.close()
    try:
        yield [connection for connection, _ in pipes]
    finally:
        for connection, _ in pipes:
            connection.close()
        for process in processes:
            process.join()


def _report_on_demand(number: int, connection: Connection, barrier: Barrier) -> None:
    sides = {"tinderbox": _report_to_us, "optuna": _report_to_optuna}
    while True:
        try:
            side, place, token = connection.recv()
        except EOFError:
            return
        connection.send(sides[side](f"slot-{number}", place, token, barrier))


def _report_to_us(slot: str, url: str, token: str, barrier: Barrier) -> tuple[float, float]:
    client = Client(url, token)
    lease = client.lease(Ask(slot=slot, node="here", request=0)).lease
    if lease is None:
        raise RuntimeError(f"there was no trial for {slot}")
    barrier.wait()
    begin = time.monotonic()
    for epoch in range(1, EPOCHS + 1):
        client.report(lease.trial, Report(slot=slot, attempt=lease.attempt, epoch=epoch, metrics={"loss": 1 / epoch}))
    end = time.monotonic()
    ask = Ask(slot=slot, node="here", request=1)
    client.finish(lease.trial, Finish(ask=ask, attempt=lease.attempt, outcome="complete"))
    return begin, end


def _report_to_optuna(slot: str, journal: str, _: str, barrier: Barrier) -> tuple[float, float]:
    trial = _optuna_study(Path(journal)).ask()
    barrier.wait()
    begin = time.monotonic()
    for epoch in range(1, EPOCHS + 1):
        trial.report(1 / epoch, epoch)
        trial.should_prune()
    return begin, time.monotonic()


def _optuna_study(journal: Path, create: bool = False) -> optuna.Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(journal)))
    if create:
        return optuna.create_study(storage=storage, study_name="bench")
    return optuna.load_study(storage=storage, study_name="bench")
