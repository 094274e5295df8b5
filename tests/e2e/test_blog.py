"""`make reproduce-blog` in a small setting: what it writes, of a study that was really run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("TINDERBOX_DATA", ROOT.parent / "shared" / "data"))

SMALL = ["--epochs", "2", "--points", "8", "--images", "1200", "--slots", "2"]


@pytest.mark.timeout(300)
def test_a_small_setting_of_the_study_of_2016(tmp_path: Path) -> None:
    """A table with a gain and its interval, times by slots beside the article's, curves, and the sensitivity chart."""
    if not (DATA / "mnist").is_dir():
        pytest.skip("there is no MNIST: TINDERBOX_DATA names the folder that has it")
    command = [sys.executable, "-m", "tests.bench.blog", *SMALL, "--to", str(tmp_path)]
    environment = {**os.environ, "TINDERBOX_DATA": str(DATA)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "blog.md").read_text()
    assert "8 of 50 points, 2 epochs each, 1,200 training images" in table
    for row in ("| default | ", "| gain in points | ", "| the article | 99.20 % to 99.47 %", "| 13 | not run | "):
        assert row in table
    measured = next(line for line in table.splitlines() if line.startswith("| 2 | "))
    assert "not run" not in measured
    curves = json.loads((tmp_path / "curves.json").read_text())
    assert [len(point["curve"]) for point in curves] == [2] * 9, "eight points and the default's"
    assert (tmp_path / "plots" / "sensitivity.png").stat().st_size > 10_000
