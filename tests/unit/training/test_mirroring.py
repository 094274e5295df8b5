"""GPUs of one worker; that replicas add up is among the tests of mode synchronous."""

from __future__ import annotations

import pytest

from tinderbox.errors import BadInput
from tinderbox.training.mirroring import share_out


def test_more_gpus_than_there_are() -> None:
    """Are refused with the number that TensorFlow finds; one needs no replicas."""
    with pytest.raises(BadInput, match=r"gpus: 99 are wanted in a worker, and TensorFlow finds \d+; ask for fewer"):
        share_out(99, 1)
    with share_out(1, 2) as scope:
        assert scope is None
