"""`make reproduce-bigdl` in a small setting: the table that it prints, of trainings that were really run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("TINDERBOX_DATA", ROOT.parent / "shared" / "data"))

SMALL = ["--epochs", "2", "--images", "3001", "--workers", "2", "--single", "200"]


@pytest.mark.timeout(600)
def test_a_small_setting_of_the_experiment(tmp_path: Path) -> None:
    """Two workers learn by the steps of one, a single one an image at a time; the student's row stands above theirs."""
    if not (DATA / "mnist").is_dir():
        pytest.skip("there is no MNIST: TINDERBOX_DATA names the folder that has it")
    command = [sys.executable, "-m", "tests.bench.bigdl", *SMALL, "--to", str(tmp_path / "bigdl.json")]
    environment = {**os.environ, "TINDERBOX_DATA": str(DATA)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stderr
    assert "several nodes failed | 0.9054 | 0.9970 | 0.481 | 18,621 | 48 |" in done.stdout
    assert "times the student's images a second" in done.stdout
    found = json.loads((tmp_path / "bigdl.json").read_text())
    two, single = found["runs"]
    assert (two["workers"], single["workers"]) == (2, 1)
    assert 0.75 < two["top1"] < two["top5"], "of ten classes"
    assert [row["examples"] for row in two["history"]] == [3001, 3001]
    assert two["history"][-1]["step"] == 2 * 251, "twelve images of both workers together are a step"
    assert single["history"][0]["step"] == 200
    assert single["seconds"] > 200 / single["images_per_second"]
