"""Seeds that depend on nothing but the study's seed and the trial's number, so that a resumed study repeats itself."""

from __future__ import annotations

from typing import Literal

import numpy as np

_STREAMS = {"train": 0, "search": 1, "order": 2}


def derive(study_seed: int, number: int, stream: Literal["train", "search", "order"]) -> int:
    """Return a 32-bit seed for one purpose of one trial, by NumPy's SeedSequence hash."""
    sequence = np.random.SeedSequence(entropy=study_seed, spawn_key=(_STREAMS[stream], number))
    return int(sequence.generate_state(1)[0])
