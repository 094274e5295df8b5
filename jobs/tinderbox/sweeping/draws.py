"""Searches that look at nothing but the trial's number."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinderbox.config import AnyParameter
from tinderbox.sweeping.events import Parameters
from tinderbox.sweeping.past import Past
from tinderbox.sweeping.seeds import derive
from tinderbox.sweeping.space import from_unit


class Random:
    """Independent uniform draws, seeded by the trial's number."""

    def __init__(self, space: Mapping[str, AnyParameter], seed: int) -> None:
        self._space, self._seed = space, seed

    def propose(self, number: int, past: Past) -> Parameters:
        """Return the draw with this number."""
        rng = np.random.default_rng(derive(self._seed, number, "search"))
        return from_unit(self._space, rng.random(len(self._space)).tolist())


class QuasiRandom:
    """A scrambled Sobol sequence (Owen 1998, by SciPy), evenly spread however early it is stopped; `begin` is its first
    trial.
    """

    def __init__(self, space: Mapping[str, AnyParameter], seed: int, begin: int = 0) -> None:
        self._space, self._seed, self._begin = space, derive(seed, begin, "search"), begin

    def propose(self, number: int, past: Past) -> Parameters:
        """Return the point of the sequence with this number."""
        from scipy.stats.qmc import Sobol

        sequence = Sobol(len(self._space), scramble=True, rng=self._seed)
        if number > self._begin:  # SciPy 1.17 raises OverflowError for a step of 0
            sequence.fast_forward(number - self._begin)
        return from_unit(self._space, sequence.random(1)[0].tolist())
