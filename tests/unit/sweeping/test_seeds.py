"""Seeds that depend on nothing but study, trial and purpose."""

from __future__ import annotations

from tinderbox.sweeping.seeds import derive


def test_seeds_are_the_same_everywhere() -> None:
    """On every machine and in every version: a change here changes every study."""
    assert [derive(7, 0, "train"), derive(7, 1, "train"), derive(7, 0, "search")] == [393969088, 1834709978, 75971499]


def test_seeds_differ() -> None:
    """By study, by trial and by purpose; and fit into 32 bits, which is what NumPy's and Keras's seeds take."""
    seeds = {
        derive(study, number, stream)
        for study in (0, 1, 2**63 - 1)
        for number in range(100)
        for stream in ("train", "search", "order")
    }
    assert len(seeds) == 900
    assert 0 <= min(seeds) <= max(seeds) < 2**32
