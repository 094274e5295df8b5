"""The example that jobs/sweep-digits.yaml names."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox.checkpoint import Save
from tinderbox.config import Digits
from tinderbox.data import Dataset, Examples, load, open_packed, pack, unpack
from tinderbox.errors import BadInput
from tinderbox.examples.lenet import train

# Keras saves weights through TensorFlow's __array__, which does not know NumPy 2's copy argument yet.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@dataclass
class FakeTrial:
    """A trial that remembers what was reported."""

    data: Dataset
    params: dict[str, Any]
    epochs: int = 1
    seed: int = 3
    epoch: int = 0
    checkpoint: Path | None = None
    reports: dict[int, dict[str, float]] = field(default_factory=dict)
    newest: Save | None = None
    examples: float = 0

    def report(self, epoch: int, checkpoint: Save | None = None, **metrics: float) -> None:
        """Remember a report."""
        self.reports[epoch], self.newest = metrics, checkpoint

    def count(self, examples: float, seconds: float, steps: int = 1) -> None:
        """Remember examples."""
        self.examples += examples


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The digits as a trial gets them: memory-mapped, without test examples."""
    folder = tmp_path_factory.mktemp("digits") / "data"
    unpack(lambda: pack(load(Digits(source="digits"), Path(), print)), folder)
    return open_packed(folder)


def test_digits_are_learnt_and_reported(digits: Dataset, tmp_path: Path) -> None:
    """Three epochs at a good rate learn most digits; each epoch is reported, and the model can be saved."""
    trial = FakeTrial(digits, {"learning_rate": 0.05, "width": 64}, epochs=3)
    train(trial)  # type: ignore[arg-type]
    assert list(trial.reports) == [1, 2, 3]
    assert set(trial.reports[3]) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert trial.reports[3]["val_accuracy"] > 0.8
    assert trial.examples == 3 * len(digits.train)
    assert trial.newest is not None
    with (tmp_path / "model").open("wb") as file:
        trial.newest(file)
    assert (tmp_path / "model").stat().st_size > 100_000


def test_same_seed_trains_the_same_model(digits: Dataset) -> None:
    """A trial repeats exactly with its seed, and differs with another one."""
    few = Dataset(
        Examples(digits.train.x[:64], digits.train.y[:64]),
        Examples(digits.validation.x[:32], digits.validation.y[:32]),
        None,
        digits.classes,
    )
    losses = []
    for seed in (1, 1, 2):
        trial = FakeTrial(few, {"learning_rate": 0.05, "width": 8, "decay": 1.0}, seed=seed)
        train(trial)  # type: ignore[arg-type]
        losses.append(trial.reports[1]["val_loss"])
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize(
    ("shape", "classes", "got"),
    [
        ((4, 8, 8), ["a", "b"], r"got \(4, 8, 8\) and 2 classes"),
        ((4, 8, 8, 1), None, r"got \(4, 8, 8, 1\) and no classes"),
    ],
)
def test_other_data_is_refused(shape: tuple[int, ...], classes: list[str] | None, got: str) -> None:
    """Rows and quantities are refused in one sentence, before anything is built."""
    examples = Examples(np.zeros(shape, np.uint8), np.zeros(4, int))
    with pytest.raises(BadInput, match=got):
        train(FakeTrial(Dataset(examples, examples, None, classes), {}))  # type: ignore[arg-type]
