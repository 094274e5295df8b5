"""Images out of bytes: one shape for all, a reason for what is none, and never another exception."""

from __future__ import annotations

import io
import os
import struct
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile, TiffImagePlugin

from tinderbox.inference.images import Frame, Unreadable, decode, thumbnail

DATA = Path(os.environ.get("TINDERBOX_DATA", Path(__file__).parents[4] / "shared" / "data"))
PHOTOS = sorted(DATA.glob("photos/*"))

RGB = Frame(32, 48, 3)
GRAY = Frame(32, 48, 1)

REASONS = {"empty", "truncated", "not_an_image", "too_large", "wrong_channels", "unsupported"}
FORMATS = ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000"]


def picture(mode: str = "RGB", size: tuple[int, int] = (64, 40)) -> Image.Image:
    """Return a picture with a red left half and a blue right half, in some mode."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[:, : size[0] // 2, 0] = 250
    pixels[:, size[0] // 2 :, 2] = 250
    return Image.fromarray(pixels).convert(mode)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """Return an image as a file's bytes."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def refusal(content: bytes, frame: Frame = RGB) -> tuple[str, str]:
    """Return why some bytes are not decoded: the reason and the sentence."""
    with pytest.raises(Unreadable) as caught:
        decode(content, frame)
    return caught.value.reason, caught.value.sentence


@pytest.mark.parametrize("frame", [RGB, GRAY])
@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_has_one_shape(kind: str, frame: Frame) -> None:
    """The halves of a picture are where they were, in colour or in gray."""
    image = decode(memoryview(encoded(picture(), kind)), frame)
    assert (image.shape, image.dtype) == ((32, 48, frame.channels), np.uint8)
    left, right = ([250, 0, 0], [0, 0, 250]) if frame.channels == 3 else ([75], [28])
    assert np.abs(image[16, 8].astype(int) - left).max() <= 8
    assert np.abs(image[16, 40].astype(int) - right).max() <= 8


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("1", "PNG"), ("L", "PNG"), ("LA", "PNG"), ("P", "PNG"), ("RGBA", "PNG"), ("CMYK", "TIFF"), ("YCbCr", "TIFF")],
)
def test_every_mode_becomes_colour_and_gray(mode: str, kind: str) -> None:
    """What PIL converts is converted as PIL does it."""
    original = picture(mode, (48, 32))
    content = encoded(original, kind)
    assert np.abs(decode(content, RGB).astype(int) - np.asarray(original.convert("RGB"))).max() <= 2
    assert np.abs(decode(content, GRAY)[..., 0].astype(int) - np.asarray(original.convert("L"))).max() <= 2


def test_cmyk_photographs_keep_their_colours() -> None:
    """A JPEG for print is turned into red, green and blue."""
    image = decode(encoded(picture("CMYK"), "JPEG", quality=95), RGB)
    assert np.abs(image[16, 8].astype(int) - [250, 0, 0]).max() <= 12


def test_what_is_under_transparency_shows() -> None:
    """Keras's load_img and tf.io.decode_image drop an alpha channel, and networks were trained on what they gave."""
    clear = picture("RGBA")
    clear.putalpha(0)
    assert decode(encoded(clear), RGB)[16, 8].tolist() == [250, 0, 0]
    palette = picture("P")
    for transparency in (0, bytes(256)):
        assert decode(encoded(palette, transparency=transparency), RGB)[16, 8, 0] > 200


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_lose_the_lower_half(kind: str) -> None:
    """Gray of 16 bits is scaled, not cut off at 255."""
    ramp = np.linspace(0, 65535, 48, dtype=np.uint16)
    content = encoded(Image.fromarray(np.tile(ramp, (32, 1))), kind)
    assert decode(content, GRAY)[0, :, 0].tolist() == (ramp >> 8).tolist()
    assert decode(content, RGB)[0, :, 2].tolist() == (ramp >> 8).tolist()


@pytest.mark.parametrize(
    "pixels", [np.full((4, 4), 0.5, np.float32), np.full((4, 4), 1 << 20, np.int32), np.full((4, 4), -1, np.int32)]
)
def test_numbers_that_are_no_gray_are_refused(pixels: np.ndarray) -> None:
    """Measurements of 32 bits have no black and white that one could guess."""
    reason, sentence = refusal(encoded(Image.fromarray(pixels), "TIFF"))
    assert reason == "wrong_channels"
    assert sentence.startswith("its pixels are ")


