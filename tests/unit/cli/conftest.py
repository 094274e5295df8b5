"""The command line in this process: what it changes is put back, and what it starts can be counted."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tinderbox.cli import main

Tinderbox = Callable[..., Result]

JOB = """
kind: sweep
name: small
objective: cli_objective:train
code: code
preload: []
metric: {name: loss, direction: minimize}
parameters:
  x: {type: float, low: 0, high: 4, grid: 5, default: 1}
  way: {type: choice, choices: [well, raises, exits], default: well}
search: grid
epochs: 2
data: {source: npz, path: data.npz}
"""

FUNCTION = """
import os


def train(trial):
    print("it prints")
    if trial.params["way"] == "raises":
        raise ValueError("no [such] layer")
    if trial.params["way"] == "exits":
        os._exit(3)
    for epoch in range(1, trial.epochs + 1):
        trial.report(epoch, loss=trial.params["x"] / epoch)


def load():
    raise ValueError("first" + "\\nnext" * 1000 + "\\nlast")


not_a_function = 3
"""


@pytest.fixture
def tinderbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tinderbox]:
    """A function that runs a command in the job's folder and returns its result."""
    environment, path, modules = dict(os.environ), list(sys.path), set(sys.modules)
    terminate = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(tmp_path)
    yield lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])
    signal.signal(signal.SIGTERM, terminate)
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("cli_"):
            del sys.modules[name]
    os.environ.clear()
    os.environ.update(environment)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A job file with its code and its data beside it."""
    import numpy as np

    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "cli_objective.py").write_text(FUNCTION)
    (tmp_path / "code" / "cli_broken.py").write_text("import no_such_module\n")
    (tmp_path / "code" / "cli_wordy.py").write_text("raise ValueError('first\\n\\n  second')\n")
    np.savez(tmp_path / "data.npz", x=np.zeros((40, 2)), y=np.arange(40) % 2)
    (tmp_path / "job.yaml").write_text(JOB)
    return tmp_path / "job.yaml"
