"""Colours, words and lines of panels, and the steps from a query's answer to what a panel shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard
from grafana_foundation_sdk.models.common import GraphThresholdsStyleMode
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

PLAIN = dashboard.FieldColor().mode(FieldColorModeId.FIXED).fixed_color("blue")
SHADED = dashboard.FieldColor().mode(FieldColorModeId.CONTINUOUS_BL_PU)
BY_LIMIT = dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS)

LINES = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.LINE)
"""Limits as lines across a graph."""

DASHED = [
    DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [10, 10]}),
    DynamicConfigValue("custom.fillOpacity", 0),
    DynamicConfigValue("color", {"mode": "fixed", "fixedColor": "text"}),
]
"""A line that others are compared with."""


def limits(warning: float, critical: float) -> dashboard.ThresholdsConfig:
    """Return green, orange from one value on, red from another on."""
    steps = [Threshold(None, "green"), Threshold(warning, "orange"), Threshold(critical, "red")]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def words(meanings: Mapping[str, tuple[str, str]]) -> ValueMap:
    """Return the word and the colour that stand for a value."""
    return ValueMap({value: ValueMappingResult(word, color) for value, (word, color) in meanings.items()})


def shown(**settings: Any) -> list[DynamicConfigValue]:
    """Return settings of one column or series."""
    return [DynamicConfigValue(name, value) for name, value in settings.items()]


def step(name: str, **options: Any) -> DataTransformerConfig:
    """Return one of Grafana's transformations."""
    return DataTransformerConfig(id_val=name, options=options)


def columns(names: Mapping[str, str]) -> list[DataTransformerConfig]:
    """Return the transformations that keep these columns only, in this order, under these names."""
    order = {name: place for place, name in enumerate(names)}
    return [
        step("filterFieldsByName", include={"names": list(names)}),
        step("organize", indexByName=order, renameByName=dict(names)),
    ]
