"""A batch inference as people run it: killed and continued, with broken files, and files that come later."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pytest
from PIL import Image

Processes = Callable[[], dict[int, str]]
Eventually = Callable[[Callable[[], bool], float], bool]
LayOut = Callable[[str, str, str], Path]

FUNCTION = """
import io
import time
from pathlib import Path

from PIL import Image
from place import FOLDER


def predict(rows):
    for row in rows:
        time.sleep(0.05)
        with Path(FOLDER, "calls").open("a") as file:
            file.write(row["path"] + "\\n")
        yield {"level": Image.open(io.BytesIO(row["content"])).getpixel((0, 0))}
"""

JOB = """
kind: infer
name: levels
input: images
predict: levels:predict
columns: {level: int}
code: code
batch: 4
limits: {rows: 16, bytes: 100000}
"""

IMAGES = 80


@dataclass(frozen=True)
class Place:
    """A folder in which `tinderbox infer` runs."""

    folder: Path

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Start the command, or start it again."""
        command = [sys.executable, "-m", "tinderbox", "infer", "job.yaml", *options]
        return subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0
        )

    def run(self, *options: str) -> str:
        """Run the command to its end and return what it prints."""
        with self.start(*options) as driver:
            output, _ = driver.communicate(timeout=200)
        assert driver.returncode == 0, output
        return output

    def draw(self, numbers: range) -> None:
        """Write images, each of the gray level that is its number."""
        (self.folder / "images").mkdir(exist_ok=True)
        for number in numbers:
            Image.fromarray(np.full((6, 6), number, np.uint8)).save(self.folder / "images" / f"{number}.png")

    def rows(self) -> pd.DataFrame:
        """Return all rows, whatever wrote them."""
        folder = self.folder / "studies" / "levels" / "rows"
        return ds.dataset(folder, partitioning="hive").to_table().to_pandas() if folder.exists() else pd.DataFrame()

    def batches(self) -> int:
        """Return how many micro-batches have left rows."""
        return len(list(self.folder.glob("studies/levels/rows/*/batch-*.parquet")))

    def success(self) -> bool:
        """Whether the rows are marked as whole."""
        return bool(list(self.folder.glob("studies/levels/rows/*/_SUCCESS")))

    def calls(self) -> Counter[str]:
        """Return how often the function was called for each image."""
        path = self.folder / "calls"
        return Counter(path.read_text().split()) if path.exists() else Counter()


@pytest.fixture(scope="module")
def place(lay_out: LayOut) -> Place:
    """A folder with the job, its code and its images."""
    place = Place(lay_out("levels", FUNCTION, JOB))
    place.draw(range(IMAGES))
    return place


@pytest.mark.timeout(500)
def test_a_driver_that_is_killed_twice_leaves_every_row_once(
    place: Place, processes: Processes, eventually: Eventually
) -> None:
    """In the middle of a micro-batch, and as soon as one has been written; what was done by then is not done again."""
    amid: list[Callable[[], bool]] = [
        lambda: place.batches() >= 1 and sum(place.calls().values()) % 16 in range(4, 12),
        lambda: place.batches() >= 3,
    ]
    for moment in amid:
        before = set(processes())
        with place.start() as driver:
            assert eventually(moment, 120), driver.poll()
            os.kill(driver.pid, signal.SIGKILL)
            driver.communicate(timeout=60)
        assert eventually(lambda before=before: set(processes()) <= before, 60), "workers end with their driver"  # type: ignore[misc]
        assert not place.success(), "what is not whole does not say so"
    output = place.run()
    rows = place.rows()
    assert sorted(rows["level"]) == list(range(IMAGES)), "every image once"
    assert all(Path(path).stem == str(level) for path, level in zip(rows["path"], rows["level"], strict=True))
    assert place.success(), output
    redone = sum(place.calls().values()) - IMAGES
    assert redone <= 2 * 16, "each kill costs a micro-batch at most"


@pytest.mark.timeout(300)
def test_files_that_come_later_are_labelled_by_the_next_run(place: Place) -> None:
    """And only those; broken ones among them are rows with an error, and no task fails."""
    before = place.calls()
    place.draw(range(IMAGES, IMAGES + 5))
    (place.folder / "images" / "empty.png").write_bytes(b"")
    (place.folder / "images" / "large.png").write_bytes(b"x" * 100_001)
    (place.folder / "images" / "text.png").write_text("no image")
    output = place.run()
    assert "done: 8 rows, 3 with an error" in output
    rows = place.rows()
    assert len(rows) == IMAGES + 8
    assert sorted(rows["level"].dropna()) == list(range(IMAGES + 5))
    broken = rows[rows["error"].notna()]
    assert {Path(path).name: reason for path, reason in zip(broken["path"], broken["reason"], strict=True)} == {
        "large.png": "too_large",
        "text.png": "failed",
        "empty.png": "empty",
    }
    new = {Path(path).stem for path in place.calls() - before}
    assert new == {*map(str, range(IMAGES, IMAGES + 5)), "text"}, (
        "none of the earlier ones, and no file that is too large"
    )


@pytest.mark.timeout(300)
def test_nothing_new_is_nothing_done_and_force_does_all_again(place: Place) -> None:
    """A run without new files says so; `--force` labels all, each row once."""
    assert "done: nothing new" in place.run()
    before = sum(place.calls().values())
    place.run("--force")
    assert len(place.rows()) == IMAGES + 8
    assert sum(place.calls().values()) - before >= IMAGES + 5
