"""Makes the README's table of values of the comments in values.yaml: python -m tests.charts.values_table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.charts.chart import CHART

README = CHART / "README.md"
BEGIN, END = "<!-- values: made by python -m tests.charts.values_table -->\n", "<!-- end of values -->\n"
KEY = re.compile(r"( *)([A-Za-z]+):")


def comments(text: str) -> Iterator[tuple[str, str]]:
    """The dotted keys that have a comment, and the comment."""
    parents: list[str] = []
    comment = ""
    for line in text.splitlines():
        if line.strip().startswith("# --"):
            comment = line.strip().removeprefix("# --").strip()
        elif found := KEY.match(line):
            parents[len(found[1]) // 2 :] = [found[2]]
            if comment:
                yield ".".join(parents), comment
            comment = ""


def value_of(values: Any, key: str) -> Any:
    """The value at a dotted key."""
    for part in key.split("."):
        values = values[part]
    return values


def table(text: str) -> str:
    """The table for the text of a values.yaml."""
    values = yaml.safe_load(text)
    rows = [f"| `{key}` | `{json.dumps(value_of(values, key))}` | {comment} |" for key, comment in comments(text)]
    return "\n".join(["| key | default | what it is |", "|---|---|---|", *rows]) + "\n"


def renewed(readme: str, text: str) -> str:
    """A README whose table is that of a values.yaml."""
    head, _, rest = readme.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}{table(text)}{END}{tail}"


if __name__ == "__main__":
    README.write_text(renewed(README.read_text(), (CHART / "values.yaml").read_text()))