def test_channels_that_cannot_be_converted_are_refused() -> None:
    """PIL knows no way from LAB to gray."""
    content = encoded(Image.new("LAB", (8, 8)), "TIFF")
    assert refusal(content, GRAY) == ("wrong_channels", "its channels are LAB, which cannot be made L")
    assert decode(content, RGB).shape == (32, 48, 3)


@pytest.mark.parametrize("resize", ["nearest", "bilinear", "bicubic", "lanczos", "area"])
def test_the_way_of_resizing_is_pils(resize: str) -> None:
    """Each name gives what PIL gives by its own name for it."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8))
    own = Image.Resampling["BOX" if resize == "area" else resize.upper()]
    expected = np.asarray(image.resize((48, 32), own))
    assert np.array_equal(decode(encoded(image), Frame(32, 48, 3, resize)), expected)


def test_a_crop_keeps_proportions_and_the_middle() -> None:
    """A wide image loses its sides, a tall one its top and bottom; a stretched one loses nothing."""
    bars = np.zeros((20, 60, 3), np.uint8)
    bars[:, 20:40] = 200
    for pixels in (bars, bars.transpose(1, 0, 2)):
        content = encoded(Image.fromarray(pixels))
        assert decode(content, Frame(10, 10, 3, fit="crop")).min() > 150  # the pixels beside the edge weigh in
        assert decode(content, Frame(10, 10, 3)).min() == 0


def test_big_jpegs_are_decoded_small_and_nearly_the_same() -> None:
    """Decoding to a quarter changes no pixel by much, against decoding all of it."""
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (60, 80, 3), np.uint8)).resize((1600, 1200), Image.Resampling.BICUBIC)
    content = encoded(smooth, "JPEG", quality=90)
    expected = np.asarray(Image.open(io.BytesIO(content)).resize((200, 150), Image.Resampling.BILINEAR))
    for fit in ("stretch", "crop"):
        assert np.abs(decode(content, Frame(150, 200, 3, fit=fit)).astype(int) - expected).mean() < 1


def test_only_the_first_frame_is_read() -> None:
    """An animation or a file of several pages is its first image."""
    frames = [picture(), Image.new("RGB", (64, 40), (0, 250, 0))]
    for kind in ("GIF", "TIFF", "WEBP"):
        content = encoded(frames[0], kind, save_all=True, append_images=frames[1:] * 5)
        assert decode(content, RGB)[16, 8, 0] > 230


def test_orientation_is_not_applied() -> None:
    """As by load_img, a photograph is as the camera wrote it."""
    exif = Image.Exif()
    exif[0x0112] = 3
    assert decode(encoded(picture(), "JPEG", exif=exif), RGB)[16, 8, 0] > 200


def test_sizes_are_refused_before_anything_is_decoded() -> None:
    """Bytes are counted first, then pixels by what the header says, even of an image that is not there."""
    content = encoded(picture())
    assert refusal(b"x" * 11, Frame(8, 8, 3, size=10)) == (
        "too_large",
        "a file may have 10 bytes, got 11; raise limits.bytes for larger ones",
    )
    reason, sentence = refusal(content[:60], Frame(8, 8, 3, pixels=2559))
    assert (reason, sentence) == (
        "too_large",
        "an image may have 2,559 pixels, got 64 x 40; raise limits.pixels for larger ones",
    )
    assert decode(content, Frame(8, 8, 3, pixels=2560)).shape == (8, 8, 3)


@pytest.mark.parametrize("side", [9_600, 12_000, 60_000])
def test_bombs_do_not_go_off(side: int) -> None:
    """A header of many pixels is no warning, no error of PIL's and no memory."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    content = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000)))
    small = Frame(8, 8, 3, pixels=90_000_000)
    assert refusal(content, small)[0] == "too_large"


def foreign() -> dict[str, tuple[bytes, str]]:
    """Return bytes that are no image that is read, and the reason."""
    return {
        "text": (b"hello, world", "not_an_image"),
        "zeros": (bytes(5000), "not_an_image"),
        "empty": (b"", "empty"),
        "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "unsupported"),
        "svg": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "unsupported"),
        "postscript": (encoded(picture(), "EPS"), "unsupported"),
        "icon": (encoded(picture(), "ICO"), "unsupported"),
        "bitmap": (encoded(picture(), "BMP")[:28] + b"\x07\0" + bytes(100), "unsupported"),
        "signature": (b"\xff\xd8\xff\xe0", "truncated"),
        "half": (encoded(picture(), "JPEG")[:400], "truncated"),
    }


