"""An exporter over real sockets: what workers send and sources know, whatever arrives, and when it lets go."""

from __future__ import annotations

import json
import logging
import math
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tinderbox.errors import BadInput
from tinderbox.metrics import catalogue
from tinderbox.metrics.catalogue import EXAMPLES, STEP_SECONDS, STUDY_SECONDS, TRIAL_VALUE, Sample
from tinderbox.metrics.exporter import Exporter
from tinderbox.metrics.ledger import Ledger, width

Opened = Callable[..., Any]
Eventually = Callable[[Callable[[], bool], float], bool]

SWEEP = 'tinderbox_examples_total{kind="sweep",node="n",run="r"}'
REFUSED = 'tinderbox_metrics_refused_total{node="n"}'


def message(*entries: Any) -> bytes:
    """Return a datagram of entries."""
    return json.dumps(entries).encode()


def examples(amount: float, run: str = "r", kind: str = "sweep") -> list[Any]:
    """Return an entry of examples."""
    return [EXAMPLES.name, [run, kind], [amount]]


GARBAGE = [
    b"",
    b"no JSON",
    b"\xff\xfe",
    b"7",
    b"null",
    b'"abc"',
    b'{"tinderbox_examples_total": 1}',
    b"[" * 60_000,
    message([EXAMPLES.name, ["r", "sweep"]]),
    message([EXAMPLES.name, ["r", "sweep"], [1], 1]),
    message([EXAMPLES.name, 7, [1]]),
    message([EXAMPLES.name, ["r", "sweep"], 1]),
    message([EXAMPLES.name, ["r", "sweep"], [None]]),
    message([EXAMPLES.name, ["r", "sweep"], ["many"]]),
    message([EXAMPLES.name, ["r", "sweep"], [[1]]]),
    b'[["tinderbox_examples_total", ["r", "sweep"], [1' + b"0" * 400 + b"]]]",
    b'[["tinderbox_examples_total", ["\\ud800", "sweep"], [1]]]',
    message(examples(-1)),
    message(examples(math.nan)),
    message(examples(math.inf)),
    message(["tinderbox_none_total", ["r"], [1]]),
    message(["tinderbox_trials", ["s", "running"], [1]]),
    message(["tinderbox_reports_total", ["s"], [1]]),
    message([EXAMPLES.name, ["r"], [1]]),
    message([EXAMPLES.name, ["n", "r", "sweep"], [1]]),
    message([STEP_SECONDS.name, ["r"], [1]]),
]


@pytest.fixture
def exporter() -> Exporter:
    """One that nobody can reach."""
    return Exporter("n")


def collected(exporter: Exporter) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return what an exporter tells, by names and the values of labels."""
    samples = [sample for family in exporter.collect() for sample in family.samples]
    return {(sample.name, tuple(sample.labels.values())): sample.value for sample in samples}


def test_workers_are_added_up(opened: Opened, eventually: Eventually) -> None:
    """Through the socket, by run and kind, with the node that the exporter knows; a histogram's buckets cumulate."""
    times = [0.0] * width(STEP_SECONDS)
    times[0], times[2], times[-2], times[-1] = 2, 1, 1, 20.5
    with opened() as there, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as worker:
        worker.connect(str(there.path))
        worker.send(message(examples(32), examples(1, kind="infer")))
        worker.send(message(examples(0.5), [STEP_SECONDS.name, ["r"], times]))
        assert eventually(lambda: there.told().get(SWEEP) == 32.5, 5)
        told = there.told()
        assert told['tinderbox_examples_total{kind="infer",node="n",run="r"}'] == 1
        found = {
            end: told[f'tinderbox_step_seconds_bucket{{le="{end}",node="n",run="r"}}']
            for end in ("0.001", "0.003", "0.01", "10.0", "+Inf")
        }
        assert found == {"0.001": 2, "0.003": 2, "0.01": 3, "10.0": 3, "+Inf": 4}
        assert told['tinderbox_step_seconds_count{node="n",run="r"}'] == 4
        assert told['tinderbox_step_seconds_sum{node="n",run="r"}'] == 20.5
        assert told[REFUSED] == 0
        assert oct(there.path.stat().st_mode & 0o777) == "0o600"


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_refused_and_counted(exporter: Exporter, garbage: bytes) -> None:
    """Prometheus can be told of all the same."""
    exporter.take(garbage)
    assert collected(exporter) == {("tinderbox_metrics_refused_total", ("n",)): 1}


