"""A batch inference of photos on a cluster, broken files among them, whose executor is taken away on the way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow.dataset as ds
import pytest

from tests.on_kubernetes.photos import BROKEN, COPIES, JOB, TOP, mounted, share, unshare

if TYPE_CHECKING:
    from tests.on_kubernetes.release import Release

Open = Callable[..., "Release"]
Eventually = Callable[[Callable[[], bool], float], bool]

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Labelled:
    """What is left of the batch inference; `done` rows were told when an executor was taken, which was `replaced`."""

    rows: pd.DataFrame
    done: int
    replaced: bool
    ended: str | None
    log: str


@pytest.fixture(scope="module")
def labelled(opened: Open, photos: Path, eventually: Eventually) -> Iterator[Labelled]:
    """The job, submitted, robbed of an executor after its first rows, followed to its end and fetched."""
    release = opened("photos", mounted())
    share(release, photos)
    (release.folder / "photos.yaml").write_text(JOB)
    told = release.tinderbox("submit", "photos.yaml")
    assert told.returncode == 0, told.stderr
    assert eventually(lambda: told_rows(release) > 0, 300), release.log("infer-photos")
    done = told_rows(release)
    before = {pod["metadata"]["name"] for pod in release.pods("spark-role=executor")}
    release.space("delete", "pod", min(before), "--grace-period=0", "--force")
    replaced = eventually(
        lambda: any(pod["metadata"]["name"] not in before for pod in release.pods("spark-role=executor")), 120
    )
    eventually(lambda: release.ended("infer-photos") is not None, 300)
    log = release.log("infer-photos")
    fetched = release.tinderbox("fetch", "photos")
    assert fetched.returncode == 0, fetched.stderr
    rows = ds.dataset(release.folder / "studies" / "photos" / "rows", partitioning="hive").to_table().to_pandas()
    yield Labelled(rows, done, replaced, release.ended("infer-photos"), log)
    unshare(release)


def told_rows(release: Release) -> int:
    """How many rows the driver's log says are done."""
    told = re.findall(r"^([\d,]+) rows", release.log("infer-photos"), re.MULTILINE)
    return int(told[-1].replace(",", "")) if told else 0


def test_every_photo_has_its_label_once(labelled: Labelled) -> None:
    """The labels that the model is known to give, each copy's once, though an executor was lost."""
    assert labelled.ended == "Complete", labelled.log
    good = labelled.rows[labelled.rows["error"].isna()]
    names = [Path(path).stem.rsplit("-", 1)[0] for path in good["path"]]
    assert Counter(names) == dict.fromkeys(TOP, COPIES)
    assert good["path"].is_unique
    wrong = [(name, label) for name, label in zip(names, good["label"], strict=True) if not label.startswith(TOP[name])]
    assert wrong == []


def test_broken_files_are_rows(labelled: Labelled) -> None:
    """Twenty of them, each with its reason and a sentence; no task has failed for one."""
    broken = labelled.rows[labelled.rows["error"].notna()]
    assert Counter(broken["reason"]) == {"truncated": 10, "empty": 5, "not_an_image": 5}
    assert broken["path"].str.contains("broken-").all()
    assert broken["error"].str.len().min() > 10


def test_both_nodes_worked_though_one_was_lost(labelled: Labelled) -> None:
    """Rows say which node they are from; the executor was taken in the middle, and another one came."""
    assert len(set(labelled.rows["node"]) - {"driver"}) >= 2
    assert 0 < labelled.done < COPIES * len(TOP) + BROKEN
    assert labelled.replaced
