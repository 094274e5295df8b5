"""How good the model of a training is on test examples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.unit.api.test_compare import save, train
from tinderbox.api.scoring import score_test
from tinderbox.data import Examples
from tinderbox.storage.training import MODEL, TEST

TEN = Examples(np.zeros((10, 3), np.float32), np.array([4] * 7 + [5] * 3))


def test_a_model_is_scored_on_test_examples(tmp_path: Path) -> None:
    """By the share that is right, which the history calls Top 1."""
    folder = train(tmp_path, "one")
    save(folder, tmp_path, (3,), 4)
    assert score_test(folder, TEN) == ""
    assert json.loads(folder.read(TEST)) == {"top1": pytest.approx(0.7)}


def test_a_regression_is_scored_by_its_errors(tmp_path: Path) -> None:
    """The mean of their squares."""
    folder = train(tmp_path, "one")
    save(folder, tmp_path, (3,), 4)
    wanted = np.full((2, 10), 0.5, np.float32)
    assert score_test(folder, Examples(np.zeros((2, 3), np.float32), wanted)) == ""
    assert list(json.loads(folder.read(TEST))) == ["mse"]


def test_what_cannot_be_scored_has_no_score(tmp_path: Path) -> None:
    """Without a model, without examples, or with a model that does not fit; a score of an earlier model goes."""
    folder = train(tmp_path, "one")
    folder.write(TEST, b'{"top1": 1.0}')
    assert score_test(folder, TEN) == ""
    assert not folder.has(TEST)
    folder.write(MODEL, b"no model")
    assert score_test(folder, None) == ""
    assert "is no model in Keras's own format" in score_test(folder, TEN)
    assert not folder.has(TEST)