def test_what_comes_after_garbage_is_heard(opened: Opened, eventually: Eventually) -> None:
    """Whoever sends it."""
    with opened() as there, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as worker:
        worker.connect(str(there.path))
        for datagram in [*GARBAGE, message(examples(3))]:
            worker.send(datagram)
        assert eventually(lambda: there.told().get(SWEEP) == 3, 5)
        assert there.told()[REFUSED] == len(GARBAGE)


def test_a_datagram_that_is_too_large_is_refused_whole(opened: Opened, eventually: Eventually) -> None:
    """Half of it would be no JSON."""
    with opened() as there, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as worker:
        worker.connect(str(there.path))
        worker.send(message(*[examples(1, run="x" * 1_000)] * 100))
        worker.send(message(examples(3)))
        assert eventually(lambda: there.told().get(SWEEP) == 3, 5)
        assert there.told()[REFUSED] == 1


def test_of_one_message_only_what_is_wrong_is_refused(exporter: Exporter) -> None:
    """Metrics that a newer worker knows, say."""
    exporter.take(message(examples(1), ["tinderbox_newer_total", ["r"], [1]], examples(2)))
    told = collected(exporter)
    assert told[EXAMPLES.name, ("n", "r", "sweep")] == 3
    assert told["tinderbox_metrics_refused_total", ("n",)] == 1


def test_more_labels_than_there_is_room_for(exporter: Exporter) -> None:
    """They are refused, and those that are known go on."""
    exporter._sums = Ledger(most=2)
    for run in ("a", "b", "c", "d", "a"):
        exporter.take(message(examples(1, run)))
    told = collected(exporter)
    assert {labels: value for (name, labels), value in told.items() if name == EXAMPLES.name} == {
        ("n", "a", "sweep"): 2,
        ("n", "b", "sweep"): 1,
    }
    assert told["tinderbox_metrics_refused_total", ("n",)] == 2


def test_sources_are_asked_at_each_scrape(opened: Opened) -> None:
    """As long as they are lent; values that are no finite numbers are told as Prometheus has them."""
    seconds = iter([1.0, 2.5])
    values = {"0": math.nan, "1": math.inf, "2": -math.inf, "3": True}

    def source() -> Iterator[Sample]:
        yield STUDY_SECONDS.sample(next(seconds), study='with "quotes"')
        yield from (TRIAL_VALUE.sample(value, study="s", trial=number) for number, value in values.items())

    with opened() as there:
        with there.exporter.asking(source):
            assert there.told()['tinderbox_study_seconds{study="with "quotes""}'] == 1
            told = there.told()
        assert told['tinderbox_study_seconds{study="with "quotes""}'] == 2.5
        assert [repr(told[f'tinderbox_trial_value{{study="s",trial="{number}"}}']) for number in values] == [
            "nan",
            "inf",
            "-inf",
            "1.0",
        ]
        assert set(there.told()) == {REFUSED}
        assert there.exporter.scrapes == 3


def test_two_sources_that_know_the_same(exporter: Exporter) -> None:
    """Prometheus refuses a scrape that has a series twice; the later one is told."""
    with (
        exporter.asking(lambda: [STUDY_SECONDS.sample(1, study="s")]),
        exporter.asking(lambda: [STUDY_SECONDS.sample(2, study="s")]),
    ):
        families = [family for family in exporter.collect() if family.name == STUDY_SECONDS.name]
        assert [sample.value for family in families for sample in family.samples] == [2]


