"""What the metrics cost: a scrape after many trials, and the throughput of training with them on."""

from __future__ import annotations

import statistics
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from tests.bench.asks import study_of
from tests.bench.functions import BATCH
from tests.bench.rows import Row, quantile, ratios, spread
from tests.bench.studies import SlotHost, plan_study, served
from tinderbox.api.result import open_study
from tinderbox.checkpoint import Save
from tinderbox.data.dataset import Dataset
from tinderbox.metrics.catalogue import EXAMPLES, STEP_SECONDS
from tinderbox.metrics.exporter import Exporter
from tinderbox.metrics.meter import Meter
from tinderbox.sweeping.child import Counted
from tinderbox.sweeping.measures import Measures
from tinderbox.sweeping.messages import Decision, Lease
from tinderbox.sweeping.status import take_status
from tinderbox.sweeping.tally import TELL_SECONDS, Tally
from tinderbox.sweeping.trial import Trial

FEW, MANY = 500, 5_000
SCRAPES = 30
EPOCHS, REPETITIONS = 40, 15
SCRAPE_SECONDS = 1.0
CALLS, MESSAGES = 200_000, 2_000
FLAT, MOST = 1.3, 0.01


def measure() -> list[Row]:
    """Measure all of it."""
    with TemporaryDirectory(prefix="tinderbox-bench-") as scratch:
        row, rate = training(Path(scratch))
        return [flat(Path(scratch)), share(Path(scratch), rate), row]


def flat(scratch: Path) -> Row:
    """Return the row of a whole scrape, over HTTP, of a long study against a short one."""
    found = [[scrape_time(scratch, history) for _ in range(3)] for history in (FEW, MANY)]
    growth = statistics.median(found[1]) / statistics.median(found[0])
    return Row(
        f"a scrape after {MANY:,} trials",
        spread(found[1], "ms", 1),
        f"after {FEW:,}: {spread(found[0], 'ms', 1)}",
        f"{growth:.2f}x",
        f"<= {FLAT}x",
        growth <= FLAT,
    )


def scrape_time(scratch: Path, history: int) -> float:
    """Return the milliseconds of one scrape of a study in which so many trials have ended."""
    plan = plan_study("nothing", {}, search="random", budget={"trials": 200_000})
    study = study_of(plan, history)
    measures, exporter = Measures(study, plan.job), Exporter("here")

    def look() -> list[object]:
        return list(measures.take(take_status(study, None, None, 1, 0.0)))

    with exporter.asking(look), exporter.serving(0, scratch / "metrics") as port:  # type: ignore[arg-type]
        times = []
        for _ in range(SCRAPES):
            begin = time.perf_counter()
            scrape(port)
            times.append(1e3 * (time.perf_counter() - begin))
    return quantile(times, 0.5)


def scrape(port: int) -> None:
    """Read all metrics, as Prometheus does."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        answer.read()


def share(scratch: Path, epochs: float) -> Row:
    """Return the row of what all parts of the metrics take together, of training at a rate of so many epochs a second.

    The whole is too small to be seen in the time of a fit, which varies more than that from one to the next.
    """
    steps = epochs * len(training_data().train) / BATCH
    of_steps, of_messages = steps * step_cost(), message_cost(scratch) / TELL_SECONDS
    of_scrapes = 1e-3 * scrape_time(scratch, MANY) / 15
    whole = of_steps + of_messages + of_scrapes
    return Row(
        f"the metrics' share of a core, training at {steps:,.0f} steps/s, {MANY:,} trials, scraped every 15 s",
        f"{whole:.2%}",
        f"steps {of_steps:.2%}, messages {of_messages:.2%}, scrapes {of_scrapes:.2%}",
        goal=f"<= {MOST:.0%}",
        met=whole <= MOST,
    )


def step_cost() -> float:
    """Return the seconds that a trial takes to count one step."""
    lease = Lease(trial=0, attempt=1, parameters={}, seed=0, epochs=1)
    trial = Trial(lease, training_data(), ("loss",), Deaf())
    begin = time.perf_counter()
    for _ in range(CALLS):
        trial.count(BATCH, 0.001)
    return (time.perf_counter() - begin) / CALLS


class Deaf:
    """Hears nothing of what a trial tells."""

    def report(self, epoch: int, metrics: dict[str, float], last: bool, can_save: bool) -> Decision:
        """Let it go on."""
        return Decision()

    def save(self, epoch: int, save: Save) -> None:
        """Do nothing."""

    def count(self, examples: float, steps: list[float]) -> None:
        """Do nothing."""


def training_data() -> Dataset:
    """Return what the bench's trials train on."""
    return plan_study("nothing", {}, budget={"trials": 1}).data


def message_cost(scratch: Path) -> float:
    """Return the CPU seconds of all that one message costs: from the trial to its slot, and on to the exporter."""
    ours, theirs = Pipe()
    meter, tally = Meter("bench", str(scratch / "metrics")), Tally()
    with Exporter("here").serving(0, scratch / "metrics"):
        begin = time.process_time()
        for _ in range(MESSAGES):
            tally.add(32.0, 0.001)
            theirs.send(Counted(*tally.empty()))
            told = ours.recv()
            meter.count(EXAMPLES, told.examples, "sweep")
            meter.merge(STEP_SECONDS, told.steps)
            meter.flush()
        return (time.process_time() - begin) / MESSAGES


def training(scratch: Path) -> tuple[Row, float]:
    """Return the row of Keras's fit on one slot that tells an exporter, which is scraped, against one that does not.

    Its rate with metrics on, in epochs a second, comes along.
    """
    rates: dict[bool, list[float]] = {False: [], True: []}
    host, path = SlotHost(scratch), scratch / "metrics"
    try:
        with scraped(path):
            for repetition in range(REPETITIONS + 1):
                for told in (True, False) if repetition % 2 else (False, True):
                    rate = fit_rate(host, scratch / f"fit-{repetition}-{told}", str(path) if told else None)
                    if repetition:  # the first ones warm up
                        rates[told].append(rate)
    finally:
        host.close()
    row = Row(
        f"fit of {EPOCHS} epochs with metrics on, scraped every second, {REPETITIONS} pairs",
        spread(rates[True], "epochs/s", 1),
        f"off: {spread(rates[False], 'epochs/s', 1)}",
        spread(ratios(rates[True], rates[False]), "x", 3),
    )
    return row, quantile(rates[True], 0.5)


def fit_rate(host: SlotHost, folder: Path, exporter: str | None) -> float:
    """Return the epochs a second of a trial, from its lease to its end."""
    folder.mkdir()
    options = {"budget": {"trials": 2}, "epochs": EPOCHS, "isolation": "reuse"}
    plan = plan_study("fit", {"times": str(folder / "times"), "length": 0.0}, **options)
    with served(plan, folder) as study:
        host.run(study, exporter)
        record = open_study("bench", str(folder)).record
    lease, end = (getattr(record.trials[1].attempts[0], name) for name in ("started", "ended"))
    return EPOCHS / float(end - lease)


@contextmanager
def scraped(path: Path) -> Iterator[None]:
    """Let an exporter be there, which is scraped all the time."""
    exporter, over = Exporter("here"), Event()
    with exporter.serving(0, path) as port:

        def keep_scraping() -> None:
            while not over.wait(SCRAPE_SECONDS):
                scrape(port)

        thread = Thread(target=keep_scraping)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
