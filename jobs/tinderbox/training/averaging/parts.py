"""Checkpoints of mode averaging: all that training depends on, in one file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tinderbox.checkpoint import Save
from tinderbox.training.records import Counts, Position, Sums
from tinderbox.training.state import State


@dataclass(frozen=True, eq=False)
class Standing:
    """Where training stands: the state, the position, and what the epoch that is under way has come to so far.

    There are no generators in it: what is random in a share is drawn from the job's seed, the step and the rank.
    """

    state: State = field(default_factory=State.empty)
    position: Position = field(default_factory=Position)
    sums: Sums = field(default_factory=lambda: Sums(0, {}))
    counts: Counts = field(default_factory=Counts)


def write_part(standing: Standing) -> Save:
    """Return what writes a standing into an open file."""
    told = {name: asdict(getattr(standing, name)) for name in ("position", "sums", "counts")}

    def save(file: BinaryIO) -> None:
        state, text = standing.state, np.array(json.dumps(told))
        np.savez(file, allow_pickle=False, floats=state.floats, integers=state.integers, told=text)

    return save


def read_part(path: Path) -> Standing:
    """Return the standing in a file that `write_part` has written, bit by bit as it was."""
    with np.load(path, allow_pickle=False) as arrays:
        state, told = State(arrays["floats"], arrays["integers"]), json.loads(str(arrays["told"]))
    return Standing(state, Position(**told["position"]), Sums(**told["sums"]), Counts(**told["counts"]))