def test_a_source_that_fails_is_left_out(opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    """All of it, and nothing else; the log says so once, whatever follows, and it is told again when it can be."""
    working = threading.Event()

    def source() -> Iterator[Sample]:
        yield STUDY_SECONDS.sample(1, study="half")
        if not working.is_set():
            raise OSError(5, "Input/output error")

    other = [STUDY_SECONDS.sample(2, study="other")]
    with (
        caplog.at_level(logging.WARNING),
        opened() as there,
        there.exporter.asking(source),
        there.exporter.asking(lambda: other),
    ):
        for _ in range(3):
            assert set(there.told()) == {REFUSED, 'tinderbox_study_seconds{study="other"}'}
        working.set()
        assert 'tinderbox_study_seconds{study="half"}' in there.told()
        working.clear()
        assert 'tinderbox_study_seconds{study="half"}' not in there.told()
    assert caplog.messages == [
        "metrics are left out while this lasts: OSError: [Errno 5] Input/output error",
    ]


def test_a_source_is_not_asked_any_more_once_it_is_taken_back(exporter: Exporter) -> None:
    """Its block ends when a scrape that is under way is through with it: what it asks may be closed then."""
    asked, answer = threading.Event(), threading.Event()
    order = list[str]()

    def source() -> list[Sample]:
        asked.set()
        answer.wait(10)
        order.append("answered")
        return []

    def lend() -> None:
        with exporter.asking(source):
            asked.wait(10)
        order.append("taken back")

    lender = threading.Thread(target=lend)
    lender.start()
    while not exporter._sources:
        time.sleep(0.01)
    scraper = threading.Thread(target=collected, args=(exporter,))
    scraper.start()
    asked.wait(10)
    time.sleep(0.1)
    answer.set()
    for thread in (lender, scraper):
        thread.join(10)
    assert order == ["answered", "taken back"]
    assert set(collected(exporter)) == {("tinderbox_metrics_refused_total", ("n",))}


# Doors


def test_two_drivers_on_one_port(opened: Opened, eventually: Eventually, tmp_path: Path) -> None:
    """The second one says so in one sentence, and the first one is as it was: its workers are heard, too."""
    with opened() as there:
        with (
            pytest.raises(BadInput) as refusal,
            Exporter("m").serving(there.port, there.path),
        ):
            raise AssertionError
        assert str(refusal.value) == (
            f"the port of the metrics must be a free one, got {there.port}: Address already in use; "
            "name another one in TINDERBOX_METRICS_PORT, or none"
        )
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as worker:
            worker.sendto(message(examples(1)), str(there.path))
        assert eventually(lambda: there.told().get(SWEEP) == 1, 5)


def test_a_number_that_is_no_port(tmp_path: Path) -> None:
    """One sentence, too."""
    with (
        pytest.raises(BadInput, match=r"must be a free one, got 70000: .*; name another one in TINDERBOX_METRICS_PORT"),
        Exporter("n").serving(70_000, tmp_path / "metrics"),
    ):
        raise AssertionError
    assert not (tmp_path / "metrics").exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [("none/metrics", "No such file or directory"), ("file", "Address already in use"), ("x" * 200, "too long")],
)
def test_a_place_where_no_socket_can_be(
    tmp_path: Path, name: str, reason: str, free_port: int, scrape: Callable[[int], Any]
) -> None:
    """What lies there is nobody's to remove; the port is free again."""
    (tmp_path / "file").write_text("precious")
    with pytest.raises(BadInput) as refusal, Exporter("n").serving(free_port, tmp_path / name):
        raise AssertionError
    assert str(refusal.value).startswith(
        "TINDERBOX_METRICS_SOCKET must name a file that is not there yet, in a folder that can be written, "
        f"got {tmp_path / name}: "
    )
    assert reason in str(refusal.value)
    assert (tmp_path / "file").read_text() == "precious"
    with pytest.raises(OSError, match="refused"):
        scrape(free_port)


