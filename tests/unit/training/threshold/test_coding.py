"""Updates as messages: nothing is lost or invented, sizes, the adaptive threshold, and the speed's work."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tinderbox.config.train import Threshold
from tinderbox.training.threshold.coding import (
    BITMAP,
    EMPTY,
    HEADER,
    SPARSE,
    Coder,
    Message,
    code,
    round_threshold,
    unpack,
)
from tinderbox.training.worker.scores import Diverged

NEVER = 1_000_000
SIZES = (1, 15, 16, 17, 1_000, 4_097)


def settings(**given: Any) -> Threshold:
    """Return settings that clip late, unless told otherwise."""
    return Threshold(**{"name": "threshold", "clip_every": NEVER, **given})


def sent(message: Message) -> NDArray[np.float64]:
    """Return what a message adds, element by element."""
    parameters = np.zeros(message.size, np.float32)
    message.add_to(parameters)
    return parameters.astype(np.float64)


def updates(seed: int, size: int, steps: int, scale: float) -> list[NDArray[np.float32]]:
    """Return updates some of which are much larger than others, as gradients are."""
    draw = np.random.default_rng(seed)
    spread = np.exp(draw.normal(0, 1, size))
    return [(draw.normal(0, scale, size) * spread).astype(np.float32) for _ in range(steps)]


@pytest.mark.parametrize("seed", range(12))
def test_what_is_sent_and_what_is_left_are_the_update(seed: int) -> None:
    """Each step: the float32 sum of residual and update is sent plus left, exactly, below 65,536 thresholds."""
    size = SIZES[seed % len(SIZES)]
    scale, said = 10.0 ** -(2 + seed % 3), 0
    coder = Coder(size, settings(threshold=scale * 10.0 ** (seed % 4 - 1)))
    for step, update in enumerate(updates(seed, size, 60, scale), start=1):
        whole = coder.residual + update
        message = coder.encode(update, rank=seed, step=step)
        assert np.abs(whole).max() < 65_536 * message.tau
        said += message.kind != EMPTY
        assert (sent(message) + coder.residual.astype(np.float64) == whole.astype(np.float64)).all()
    assert said


@pytest.mark.parametrize("seed", range(6))
def test_all_that_was_sent_and_the_residual_are_the_sum_of_updates(seed: int) -> None:
    """Over all steps it is exact where float32 adds exactly: here, updates that are multiples of 2 ** -20."""
    size, total, everything = 2_000, np.zeros(2_000), np.zeros(2_000)
    coder = Coder(size, settings(threshold=2.0**-8, low=1e-3, high=2e-2))
    for step, update in enumerate(updates(seed, size, 80, 2e-3), start=1):
        grid = np.round(np.clip(update, -0.05, 0.05) * 2**20).astype(np.float32) / np.float32(2**20)
        coder.tau = max(round(coder.tau * 2**20), 1) / 2**20  # eight bits of it are multiples of the same
        message = coder.encode(grid, rank=0, step=step)
        everything += sent(message)
        total += grid
        assert (everything + coder.residual == total).all()
    assert np.abs(everything).max() > 0


def test_only_clipping_loses_something() -> None:
    """Every `clip_every` steps the residual is within `clip` thresholds, and what it lost is what it was beyond."""
    coder = Coder(500, settings(threshold=1e-3, adaptive=False, clip=5.0, clip_every=3))
    for step, update in enumerate(updates(3, 500, 30, 1e-3), start=1):
        whole = coder.residual + update
        message = coder.encode(update, rank=0, step=step)
        left = whole - sent(message).astype(np.float32)
        bound = np.float32(5) * np.float32(message.tau)
        if step % 3 == 0:
            assert np.abs(coder.residual).max() <= bound
            assert (coder.residual == np.clip(left, -bound, bound)).all()
        else:
            assert (coder.residual == left).all()
    assert np.abs(left).max() > bound


@pytest.mark.parametrize("size", SIZES)
def test_a_packed_message_is_read_as_it_was(size: int) -> None:
    """Bytes and back, for each kind; and decoding gives what the encoder took from the residual."""
    coder, kinds = Coder(size, settings(threshold=0.01, adaptive=False)), set()
    for step, scale in enumerate((1e-7, 3e-4, 0.02, 1.0, 1e-7, 2e-3), start=1):
        coder.residual[:] = 0
        (update,) = updates(step, size, 1, scale)
        message = coder.encode(update, rank=3, step=step)
        again = unpack(message.pack(), size)
        kinds.add(message.kind)
        assert again == message
        assert (again.rank, again.step) == (3, step)
        assert (update - sent(again).astype(np.float32) == coder.residual).all()
    assert kinds >= ({EMPTY, SPARSE, BITMAP} if size > 100 else {EMPTY, BITMAP})


def test_elements_are_whole_thresholds_or_half_a_negative_one() -> None:
    """A sparse message has plus and minus tau; a bitmap minus half of it besides."""
    tau = round_threshold(1e-3)
    coder = Coder(4_096, settings(threshold=tau, adaptive=False))
    update = np.zeros(4_096, np.float32)
    update[:9] = np.array([3, -3, 1.5, -1.5, 0.9, -0.9, 0.4, -0.4, -0.5]) * tau
    sparse = coder.encode(update, 0, 1)
    assert sparse.kind == SPARSE
    assert np.frombuffer(sparse.body, "<i4").tolist() == [1, -2, 3, -4]
    assert (sent(sparse)[:4] == np.array([tau, -tau, tau, -tau])).all()
    coder = Coder(9, settings(threshold=tau, adaptive=False))
    bitmap = coder.encode(update[:9], 0, 1)
    assert bitmap.kind == BITMAP
    assert sent(bitmap).tolist() == [tau, -tau, tau, -tau, 0, -tau / 2, 0, 0, -tau / 2]


def test_sizes_of_messages() -> None:
    """Five words; then a word for each element of a list, n / 16 words of a bitmap, none where nothing is large."""
    size = 16_000
    coder = Coder(size, settings(threshold=1e-3, adaptive=False))
    quiet, few, many = (np.zeros(size, np.float32) for _ in range(3))
    few[:160] = 2e-3
    many[:] = 2e-3
    assert len(coder.encode(quiet, 0, 1).pack()) == HEADER.size == 5 * 4
    assert len(coder.encode(few, 0, 2).pack()) == 4 * (5 + 160)  # a hundredth of 4 bytes a parameter
    assert len(coder.encode(many, 0, 3).pack()) == 4 * (5 + size // 16)


def test_the_switch_between_lists_and_bitmaps_has_two_places() -> None:
    """Up at n / 16 elements, down below half of what a bitmap has in words; in between it stays as it was."""
    size = 16_000
    coder = Coder(size, settings(threshold=1e-3, adaptive=False))

    def kind(elements: int) -> int:
        coder.residual[:] = 0
        update = np.zeros(size, np.float32)
        update[:elements] = 2e-3
        return coder.encode(update, 0, 1).kind

    up, down = size // 16, math.ceil((size / 16 + 5) / 2)
    assert kind(down) == BITMAP  # it begins with bitmaps
    assert [kind(number) for number in (down - 1, down, up - 1)] == [SPARSE] * 3
    assert [kind(number) for number in (up, down)] == [BITMAP] * 2
    assert kind(down - 1) == SPARSE
    assert kind(0) == EMPTY


def test_the_threshold_adapts() -> None:
    """Too few elements lower it, too many raise it, between the bounds it stays; a bitmap counts as a sixteenth."""
    size = 10_000

    def after(elements: int, **given: Any) -> float:
        bounds = {"low": 1e-4, "high": 1e-2}
        coder = Coder(size, settings(**{"threshold": 1.0, **(bounds if given.get("adaptive", True) else {}), **given}))
        update = np.zeros(size, np.float32)
        update[:elements] = 2.0
        coder.encode(update, 0, 1)
        return coder.tau

    down = 0.5 ** (1 / 20)
    assert after(0) == down
    assert after(1) == after(100) == 1.0
    assert after(101) == 1 / down
    assert after(5_000) == 1 / down
    assert after(5_000, high=0.07) == 1.0  # 1 / 16 is less
    assert after(0, adaptive=False) == after(5_000, adaptive=False) == 1.0


def test_twenty_steps_halve_the_threshold_and_it_never_vanishes() -> None:
    """DL4J's constant: twice in 20 steps, 1000 times in 200; where nothing is learnt it stops at a smallest one."""
    coder = Coder(1_000, settings(threshold=1e-3))
    silence, at = np.zeros(1_000, np.float32), {}
    for step in range(1, 3_001):
        coder.encode(silence, 0, step)
        at[step] = coder.tau
    assert at[20] == pytest.approx(5e-4)
    assert at[200] == pytest.approx(1e-3 / 1024)
    assert at[3_000] == 1e-12


