"""What the metrics cost: a scrape after many trials, and the throughput of training with them on."""

from __future__ import annotations

import statistics
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from tests.bench.asks import study_of
from tests.bench.rows import Row, quantile, ratios, spread
from tests.bench.studies import SlotHost, plan_study, served
from tinderbox.api.result import open_study
from tinderbox.metrics.exporter import Exporter
from tinderbox.sweeping.measures import Measures
from tinderbox.sweeping.status import take_status

FEW, MANY = 500, 5_000
SCRAPES = 30
EPOCHS, REPETITIONS = 40, 15
SCRAPE_SECONDS = 1.0
FLAT, LEAST = 1.3, 0.99


def measure() -> list[Row]:
    """Measure all of it."""
    with TemporaryDirectory(prefix="tinderbox-bench-") as scratch:
        return [flat(Path(scratch)), training(Path(scratch))]


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


def training(scratch: Path) -> Row:
    """Return the row of Keras's fit on one slot that tells an exporter, which is scraped, against one that does not."""
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
    pairs = ratios(rates[True], rates[False])
    return Row(
        f"fit of {EPOCHS} epochs with metrics on, scraped every second, {REPETITIONS} pairs",
        spread(rates[True], "epochs/s", 1),
        f"off: {spread(rates[False], 'epochs/s', 1)}",
        spread(pairs, "x", 3),
        f">= {LEAST}x",
        quantile(pairs, 0.5) >= LEAST,
    )


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