def test_a_socket_that_a_crash_has_left_is_taken_over(opened: Opened, tmp_path: Path, eventually: Eventually) -> None:
    """A new exporter at the same place hears its workers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as crashed:
        crashed.bind(str(tmp_path / "metrics"))
    with opened() as there, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as worker:
        worker.sendto(message(examples(1)), str(there.path))
        assert eventually(lambda: there.told().get(SWEEP) == 1, 5)


def test_nothing_is_left_when_it_ends(opened: Opened) -> None:
    """No port, no thread and no file, also where the block fails."""
    before = set(threading.enumerate())
    for error in ([], [ValueError("no")]):
        with suppress(ValueError), opened() as there:
            assert there.exporter.is_open
            assert set(there.told()) == {REFUSED}
            for raised in error:
                raise raised
        assert not there.exporter.is_open
        assert not there.path.exists()
        with pytest.raises(OSError, match="refused"):
            there.told()
    assert set(threading.enumerate()) <= before


def test_scrapes_at_the_same_time(opened: Opened) -> None:
    """Each is whole while workers send: a histogram's count is its last bucket in every one of them."""
    times, found = [1.0] * width(STEP_SECONDS), list[tuple[float, float]]()
    labels = 'node="n",run="r"'

    def read() -> None:
        for _ in range(20):
            told = there.told()
            last = told.get(f'tinderbox_step_seconds_bucket{{le="+Inf",{labels}}}', 0.0)
            found.append((last, told.get(f"tinderbox_step_seconds_count{{{labels}}}", 0.0)))

    with opened() as there:
        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        while any(reader.is_alive() for reader in readers):
            there.exporter.take(message([STEP_SECONDS.name, ["r"], times]))
    assert len(found) == 60
    assert all(last == count for last, count in found)
    assert found[-1][0] > 0


# The last values


def lingering(exporter: Exporter) -> float:
    """Return how long an exporter stays."""
    begin = time.monotonic()
    exporter.linger()
    return time.monotonic() - begin


def test_nobody_is_waited_for_who_never_came(opened: Opened) -> None:
    """Nor is anybody without patience, or without a port."""
    with opened(patience=30) as there:
        assert lingering(there.exporter) < 1
    with opened() as there:
        there.told()
        assert lingering(there.exporter) < 1
    assert lingering(Exporter("n", patience=30)) < 1


def test_it_stays_until_prometheus_came_twice(opened: Opened) -> None:
    """Once after the other pods of the job at the latest, so that it was at each of them."""
    with opened(patience=30) as there:
        there.told()
        visits = list[float]()

        def visit() -> None:
            for _ in range(2):
                time.sleep(0.5)
                there.told()
                visits.append(time.monotonic())

        prometheus = threading.Thread(target=visit)
        prometheus.start()
        there.exporter.linger()
        gone = time.monotonic()
        prometheus.join()
    assert there.exporter.scrapes == 3
    assert abs(gone - visits[-1]) < 1


def test_it_does_not_stay_for_ever(opened: Opened) -> None:
    """Where Prometheus has gone."""
    with opened(patience=1) as there:
        there.told()
        assert 1 <= lingering(there.exporter) < 5


def test_the_answer_is_prometheus_text(opened: Opened) -> None:
    """With help and kind of each metric as the catalogue has them."""
    with opened() as there, there.exporter.asking(lambda: [catalogue.POD_INFO.sample(1, node="n", role="driver")]):
        answer = urllib.request.urlopen(f"http://127.0.0.1:{there.port}/metrics")
        text = answer.read().decode()
        answer.close()
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "# HELP tinderbox_pod_info Always 1; role is driver, executor or console.\n" in text
    assert "# TYPE tinderbox_pod_info gauge\n" in text
    assert "# TYPE tinderbox_metrics_refused_total counter\n" in text
