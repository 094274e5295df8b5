"""Numbers as Grafana writes them."""

from __future__ import annotations

import math

import pytest

from monitoring.preview.errors import Unsupported
from monitoring.preview.units import write


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (3.0, "none", "3"),
        (0.2322, "none", "0.232"),
        (1.25, "none", "1.25"),
        (24.49, "none", "24.5"),
        (1234.5, "none", "1234"),
        (0.000113, "none", "0.000113"),
        (0.873, "percentunit", "87.3%"),
        (1.0, "percentunit", "100%"),
        (0.0, "s", "0 s"),
        (0.0333, "s", "33.3 ms"),
        (0.0000042, "s", "4.20 µs"),
        (3.25e-9, "s", "3.25 ns"),
        (5.5, "s", "5.50 s"),
        (90.0, "s", "1.50 min"),
        (7200.0, "s", "2 hour"),
        (172800.0, "s", "2 day"),
        (1209600.0, "s", "2 week"),
        (63072000.0, "s", "2 year"),
        (0.0, "bytes", "0 B"),
        (1536.0, "bytes", "1.50 KiB"),
        (12 * 2**30, "bytes", "12 GiB"),
        (2.0**80, "bytes", "1073741824 PiB"),
        (-2048.0, "bytes", "-2 KiB"),
        (2.0**20, "binBps", "1 MiB/s"),
        (math.inf, "s", "inf"),
        (None, "bytes", ""),
    ],
)
def test_values_in_units(value: float | None, unit: str, text: str) -> None:
    """About three digits, and none behind the point of a whole number."""
    assert write(value, unit) == text


def test_decimals_may_be_given() -> None:
    """As axes do, whose labels look alike."""
    assert (write(0.5, "none", 2), write(0.5, "percentunit", 0)) == ("0.50", "50%")


def test_a_unit_that_is_not_known() -> None:
    """Is refused, though there is no value yet."""
    with pytest.raises(Unsupported, match="unit 'furlongs' is not drawn here"):
        write(None, "furlongs")
