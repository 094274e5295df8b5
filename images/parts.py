"""Print what an image holds, by part and in MB. Runs inside the image, so it needs nothing but Python.

A MB is 10^6 bytes, as Docker counts; a file counts with its length.
"""

import os
import sys
from collections import Counter
from pathlib import Path

SITE = f"/opt/venv/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
# The first that fits; what is long is before what it starts with.
PARTS = {
    f"{SITE}/tensorflow/": "TensorFlow",
    f"{SITE}/pyspark/": "Spark",
    f"{SITE}/tinderbox": "Tinderbox",
    "/opt/venv/": "other Python packages",
    "/opt/tinderbox/cds/": "class-data archives",
    "/opt/java/": "Java",
    "/opt/": "Tinderbox",
    "/": "Debian and Python",
}
OTHER_SYSTEMS = {"/proc", "/sys", "/dev"}


def part(path: str) -> str:
    """The part that a file belongs to."""
    return next(name for start, name in PARTS.items() if path.startswith(start))


def sizes() -> Counter[str]:
    """The bytes of each part."""
    found: Counter[str] = Counter()
    seen = set()
    for folder, folders, files in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in OTHER_SYSTEMS]  # noqa: PTH118
        for name in files:
            path = os.path.join(folder, name)  # noqa: PTH118  a hundred thousand of them
            state = Path(path).lstat()
            if (state.st_dev, state.st_ino) not in seen:
                seen.add((state.st_dev, state.st_ino))
                found[part(path)] += state.st_size
    return found


def table(found: Counter[str]) -> str:
    """The sizes as text, the largest first."""
    lines = [f"{name:<24}{size / 1e6:8.0f} MB" for name, size in found.most_common()]
    return "\n".join([*lines, f"{'in all':<24}{found.total() / 1e6:8.0f} MB"])


if __name__ == "__main__":
    sys.stdout.write(table(sizes()) + "\n")
