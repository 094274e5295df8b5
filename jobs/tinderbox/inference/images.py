"""Images out of bytes: decoded, brought to one shape, or refused with a reason, whatever the bytes are."""

from __future__ import annotations

import io
import re
import threading
import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000")
"""What is read; among the others that PIL knows some start programs, and few are photographs."""

_STARTS = (
    (rb"\xff\xd8\xff", "JPEG"),
    (rb"\x89PNG", "PNG"),
    (rb"GIF8", "GIF"),
    (rb"RIFF....WEBP", "WebP"),
    (rb"II\*\x00|MM\x00\*", "TIFF"),
    (rb"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
)
_FOREIGN = (
    (rb"....ftyp(avi[fs]|hei[cx]|hev[cx]|mif1|msf1)", "AVIF or HEIC"),
    (rb"8BPS", "Photoshop"),
    (rb"%PDF", "PDF"),
    (rb"%!PS", "PostScript"),
    (rb"\x00\x00\x01\x00", "an icon"),
    (rb"\s*(<\?xml[^>]*>\s*)?<svg", "SVG"),
)
_VARIANT = re.compile(r"[Uu]nsupported|[Uu]nknown|not supported|not available|cannot handle")
_RESAMPLING = {"nearest": "NEAREST", "bilinear": "BILINEAR", "bicubic": "BICUBIC", "lanczos": "LANCZOS", "area": "BOX"}


class Unreadable(Exception):
    """Bytes that are no image we can use: one sentence, and the reason to count it by.

    That is empty, truncated (or damaged), not_an_image, too_large, wrong_channels or unsupported.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(reason, sentence)
        self.reason, self.sentence = reason, sentence


@dataclass(frozen=True)
class Frame:
    """What every image is brought to: `height` x `width` pixels of 1 channel, gray, or 3, red, green and blue.

    `resize` is nearest, bilinear, bicubic, lanczos or area; all but the first weigh every pixel when an image shrinks.
    `fit` is stretch, or crop: the largest part from the middle that has the frame's proportions. Images of more
    `pixels` and files of more than `size` bytes are refused before they are decoded.
    """

    height: int
    width: int
    channels: int
    resize: str = "bilinear"
    fit: str = "stretch"
    pixels: int = 100_000_000
    size: int = 64 << 20


def decode(content: bytes | memoryview, frame: Frame) -> NDArray[np.uint8]:
    """Return the image in a file's bytes, of shape (height, width, channels), its first frame where it has several.

    As by Keras's load_img and tf.io.decode_image, what is under transparent pixels shows, and EXIF's orientation is
    not applied. 16-bit gray loses its lower half. Any number of threads may call it.

    Raises:
        Unreadable: The bytes are no such image; nothing else is raised, whatever they are.
    """
    if not len(content):
        raise Unreadable("empty", "the file is empty")
    if len(content) > frame.size:
        raise Unreadable(
            "too_large",
            f"a file may have {frame.size:,} bytes, got {len(content):,}; raise limits.bytes for larger ones",
        )
    try:
        with _silence, _open(content) as image:
            return _read(image, frame)
    except Unreadable:
        raise
    except Exception as error:  # PIL's readers raise almost anything at damaged files
        raise _explain(error, bytes(content[:1024])) from error


def thumbnail(image: NDArray[np.uint8], side: int = 96) -> bytes:
    """Return a JPEG file of a decoded image, each side of at most `side` pixels."""
    from PIL import Image

    small = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    small.thumbnail((side, side))
    file = io.BytesIO()
    small.save(file, "JPEG")
    return file.getvalue()


class _Silence:
    """Hides PIL's warnings, in whichever thread, while any thread is inside."""

    # catch_warnings alone would let one thread restore the filters while another still needs them.

    def __init__(self) -> None:
        self._lock, self._inside, self._stack = threading.Lock(), 0, ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._stack.enter_context(warnings.catch_warnings())
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._stack.close()


_silence = _Silence()


def _open(content: bytes | memoryview) -> Image.Image:
    """Return an image of which only the header was read."""
    from PIL import Image

    return Image.open(io.BytesIO(content), formats=_FORMATS)


def _read(image: Image.Image, frame: Frame) -> NDArray[np.uint8]:
    from PIL import Image

    width, height = image.size
    if width * height > frame.pixels:
        raise Unreadable(
            "too_large",
            f"an image may have {frame.pixels:,} pixels, got {width} x {height}; raise limits.pixels for larger ones",
        )
    if frame.resize == "bilinear":
        # JPEG decodes to a half, quarter or eighth for less; twice the frame is kept, so that no pixel changes by much.
        image.draft(image.mode, (2 * frame.width, 2 * frame.height))
    image.load()
    shaped = _convert(image, "L" if frame.channels == 1 else "RGB").resize(
        (frame.width, frame.height), Image.Resampling[_RESAMPLING[frame.resize]], _box(image.size, frame)
    )
    return np.asarray(shaped).reshape(frame.height, frame.width, frame.channels)


def _convert(image: Image.Image, mode: str) -> Image.Image:
    """Return an image in mode L or RGB."""
    from PIL import Image

    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise Unreadable("wrong_channels", "its pixels are numbers of 32 bits, and gray has 8 or 16")
        image = Image.fromarray((values >> 8).astype(np.uint8))
    if image.mode == "F":
        raise Unreadable("wrong_channels", "its pixels are floating-point numbers, which have no black and white")
    try:
        return image if image.mode == mode else image.convert(mode)
    except ValueError as error:
        raise Unreadable("wrong_channels", f"its channels are {image.mode}, which cannot be made {mode}") from error


def _box(size: tuple[int, int], frame: Frame) -> tuple[float, float, float, float] | None:
    """Return the part that fills the frame, None for all of it."""
    if frame.fit == "stretch":
        return None
    scale = min(size[0] / frame.width, size[1] / frame.height)
    left, top = (size[0] - scale * frame.width) / 2, (size[1] - scale * frame.height) / 2
    return left, top, size[0] - left, size[1] - top


def _explain(error: Exception, start: bytes) -> Unreadable:
    """Return why PIL cannot read bytes that start like this."""
    from PIL import Image, UnidentifiedImageError

    reason = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, Image.DecompressionBombError | MemoryError):
        return Unreadable("too_large", f"it is larger than an image may be: {reason}")
    if not isinstance(error, UnidentifiedImageError):
        if isinstance(error, NotImplementedError) or _VARIANT.search(reason):
            return Unreadable("unsupported", f"it is of a kind that cannot be read: {reason}")
        return Unreadable("truncated", f"it is cut short or damaged: {reason}")
    if kind := _kind(start, _FOREIGN):
        return Unreadable("unsupported", f"it is {kind}, which is not read; convert it to JPEG or PNG")
    if kind := _kind(start, _STARTS):
        return Unreadable("truncated", f"it begins as {kind} and is cut short or damaged before its first pixel")
    return Unreadable("not_an_image", f"it is no image of a kind that is read: {', '.join(_FORMATS)}")


def _kind(start: bytes, table: tuple[tuple[bytes, str], ...]) -> str:
    return next((name for pattern, name in table if re.match(pattern, start, re.DOTALL)), "")
