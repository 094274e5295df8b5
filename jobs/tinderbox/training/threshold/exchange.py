"""Mode threshold: each worker goes on by itself, and what it sends of its updates is added by all to what they have.

A worker's optimizer changes its own variables. That change, divided by the number of workers, goes through the coder;
what this sends is added here as everywhere, so every replica is what training began with plus all messages, but for the
order in which they were added. At the end of each epoch all messages are brought in, and all take over the parameters,
and the other variables of layers, of rank 0; in between, such as the statistics of BatchNorm are each worker's own.
Before a checkpoint all messages up to its step are brought in, so it holds the same steps of every worker.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinderbox.config.train import Threshold
from tinderbox.models.state import read_members
from tinderbox.training.channel import Channel
from tinderbox.training.exchange import Gradients, Traffic
from tinderbox.training.records import Assignment, Position
from tinderbox.training.sampling import Schedule
from tinderbox.training.threshold.coding import Coder
from tinderbox.training.threshold.mesh import Mesh
from tinderbox.training.threshold.replica import Arrays, Replica, pack_arrays, unpack_arrays

MEMBER = "threshold.npz"
"""The name under which a worker's own state lies in its part of a checkpoint."""

_log = logging.getLogger(__name__)


class ThresholdExchange:
    """Shares one worker's thresholded updates with the others, and takes in theirs.

    An epoch has `examples`. Where fewer workers go on than a checkpoint has parts of, rank 0 adds the residuals of
    those that are gone to its own; their optimizers' states are dropped.
    """

    every_worker_saves = True

    def __init__(self, assignment: Assignment, channel: Channel, settings: Threshold, examples: int) -> None:
        self._assignment, self._channel, self._settings = assignment, channel, settings
        self._examples = examples
        self._restored: Arrays = {}
        self._mesh: Mesh | None = None
        self._busy, self._seconds, self._counted, self._steps, self._size = threading.Lock(), 0.0, 0, 0, 0
        self._weights: Sequence[float] = ()

    def restore(self, members: Mapping[str, bytes]) -> None:
        """Take what `save` returned on the worker of this rank; empty where that one left none."""
        self._restored = unpack_arrays(members[MEMBER]) if MEMBER in members else {}

    def attach(self, model: Any, position: Position) -> Position:
        """Take the model, connect to the others, and begin with the weights of rank 0, or catch up."""
        import tensorflow as tf

        rank, workers = self._assignment.rank, self._assignment.workers
        self._replica, self._weight = Replica(model, workers, position.step), tf.Variable(1.0, trainable=False)
        self._size = self._replica.values.size
        self._coder = Coder(self._size, self._settings)
        self._start = self._here = position
        self._adopted = position.step - 1
        self._resume()
        self._replica.taus[:] = self._coder.tau
        self._mesh = Mesh(
            self._assignment,
            self._size,
            self._settings.staleness,
            -1 if self._assignment.rejoins else position.step,
            self._capture,
            lambda: self._channel.assignment().addresses,
        )
        _log.info("rank %d of %d shares updates of %d parameters", rank, workers, self._size)
        if self._assignment.rejoins:
            position = self._rejoin(self._mesh)
        if position.step == self._start.step:
            self._adopt(self._mesh, position.step)
        return position

    def begin(self, schedule: Schedule) -> None:
        """Have the gradients of the steps to come count by the weights of their examples."""
        self._weights, self._done = schedule.weights.tolist(), 0
        self._weigh()

    def apply(self, update: Callable[[Gradients], None], gradients: Gradients, variables: Sequence[Any]) -> None:
        """Take a step of this worker alone."""
        import tensorflow as tf

        known = [None if each is None else tf.convert_to_tensor(each) for each in gradients]
        update([None if each is None else each * tf.cast(self._weight, each.dtype) for each in known])

    def after_step(self, position: Position) -> None:
        """Send what the step changed, and take in what others have sent; wait where they are too far behind."""
        mesh = self._joined()
        with self._measured():
            with self._busy:
                update = self._replica.change() / np.float32(self._assignment.workers)
                message = self._coder.encode(update, mesh.rank, position.step)
                # Taken before this message leaves: no other goes beyond a common stop at this step without it.
                self._replica.add([message, *mesh.take()])
                self._here = position
                mesh.send(message, position)
            mesh.wait_for(position.step + 1 - self._settings.staleness)
            with self._busy:
                self._replica.add(mesh.take(position.step))
                self._replica.write()
        self._steps += 1
        self._done += 1
        self._weigh()

    def settle(self, position: Position) -> None:
        """Bring in all messages up to this position; at an epoch's end also agree on thresholds and weights."""
        mesh = self._joined()
        with self._measured():
            mesh.wait_for(position.step)
            with self._busy:
                self._replica.add(mesh.take(position.step))
                self._replica.write()
            if self._ends(position) and self._adopted < position.step:
                self._coder.tau = float(self._replica.taus.mean()) if self._settings.adaptive else self._coder.tau
                self._adopt(mesh, position.step)

    def total(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Each worker keeps its own metrics."""
        return sums

    def save(self) -> dict[str, bytes]:
        """Return the residual, the threshold and the optimizer's state."""
        own = {"residual": self._coder.residual, "tau": np.array(self._coder.tau)}
        return {MEMBER: pack_arrays({**own, **self._replica.optimizer()})}

    def traffic(self) -> Traffic:
        """Return what exchange has cost since the last call; what was passed on for others is in it."""
        sent = self._mesh.own + self._mesh.passed_on if self._mesh else 0
        traffic = Traffic(self._seconds, sent - self._counted, 4 * self._size * self._steps)
        self._seconds, self._counted, self._steps = 0.0, sent, 0
        return traffic

    def close(self) -> None:
        """Leave the tree."""
        if self._mesh is not None:
            self._mesh.close()
            _log.info("sent %d bytes of its own and passed on %d", self._mesh.own, self._mesh.passed_on)

    def _joined(self) -> Mesh:
        assert self._mesh is not None, "attach comes first"  # noqa: S101 - the protocol says so
        return self._mesh

    @contextmanager
    def _measured(self) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self._seconds += time.perf_counter() - begun

    def _weigh(self) -> None:
        weight = self._weights[self._done] if self._done < len(self._weights) else 1.0
        if weight != float(self._weight):
            self._weight.assign(weight)

    def _ends(self, position: Position) -> bool:
        return position.examples in (0, self._examples)

    def _adopt(self, mesh: Mesh, step: int) -> None:
        """Take over what rank 0 has after a step: parameters, and other variables of layers that are real numbers."""
        if mesh.rank == 0 and mesh.dense_step < step:
            mesh.send_dense(step, pack_arrays(self._replica.weights(whole=step == self._start.step)))
        content = unpack_arrays(mesh.wait_dense(step))
        with self._busy:
            self._replica.take_over(content)
            self._adopted = step

    def _resume(self) -> None:
        """Go on with the residual, threshold and optimizer of a checkpoint."""
        if self._restored:
            self._coder.residual[:] = self._restored["residual"]
            self._coder.tau = float(self._restored["tau"])
            self._replica.assign_optimizer(self._restored)
        resume = self._assignment.resume
        if resume is None or self._assignment.rank != 0 or self._assignment.rejoins:
            return
        for rank in sorted(resume.parts):
            if rank >= self._assignment.workers:
                with tempfile.TemporaryDirectory(prefix="tinderbox-") as folder:
                    members = read_members(self._channel.fetch(resume, rank, Path(folder)))
                self._coder.residual += unpack_arrays(members[MEMBER])["residual"]

    def _capture(self) -> tuple[bytes, list[int]]:
        """Return all that a worker goes on from that takes the place of a lost one; called in the mesh's thread."""
        with self._busy:
            arrays = {
                **self._replica.weights(whole=True),
                **self._replica.optimizer(),
                "taus": self._replica.taus,
                "tau": np.array(self._coder.tau),
                "applied": np.array(self._replica.applied),
                "adopted": np.array(self._adopted),
                "start": np.array(astuple(self._start)),
                "here": np.array(astuple(self._here)),
            }
            return pack_arrays(arrays), list(self._replica.applied)

    def _rejoin(self, mesh: Mesh) -> Position:
        """Go on from a neighbour's state, and after the last step of this rank that the others know."""
        content = unpack_arrays(mesh.rejoin())
        with self._busy:
            self._replica.take_over(content)
            self._replica.assign_optimizer(content)
            self._replica.applied, self._replica.taus = content["applied"].tolist(), content["taus"]
            self._coder.tau, self._adopted = float(content["tau"]), int(content["adopted"])
            self._start, there = (Position(*content[name].tolist()) for name in ("start", "here"))
        position, last = mesh.catch_up()
        with self._busy:
            self._replica.add(mesh.take(last))
            self._replica.write()
            self._here = self._after(self._start if position is None else position, there)
        _log.info("rank %d goes on after step %d in place of a lost worker", mesh.rank, last)
        return self._here

    def _after(self, position: Position, there: Position) -> Position:
        """Return where to go on: at an epoch's end before what ends it, unless the others have begun the next."""
        if position == self._start or not self._ends(position):
            return position
        if self._adopted >= position.step and there.step > position.step:
            return Position(position.epoch + 1, 0, position.step)
        return position