def test_thresholds_have_eight_bits() -> None:
    """They are rounded to the nearest such number, within 0.2 %."""
    for tau in np.exp(np.random.default_rng(0).uniform(-25, 3, 500)):
        rounded = round_threshold(float(tau))
        assert abs(rounded - tau) <= tau * 2**-8
        assert np.float32(rounded) == rounded
        assert math.frexp(rounded)[0] * 256 % 1 == 0


def test_what_is_not_finite_ends_training() -> None:
    """A sentence about the learning rate, at once, instead of a residual that nobody ever hears of."""
    for bad in (math.nan, math.inf):
        coder = Coder(10, settings())
        with pytest.raises(Diverged, match=r"step 7: the update is not finite.*lower learning_rate"):
            coder.encode(np.array([bad] + [0.0] * 9, np.float32), 0, 7)


def test_what_is_no_message_is_refused() -> None:
    """Other sizes, kinds, lengths and numbers of parameters out of range are told, and never applied."""
    good = Message(SPARSE, 0, 1, 100, 0.5, np.array([1, -100], "<i4").tobytes())
    assert unpack(good.pack(), 100) == good
    bad = [
        good.pack()[:10],
        good.pack()[:-1],
        replace(good, size=101).pack(),
        replace(good, tau=math.nan).pack(),
        replace(good, rank=-1).pack(),
        replace(good, kind=9).pack(),
        replace(good, kind=BITMAP).pack(),
        replace(good, kind=EMPTY).pack(),
        replace(good, body=b"").pack(),
        *(replace(good, body=np.array([number], "<i4").tobytes()).pack() for number in (0, 101, -101, -(2**31))),
    ]
    for packed in bad:
        with pytest.raises(ValueError, match=r"message|body"):
            unpack(packed, 100)


def test_coding_in_one_go() -> None:
    """What the benchmark measures: encoded, packed, read and added."""
    coder, parameters = Coder(64, settings(threshold=1e-3)), np.zeros(64, np.float32)
    update = np.full(64, 1.5e-3, np.float32)
    message = code(coder, update, parameters, step=1)
    assert message.kind == BITMAP
    assert (parameters == np.float32(round_threshold(1e-3))).all()
    assert (parameters + coder.residual == update).all()
