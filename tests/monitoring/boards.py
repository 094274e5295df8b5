"""The dashboards as they lie in the repository, and what they ask of Prometheus."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.monitoring.known import MONITORING

Thing = dict[str, Any]

NAMES = sorted(path.stem for path in (MONITORING / "dashboards").glob("*.json"))


@dataclass(frozen=True)
class Asked:
    """One query, who asks it, and the labels that it must return."""

    by: str
    query: str
    labels: frozenset[str] = frozenset()


def load(name: str) -> Thing:
    """A dashboard by the name of its file."""
    tree: Thing = json.loads((MONITORING / "dashboards" / f"{name}.json").read_text())
    return tree


def panels(name: str) -> list[Thing]:
    """The panels of a dashboard, the headings of its rows left out."""
    return [panel for panel in load(name)["panels"] if panel["type"] != "row"]


def asked(name: str) -> Iterator[Asked]:
    """All that a dashboard asks: for panels, for the values of variables, and for annotations."""
    for panel in panels(name):
        for target in panel["targets"]:
            legend = re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", ""))
            yield Asked(panel["title"], target["expr"], frozenset(legend))
    for variable in load(name)["templating"]["list"]:
        if variable["type"] == "query":
            selector, _, label = variable["query"].removeprefix("label_values(").removesuffix(")").rpartition(", ")
            yield Asked(variable["name"], selector, frozenset({label}))
    for annotation in load(name)["annotations"]["list"]:
        yield Asked(annotation["name"], annotation["expr"])


def columns(panel: Thing) -> set[str]:
    """The columns that a panel's transformations name, those of values left out."""
    named = set()
    for step in panel.get("transformations", []):
        options = step["options"]
        named |= {options[key] for key in ("byField", "rowField", "columnField") if key in options}
        named |= {*options.get("include", {}).get("names", ()), *options.get("fields", ())}
    return {name for name in named if not name.startswith("Value")}
