"""Sums over all workers by TensorFlow's collective operations, which its distributed runtime carries between them.

The runtime knows its peers once a strategy of several workers was made, which is used for nothing else: Keras 3 does
not train under one. It cannot be ended or begun anew, so each attempt has a process of its own. When a peer goes away,
every operation that waits for it fails with an `UnavailableError`, and all later ones do.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from tinderbox.errors import TinderboxError

_GROUP = 7_100
"""The key of our group; TensorFlow's strategies count theirs from 1."""


def start_runtime(addresses: Sequence[str], rank: int) -> Any:
    """Connect this process with all others, wait for them, and return what keeps the connection; it listens at its own.

    It has to be called before any operation of TensorFlow.

    Raises:
        TinderboxError: It cannot listen.
    """
    cluster = {"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": rank}}
    os.environ["TF_CONFIG"] = json.dumps(cluster)
    import tensorflow as tf

    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.UnknownError as error:  # the only reason it has for its server is printed, and not raised
        told = f"port {addresses[rank].rpartition(':')[2]}, for sums with other workers: {error.message}"
        raise TinderboxError(f"{told}; end what else listens there") from error


def add_up(vector: Any, workers: int, instance: int) -> Any:
    """Return the sum of a vector over all workers, the same bits for each.

    Those that belong together have the same `instance`, a number of one length and type of vectors. It may be part of
    a graph.
    """
    import tensorflow as tf

    return tf.raw_ops.CollectiveReduceV2(
        input=vector,
        group_size=workers,
        group_key=_GROUP,
        instance_key=instance,
        ordering_token=[],
        merge_op="Add",
        final_op="Id",
    )
