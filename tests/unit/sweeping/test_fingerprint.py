"""What a function does has one digest, and another function has another one."""

from __future__ import annotations

import functools
import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox.sweeping.fingerprint import fingerprint

SOURCE = """
import dataclasses, enum, functools, logging
import numpy as np

NAMES = {"alpha", "beta", "a longer text", (1, 2.5)}
WEIGHTS = np.arange(6.0).reshape(2, 3)
LOG = logging.getLogger("study")

class Kind(enum.Enum):
    WIDE = 1

@dataclasses.dataclass
class Net:
    width: int = 3
    kind: Kind = Kind.WIDE

    @property
    def size(self):
        return helper(self.width)

    @functools.cached_property
    def twice(self):
        return Net(2 * self.width)

def helper(width):
    LOG.debug(width)
    return [layer for layer in range(width) if layer not in {7, 8, 9}]

def repeated(function):
    @functools.wraps(function)
    def run(trial):
        return [function(trial) for _ in range(2)]
    return run

@repeated
def train(trial, scale=0.5, *, net=Net()):
    for epoch in range(trial.epochs):
        trial.report(epoch, loss=scale * len(NAMES) + np.sum(WEIGHTS) + len(net.size))
    return lambda: train(trial)
"""

SESSION = """
import sys
import __main__
from tinderbox.sweeping.fingerprint import fingerprint

class Trial:
    epochs = 3
    def report(self, *_, **__): ...

exec(compile("\\n" * int(sys.argv[2]) + sys.stdin.read(), sys.argv[1], "exec"), __main__.__dict__)
before = fingerprint(__main__.train)
for _ in range(100):  # Python rewrites code that runs often
    __main__.train(Trial)
print(before, fingerprint(__main__.train))
"""


def made(source: str, name: str = "train") -> Any:
    """Return what a source defines, as a notebook does."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(source, scope)  # noqa: S102 - our own text
    return scope[name]


def digest(source: str) -> str:
    """Return the fingerprint of the function that a source defines."""
    return fingerprint(made(source))


def test_the_same_source_in_another_session(tmp_path: Path) -> None:
    """Another file, another line, another order of sets, before and after it has run: the digest stays."""
    found: set[str] = set()
    for number in range(2):
        command = [sys.executable, "-c", SESSION, str(tmp_path / f"cell-{number}.py"), str(7 * number)]
        environment = {"PYTHONHASHSEED": str(number), "PYTHONPATH": ":".join(sys.path)}
        ended = subprocess.run(command, input=SOURCE, env=environment, capture_output=True, text=True, check=True)
        found.update(ended.stdout.split())
    assert len(found) == 1
    assert len(found.pop()) == 64


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("len(net.size)", "2 * len(net.size)"),  # the function itself
        ("scale=0.5", "scale=0.25"),
        ("net=Net()", "net=Net(4)"),
        ("return lambda: train(trial)", "return lambda: train(None)"),
        ("range(width)", "range(width + 1)"),  # what it calls by way of a class
        ("{7, 8, 9}", "{7, 8}"),
        ("self.width)\n\n    @functools", "self.width + 1)\n\n    @functools"),
        ("Net(2 * self.width)", "Net(3 * self.width)"),
        ("width: int = 3", "width: int = 4"),
        ("WIDE = 1", "WIDE = 2"),
        ("range(2)", "range(3)"),  # its decorator
        ("np.arange(6.0)", "np.arange(1.0, 7.0)"),  # a global
        ("reshape(2, 3)", "reshape(3, 2)"),
        ('"beta"', '"gamma"'),
        ('getLogger("study")', 'getLogger("other")'),
        ("np.sum", "np.max"),
    ],
)
def test_an_edit_shows(before: str, after: str) -> None:
    """Wherever in what the function does it is."""
    assert SOURCE.count(before) == 1
    assert digest(SOURCE) != digest(SOURCE.replace(before, after)) == digest(SOURCE.replace(before, after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import numpy as np\n", "import numpy as np\n\n# about widths\n"),
        ("def train(trial, ", "def train(trial,\n          "),
        ("class Net:", "UNUSED = 5\n\n@dataclasses.dataclass\nclass Net:"),
    ],
)
def test_an_edit_that_changes_nothing(before: str, after: str) -> None:
    """Comments, lines and what the function does not use are no other function."""
    source = SOURCE.replace("@dataclasses.dataclass\nclass Net:", "class Net:") if "UNUSED" in after else SOURCE
    assert digest(source.replace(before, after)) == digest(SOURCE)


def test_what_a_function_closes_over() -> None:
    """Each value of a variable outside makes another function."""

    def closed(value: object) -> Callable[[], object]:
        return lambda: value

    values = [None, 0, 1, True, 1.0, "1", b"1", (1,), [1], {1}, {1: 2}, {2: 1}, np.int64(1), np.ones(2), len, dict]
    values += [functools.partial(max, 1), functools.partial(max, 2), closed(1), closed(2), [[1], 2], [[1, 2]]]
    assert len({fingerprint(closed(value)) for value in values}) == len(values)


def test_what_a_pickle_would_tell_otherwise() -> None:
    """Keras dates its pickles and TensorFlow's hold traces, so configuration and the function inside are read."""
    dates = itertools.count()

    class Optimizer:
        def __init__(self, rate: float) -> None:
            self.rate = rate

        def get_config(self) -> dict[str, float]:
            return {"rate": self.rate}

        def __reduce__(self) -> Any:
            return Optimizer, (next(dates),)

    assert fingerprint(functools.partial(max, Optimizer(1))) == fingerprint(functools.partial(max, Optimizer(1)))
    assert fingerprint(functools.partial(max, Optimizer(1))) != fingerprint(functools.partial(max, Optimizer(2)))
    steps = [functools.lru_cache(made(f"def step(x): return x + {more}", "step")) for more in (1, 1, 2)]
    for step in steps:
        step(1)
    assert fingerprint(steps[0]) == fingerprint(steps[1]) != fingerprint(steps[2])


def test_what_refers_to_itself() -> None:
    """A function that calls itself, and a list that holds itself, have an end."""
    loop: list[Any] = [1]
    loop.append(loop)

    def count(number: int) -> object:
        return count(number - 1) if number else loop

    assert fingerprint(count) == fingerprint(count)


def test_other_callables() -> None:
    """A method, an instance and a function with parameters set are told apart by what they hold."""
    source = """
class Train:
    def __init__(self, rate): self.rate = rate
    def __call__(self, trial): return self.rate
    def run(self, trial): return self.rate
"""
    kind = made(source, "Train")
    made_of = [kind(1), kind(2), kind(1).run, kind(2).run, functools.partial(kind.run, kind(1)), kind.run]
    assert all(fingerprint(one) != fingerprint(other) for one, other in itertools.combinations(made_of, 2))
    again = made(source, "Train")
    assert fingerprint(again(1)) == fingerprint(kind(1))
    edited = made(source.replace("trial): return self.rate", "trial): return -self.rate"), "Train")
    assert fingerprint(functools.partial(edited(1))) != fingerprint(functools.partial(kind(1)))
