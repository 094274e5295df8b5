"""What a study is run by."""

from __future__ import annotations

from dataclasses import dataclass

from tinderbox.sweeping.costs import Costs
from tinderbox.sweeping.rungs import Ladder


@dataclass(frozen=True)
class Rules:
    """What the coordinator decides by: `limit` trials and `seconds` of running time end the study where they are set.

    A slot that is silent for `lease_seconds` loses its trial; a trial lost more than `most_losses` times since it last
    saved its state has failed, and so has one whose attempt takes longer than `trial_seconds`. A node that loses
    `node_losses` attempts in a row is avoided for `avoid_seconds`. A trial's state is saved every `checkpoint_epochs`
    epochs, and once it is `checkpoint_seconds` old. So many trials wait `ahead` of need, beside one for each slot; of
    those that have never run the dearest goes first where `costs` are to be learnt, else the oldest. When the search is
    over its `top` trials are repeated with so many `seeds` each.
    """

    seed: int
    epochs: int
    limit: int | None = None
    seconds: float | None = None
    ladder: Ladder | None = None
    trial_seconds: float | None = None
    checkpoint_epochs: int | None = None
    checkpoint_seconds: float | None = None
    lease_seconds: float = 20.0
    most_losses: int = 3
    node_losses: int = 3
    avoid_seconds: float = 1800.0  # a machine that starts again takes minutes, and a try costs one attempt
    ahead: int = 2
    costs: Costs | None = None
    top: int = 0
    seeds: int = 0
