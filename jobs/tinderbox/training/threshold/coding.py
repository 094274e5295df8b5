"""Updates as messages of plus or minus one threshold: what is left out stays with the sender and adds up.

Sources: N. Strom, Interspeech 2015; DL4J's EncodingHandler, AdaptiveThresholdAlgorithm, ResidualClippingPostProcessor.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinderbox.config.train import Threshold
from tinderbox.training.worker.scores import Diverged

Floats = NDArray[np.float32]

EMPTY, SPARSE, BITMAP = 0, 1, 2
"""Kinds of messages: nothing was large enough; a list of parameters; two bits for each parameter."""

HEADER = struct.Struct("<4if")
"""Kind, rank, step, number of parameters, threshold: five words."""

DENSE_RATIO = 1 / 16
"""The share of parameters that a bitmap counts as, which is its size beside that of all parameters."""

SMALLEST = 1e-12
"""The threshold goes no lower, lest it vanishes where nothing is to be learnt."""

# What the two bits of a parameter say: large, and negative; negative alone is half a step.
_STEPS = np.array([0.0, -0.5, 1.0, -1.0], np.float32)
_TABLE = _STEPS[np.arange(256, dtype=np.uint8)[:, None] >> np.array([6, 4, 2, 0], np.uint8) & 3]
"""The steps of four parameters by the byte that has their bits, of shape (256, 4)."""


@dataclass(frozen=True)
class Message:
    """What one worker, `rank`, has to say of its step number `step`: that `body` is to be added to `size` parameters.

    A sparse body is a list of int32, each a parameter's number counted from 1, negative where the threshold `tau` is
    to be subtracted; a bitmap has two bits a parameter: none, + `tau`, - `tau`, - `tau` / 2.
    """

    kind: int
    rank: int
    step: int
    size: int
    tau: float
    body: bytes = b""

    def pack(self) -> bytes:
        """Return the message as bytes: five words, then the body."""
        return HEADER.pack(self.kind, self.rank, self.step, self.size, self.tau) + self.body

    def add_to(self, parameters: Floats) -> None:
        """Add what the message says to a flat array of its `size`, in place."""
        if self.kind == SPARSE:
            words = np.frombuffer(self.body, "<i4")
            tau = np.float32(self.tau)
            parameters[np.abs(words) - 1] += np.where(words < 0, -tau, tau)
        elif self.kind == BITMAP:
            parameters += self._dense()

    def take_from(self, residual: Floats) -> None:
        """Subtract the same from a residual, which is exact: see `Coder`."""
        if self.kind == SPARSE:
            replace(self, tau=-self.tau).add_to(residual)
        elif self.kind == BITMAP:
            residual -= self._dense()

    def _dense(self) -> Floats:
        table = _TABLE * np.float32(self.tau)
        dense: Floats = np.take(table, np.frombuffer(self.body, np.uint8), axis=0).reshape(-1)[: self.size]
        return dense


def unpack(packed: bytes, size: int) -> Message:
    """Return the message in some bytes.

    Raises:
        ValueError: They are no message for a network of `size` parameters.
    """
    if len(packed) < HEADER.size:
        raise ValueError(f"a message has at least {HEADER.size} bytes, got {len(packed)}")
    kind, rank, step, parameters, tau = HEADER.unpack_from(packed)
    message = Message(kind, rank, step, parameters, tau, packed[HEADER.size :])
    if message.size != size or not np.isfinite(message.tau) or message.rank < 0:
        raise ValueError(f"a message is for {size} parameters and has a threshold, got {replace(message, body=b'')}")
    if not _fits(message):
        raise ValueError(f"a body of {len(message.body)} bytes is none of kind {message.kind} for {size} parameters")
    return message


def _fits(message: Message) -> bool:
    if message.kind != SPARSE:
        return len(message.body) == {EMPTY: 0, BITMAP: bitmap_bytes(message.size)}.get(message.kind, -1)
    if len(message.body) % 4 or not 0 < len(message.body) <= 4 * message.size:
        return False
    numbers = np.abs(np.frombuffer(message.body, "<i4").astype(np.int64))
    return bool(numbers.min() >= 1 and numbers.max() <= message.size)


def bitmap_bytes(size: int) -> int:
    """Return how long a bitmap of so many parameters is: two bits each, in whole words."""
    return 4 * -(-size // 16)


def round_threshold(tau: float) -> float:
    """Return a threshold with eight significant bits, so that its multiples are subtracted without rounding."""
    bits = np.array(tau, np.float32).view(np.uint32)
    return float(((bits + np.uint32(0x8000)) & np.uint32(0xFFFF0000)).view(np.float32))


class Coder:
    """Turns one worker's updates into messages, and keeps what they leave out in `residual`.

    What is conserved: a step adds its update to the residual in float32, one rounding for each parameter, and of that
    sum nothing is lost: it equals what was sent plus the new residual, exactly, as long as it is below 65,536
    thresholds, since a threshold has eight significant bits. So over all steps what was sent plus the residual is the
    sum of updates as float32 adds them up, and equals it exactly where those sums are exact. Only clipping, every
    `clip_every` steps, takes something away.
    """

    def __init__(self, size: int, settings: Threshold) -> None:
        self.residual: Floats = np.zeros(size, np.float32)
        self.tau = settings.threshold
        self._settings, self._bitmap = settings, True
        self._sizes: Floats = np.empty(size, np.float32)

    def encode(self, update: NDArray[Any], rank: int, step: int) -> Message:
        """Take in the update of a step and return the message of it.

        Raises:
            Diverged: The update, or what it adds up to, is not finite.
        """
        tau, size = np.float32(round_threshold(self.tau)), self.residual.size
        self.residual += update
        np.abs(self.residual, out=self._sizes)
        if size and not np.isfinite(self._sizes.max()):
            raise Diverged(f"step {step}: the update is not finite, training has diverged; lower learning_rate")
        large = self._sizes >= tau
        count = int(np.count_nonzero(large))
        self._bitmap = count >= ((size / 16 + 5) / 2 if self._bitmap else size / 16) and count > 0
        kind, body = self._body(large, tau) if count else (EMPTY, b"")
        message = Message(kind, rank, step, size, float(tau), body)
        message.take_from(self.residual)
        self._clip(step, tau)
        self._adapt(DENSE_RATIO if self._bitmap else count / max(size, 1))
        return message

    def _body(self, large: NDArray[np.bool_], tau: np.float32) -> tuple[int, bytes]:
        if not self._bitmap:
            indices = np.flatnonzero(large)
            numbers = np.where(self.residual[indices] < 0, -1 - indices, 1 + indices)
            return SPARSE, numbers.astype("<i4").tobytes()
        bits = np.empty((large.size, 2), np.bool_)
        bits[:, 0] = large
        np.less_equal(self.residual, -tau / 2, out=bits[:, 1])
        return BITMAP, np.packbits(bits).tobytes().ljust(bitmap_bytes(large.size), b"\0")

    def _clip(self, step: int, tau: np.float32) -> None:
        if step % self._settings.clip_every == 0:
            limit = np.float32(self._settings.clip) * tau
            np.clip(self.residual, -limit, limit, out=self.residual)

    def _adapt(self, ratio: float) -> None:
        if not self._settings.adaptive:
            return
        if ratio < self._settings.low:
            self.tau = max(self.tau * self._settings.decay, SMALLEST)
        elif ratio > self._settings.high:
            self.tau /= self._settings.decay


def code(coder: Coder, update: Floats, parameters: Floats, step: int) -> Message:
    """Do all that coding costs a step: the message of an update, packed, read again and added to the parameters."""
    message = unpack(coder.encode(update, 0, step).pack(), parameters.size)
    message.add_to(parameters)
    return message