@pytest.mark.parametrize("name", foreign())
def test_reasons_tell_what_is_wrong(name: str) -> None:
    """A sentence says more than the reason that it is counted by."""
    content, reason = foreign()[name]
    got, sentence = refusal(content)
    assert got == reason
    assert sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_cut_short_is_truncated(kind: str) -> None:
    """Wherever a file ends too early, it is refused, unless all pixels had come already."""
    pixels = np.random.default_rng(1).integers(0, 256, (40, 64, 3), np.uint8)
    content = encoded(Image.fromarray(pixels), kind)
    for length in range(12, len(content) // 2, 97):
        assert refusal(content[:length])[0] in {"truncated", "unsupported", "not_an_image"}
    assert refusal(content[: len(content) // 2])[0] == "truncated"


def survives(content: bytes, frame: Frame) -> str:
    """Return the reason for some bytes, or nothing where they are an image; anything else raised is a failure."""
    try:
        image = decode(content, frame)
    except Unreadable as refused:
        return refused.reason if refused.reason in REASONS else pytest.fail(f"no such reason: {refused}")
    assert image.shape == (frame.height, frame.width, frame.channels)
    return ""


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Return bytes with some changed, most of them near the beginning, or a piece cut out or doubled."""
    found = bytearray(content)
    for _ in range(rng.integers(1, 12)):
        reach = len(found) if rng.random() < 0.3 else min(len(found), 200)
        found[rng.integers(reach)] = rng.integers(256)
    if rng.random() < 0.3:
        begin, end = sorted(rng.integers(0, len(found), 2))
        found = found[:begin] + found[end:] if rng.random() < 0.5 else found[:end] + found[begin:]
    return bytes(found)


@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_files_are_images_or_refused(kind: str) -> None:
    """Whatever happens to the bytes of a file, nothing but a refusal is raised."""
    rng = np.random.default_rng(FORMATS.index(kind))
    content = encoded(picture(), kind)
    seen = {survives(mutated(content, rng), [RGB, GRAY][index % 2]) for index in range(250)}
    assert "truncated" in seen


@pytest.mark.skipif(not PHOTOS, reason="the photographs are not here")
def test_damaged_photographs_are_images_or_refused() -> None:
    """The same with real photographs, whose files have more in them; whole ones are images."""
    rng = np.random.default_rng(0)
    for path in PHOTOS:
        content = path.read_bytes()
        assert not survives(content, RGB)
        assert refusal(content[: len(content) // 2])[0] == "truncated"
        for _ in range(6):
            survives(mutated(content, rng), RGB)


def test_noise_is_no_image() -> None:
    """Random bytes are refused, those after the beginning of a format too."""
    rng = np.random.default_rng(0)
    starts = [b"", *(encoded(picture(), kind)[:20] for kind in FORMATS)]
    for index in range(300):
        start = starts[index % len(starts)]
        assert survives(start + rng.bytes(int(rng.integers(1, 2000))), RGB) in REASONS or start


def test_warnings_stay_inside_threads_and_settings_stay() -> None:
    """No warning of PIL's comes out of any thread, the filters are as before, and so is what PIL is set to."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[270] = "a description"
    noisy = bytearray(encoded(picture(), "TIFF", tiffinfo=tags))
    bomb = encoded(Image.new("1", (9_600, 9_600)))
    before = (list(warnings.filters), Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    frame = Frame(8, 8, 1, pixels=90_000_000)
    with ThreadPoolExecutor(4) as threads:
        reasons = list(threads.map(lambda content: survives(content, frame), [bomb, bytes(noisy[:-20])] * 20))
    assert reasons[::2] == ["too_large"] * 20
    assert (list(warnings.filters), Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES) == before


def test_pil_is_imported_late() -> None:
    """The module is imported by whoever describes a job, and PIL by who decodes."""
    assert "PIL" not in vars(sys.modules["tinderbox.inference.images"])


def test_refusals_can_be_sent() -> None:
    """A refusal goes through a pickle as it is: threads and processes hand it on."""
    import pickle

    refused = pickle.loads(pickle.dumps(Unreadable("empty", "the file is empty")))  # noqa: S301 - it is our own
    assert (refused.reason, refused.sentence) == ("empty", "the file is empty")


@pytest.mark.parametrize("channels", [1, 3])
def test_a_thumbnail_is_a_small_jpeg(channels: int) -> None:
    """The longer side becomes 96 pixels; what is smaller stays."""
    for shape, size in (((200, 400), (96, 48)), ((8, 8), (8, 8))):
        small = Image.open(io.BytesIO(thumbnail(np.full((*shape, channels), 99, np.uint8))))
        assert (small.format, small.size, small.mode) == ("JPEG", size, "L" if channels == 1 else "RGB")
        assert small.getpixel((1, 1)) == (99 if channels == 1 else (99, 99, 99))
