"""What one does without Tinderbox: plain `fit` in a process of its own, and a custom loop of tf.distribute in two.

They train LeNet-5 on the arrays of an npz file, with as many threads a process as one of our workers has.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import numpy as np

RATE = 0.05


def fit_seconds(path: str, batch: int, epochs: int, threads: int) -> list[float]:
    """Return the seconds of each epoch of a plain `fit` but the first, with all that it takes: validation, too."""
    (told,) = _run([("fit", path, batch, epochs)], threads, [{}])
    return told


def distribute_seconds(path: str, batch: int, epochs: int, threads: int, workers: int) -> list[float]:
    """Return the seconds that the steps of each epoch take in a custom loop under MultiWorkerMirroredStrategy.

    `batch` is of one worker.
    """
    hosts = [f"127.0.0.1:{port}" for port in _free_ports(workers)]
    roles: list[Mapping[str, str]] = [
        {"TF_CONFIG": json.dumps({"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}})}
        for index in range(workers)
    ]
    return _run([("distribute", path, batch, epochs)] * workers, threads, roles)[0]


def _run(commands: list[tuple[Any, ...]], threads: int, roles: list[Mapping[str, str]]) -> list[list[float]]:
    """Run processes side by side, and return what each tells."""
    count = {"TF_NUM_INTRAOP_THREADS": str(threads), "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.bench.rivals", *map(str, command)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **count, **role},
        )
        for command, role in zip(commands, roles, strict=True)
    ]
    told = [process.communicate()[0] for process in running]
    assert not any(process.returncode for process in running), [process.returncode for process in running]
    return [json.loads(text.splitlines()[-1]) for text in told]


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody has now; they are asked for at the same time, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        with closing(each):
            pass
    return ports


def _network(shape: tuple[int, ...]) -> Any:
    from tinderbox.models.lenet5 import build

    return build(shape, 10)


def _fit(path: str, batch: int, epochs: int) -> list[float]:
    """Train as a script does, with the metrics that our workers have."""
    import keras

    data = np.load(path)
    ends: list[float] = []
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(time.monotonic()))
    model = _network(data["x_train"].shape[1:])
    model.compile(
        keras.optimizers.SGD(RATE),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["sparse_categorical_accuracy", keras.metrics.SparseTopKCategoricalAccuracy(5)],
    )
    held_out = data["x_validation"], data["y_validation"]
    model.fit(
        data["x_train"],
        data["y_train"],
        batch_size=batch,
        epochs=epochs,
        validation_data=held_out,
        validation_batch_size=max(batch, 32),  # as a worker's
        callbacks=[clock],
        verbose=0,
    )
    return np.diff(ends).tolist()


def _distribute(path: str, batch: int, epochs: int) -> list[float]:
    """Train in step with the other processes that TF_CONFIG names, as TensorFlow's guide to custom loops does."""
    import keras
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    workers, rank = strategy.num_replicas_in_sync, strategy.cluster_resolver.task_id
    data = np.load(path)
    mine = slice(rank, len(data["x_train"]) // workers * workers, workers)
    pairs = tf.data.Dataset.from_tensor_slices((data["x_train"][mine], data["y_train"][mine]))
    batches = pairs.shuffle(10_000, seed=rank).batch(batch, drop_remainder=True).prefetch(2)
    with strategy.scope():
        model = _network(data["x_train"].shape[1:])
        optimizer = keras.optimizers.SGD(RATE)
        optimizer.build(model.trainable_variables)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")

    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True)) / (batch * workers)
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return value

    @tf.function
    def run(x: Any, y: Any) -> Any:
        return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(step, (x, y)), axis=None)

    seconds = []
    for _ in range(epochs):
        begin = 0.0
        for x, y in batches:
            begin = begin or time.monotonic()
            run(x, y)
        seconds.append(time.monotonic() - begin)
    return seconds


if __name__ == "__main__":
    kind, archive, *numbers = sys.argv[1:]
    found = {"fit": _fit, "distribute": _distribute}[kind](archive, *map(int, numbers))
    print(json.dumps(found))  # noqa: T201 - what the process is for
