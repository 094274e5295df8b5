"""Memory while 200,000 small images in tar archives are labelled: of the driver, its Java, and each worker.

The picture of it is written to build/flat.png.
"""

from __future__ import annotations

import io
import tarfile
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil
from PIL import Image

from tests.bench.labels import session
from tests.bench.rows import Row
from tinderbox.api.infer import run_inference
from tinderbox.api.inference import make_infer_plan
from tinderbox.config import check_infer

IMAGES, ARCHIVES, SLOTS = 200_000, 50, 2
PICTURE = Path("build", "flat.png")
GROWTH = 1.25
"""What a process may have grown by from the end of its first fifth: the more it works, the more it has warmed up."""


def measure() -> list[Row]:
    """Label them, and return a row for each kind of process."""
    with TemporaryDirectory(prefix="tinderbox-bench-") as scratch:
        folder = Path(scratch)
        draw(folder)
        tree = {
            "kind": "infer",
            "name": "flat",
            "model": str(folder / "model.keras"),
            "input": {"source": "tar", "path": str(folder / "images")},
            "slots": SLOTS,
            "batch": 128,
            "xla": False,
            "limits": {"volume": 32 << 20},
            "storage": str(folder / "studies"),
        }
        plan = make_infer_plan(check_infer(tree, "the bench"), folder)
        spark = session(SLOTS)
        try:
            with Memory() as memory:
                done = run_inference(plan, spark=spark).done
        finally:
            spark.stop()
    assert (done.rows, done.labelled) == (IMAGES, IMAGES)
    memory.draw(PICTURE)
    return [memory.row(kind, f"{done.rate or 0:,.0f} images/s") for kind in ("driver", "java", "workers")]


def draw(folder: Path) -> None:
    """Write the archives and a small network."""
    import keras

    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    files = []
    for _ in range(256):
        sink = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (28, 28), np.uint8)).save(sink, "PNG")
        files.append(sink.getvalue())
    for archive in range(ARCHIVES):
        with tarfile.open(folder / "images" / f"{archive:03d}.tar", "w") as tar:
            for number in range(IMAGES // ARCHIVES):
                member = tarfile.TarInfo(f"{archive:03d}-{number:06d}.png")
                content = files[number % len(files)]
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(8, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, "softmax"),
        ]
    )
    model.save(folder / "model.keras")


class Memory:
    """Looks every second at the resident memory of this process, of Java, and of the workers, in MiB."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.sizes: dict[str, list[float]] = {"driver": [], "java": [], "workers": []}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        begin, this = time.monotonic(), psutil.Process()
        while not self._over.wait(1):
            found = dict.fromkeys(self.sizes, 0.0) | {"driver": this.memory_info().rss / (1 << 20)}
            for child in this.children(recursive=True):
                try:
                    size, name = child.memory_info().rss / (1 << 20), child.name()
                except psutil.NoSuchProcess:
                    continue
                found["java" if name == "java" else "workers"] += size
            self.times.append(time.monotonic() - begin)
            for kind, size in found.items():
                self.sizes[kind].append(size)

    def row(self, kind: str, rate: str) -> Row:
        """Return the row of one kind: its largest size after the first fifth, and in the last one."""
        sizes = self.sizes[kind]
        fifth = len(sizes) // 5
        early, late = max(sizes[fifth : 2 * fifth]), max(sizes[-fifth:])
        what = f"{IMAGES:,} images in {ARCHIVES} tars, {rate}: memory of {kind}"
        growth = late / early
        return Row(
            what,
            f"{late:,.0f} MiB in the last fifth",
            f"{early:,.0f} MiB in the second",
            f"{growth:.2f}x",
            f"<= {GROWTH}x",
            growth <= GROWTH,
        )

    def draw(self, path: Path) -> None:
        """Write the picture."""
        from matplotlib.figure import Figure

        figure = Figure((8, 4), layout="constrained")
        axes = figure.subplots()
        for kind, sizes in self.sizes.items():
            axes.plot(self.times, sizes, label=kind)
        axes.set(xlabel="seconds", ylabel="MiB", ylim=(0, None), title=f"{IMAGES:,} images in {ARCHIVES} tar archives")
        axes.legend()
        path.parent.mkdir(exist_ok=True)
        figure.savefig(path, dpi=120)
