"""What is printed in shares: both streams, in order, and only so much of it."""

from __future__ import annotations

import io
import sys

from tinderbox.training.averaging.printing import LONGEST, LONGEST_OF_ALL, Logs, overheard


def test_both_streams_are_heard_and_still_written() -> None:
    """In the order in which they come; afterwards they are what they were."""
    through, before = io.StringIO(), (sys.stdout, sys.stderr)
    with overheard(through) as tail:
        sys.stdout.write("one\n")
        sys.stderr.write("two\n")
        sys.stderr.flush()
    sys.stdout.write("not this\n")
    assert tail.text() == through.getvalue() == "one\ntwo\n"
    assert (sys.stdout, sys.stderr) == before


def test_only_the_end_is_kept() -> None:
    """A share that prints each step does not fill the driver."""
    with overheard(io.StringIO()) as tail:
        for number in range(LONGEST):
            sys.stdout.write(f"{number}\n")
    assert len(tail.text()) == LONGEST
    assert tail.text().endswith(f"\n{LONGEST - 1}\n")
    logs = Logs()
    for number in range(LONGEST_OF_ALL // LONGEST + 2):
        logs.add(((3, f"{number}" + tail.text()), (1, "a")))
    (first, second) = logs.take()
    assert first == (1, "a" * (LONGEST_OF_ALL // LONGEST + 2))
    assert (second[0], len(second[1])) == (3, LONGEST_OF_ALL)
    assert logs.take() == []
