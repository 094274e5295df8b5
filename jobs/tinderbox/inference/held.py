"""Images of a data set that lies in memory, as the files that they would be."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinderbox.data import Examples
from tinderbox.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa


def file_tables(examples: Examples, classes: list[str] | None, part: str, rows: int) -> Iterator[pa.Table]:
    """Yield tables of the columns `path` and `content`, a PNG file each, in folders called like their classes.

    Raises:
        BadInput: The examples are no images.
    """
    import pyarrow as pa

    x, y, names = examples.x, examples.y, folder_names(classes or ())
    if x.dtype != np.uint8 or x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[-1] not in (1, 3)):
        raise BadInput(
            f"input: data must be images, bytes of shape (n, height, width, 1 or 3), got {x.dtype} of shape {x.shape}; "
            "write rows of numbers to Parquet, and name them as features"
        )
    for begin in range(0, len(x), rows):
        some = range(begin, min(begin + rows, len(x)))
        folders = [names[int(y[row])] if classes else str(y[row]) for row in some]
        paths = [f"{part}/{folder}/{row:06d}.png" for folder, row in zip(folders, some, strict=True)]
        yield pa.table({"path": paths, "content": pa.array([_png(x[row]) for row in some], pa.binary())})


def folder_names(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the names of classes as folders can have them: a folder's name is the true label of what is in it."""
    return tuple("_" if name.strip(".") == "" else name.replace("/", "_") for name in classes)


def _png(image: NDArray[Any]) -> bytes:
    from PIL import Image

    sink = io.BytesIO()
    Image.fromarray(image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image).save(sink, "PNG")
    return sink.getvalue()
