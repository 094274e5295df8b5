"""Colours by name, of series, and along scales."""

from __future__ import annotations

import pytest

from monitoring.preview.colors import PALETTE, color, of_series, on_scale
from monitoring.preview.errors import Unsupported


def test_names_and_numbers() -> None:
    """In each way that a dashboard writes them."""
    assert color("green") == "#73BF69"
    assert color("semi-dark-orange") == "#FF780A"
    assert color("#705DA0") == "#705DA0"
    assert color("rgba(128, 128, 128, 0.3)") == "#8080804c"


@pytest.mark.parametrize("name", ["greenish", "#12", "rgb(1, 2, 3)"])
def test_a_colour_that_is_not_known(name: str) -> None:
    """Is refused."""
    with pytest.raises(Unsupported, match="is not drawn here; add it to monitoring"):
        color(name)


def test_series_have_colours_in_turn() -> None:
    """And begin anew when all are used."""
    assert (of_series(0), of_series(1)) == (color("green"), color("semi-dark-yellow"))
    assert of_series(len(PALETTE)) == of_series(0)


def test_between_two_colours() -> None:
    """Also with a third one in the middle, and never beyond the ends."""
    assert on_scale(["#000000", "#0000ff"], 0.5) == "#000080"
    assert on_scale(["#000000", "#0000ff", "#ff00ff"], 0.5) == "#0000ff"
    assert on_scale(["#000000", "#0000ff"], 7) == "#0000ff"
    assert on_scale(["#000000", "#0000ff"], -1) == "#000000"
