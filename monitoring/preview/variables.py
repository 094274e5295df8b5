"""The variables of a dashboard: their values by their real queries, and their places in texts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitoring.preview.errors import Unsupported
from monitoring.preview.prometheus import Prometheus
from monitoring.preview.window import Window

ALL = "$__all"

_PLACE = re.compile(r"\$(?:(?P<bare>[A-Za-z_]\w*)|\{(?P<name>\w+)(?::(?P<format>\w+))?\})")
_SPECIAL = re.compile(r"[$^*{}\[\]'+?.()|]")
_NUMERIC = {3, 4}


@dataclass(frozen=True)
class Variable:
    """What is chosen: one value, or several, or the expression that stands for all."""

    name: str
    values: Sequence[str]
    several: bool = False
    expression: str | None = None

    @property
    def text(self) -> str:
        """What the dashboard's head shows."""
        return "All" if self.expression is not None else " + ".join(self.values)

    def in_query(self) -> str:
        """Return it as it stands in PromQL, between quotes."""
        if self.expression is not None:
            return self.expression
        if not self.several:
            return "".join(self.values).replace("\\", "\\\\").replace("'", "\\'")
        escaped = [_SPECIAL.sub(r"\\\\\g<0>", value.replace("\\", "\\\\\\\\")) for value in self.values]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


Variables = Mapping[str, Variable]


def resolve(
    told: Mapping[str, Any], known: Variables, given: Mapping[str, str], server: Prometheus, window: Window
) -> Variable:
    """Return a variable as Grafana opens the dashboard with it, or with what is given: values, or `All`.

    Raises:
        Unsupported: It is of a kind that is not known here.
        QueryFailed: Prometheus does not take its query.
        PreviewError: Prometheus does not answer.
    """
    name, several = told["name"], bool(told.get("multi") or told.get("includeAll"))
    if told["type"] == "datasource":
        return Variable(name, ["Prometheus"])
    if told["type"] != "query":
        raise Unsupported(f"variable {name!r} of type {told['type']!r} is not drawn here, only query and datasource")
    wanted = given.get(name)
    if wanted is not None and wanted != "All":
        return Variable(name, wanted.split(",") if several else [wanted], several)
    options = _options(told, known, server, window)
    if several and (wanted == "All" or told.get("current", {}).get("value", ALL) == ALL):
        expression = told.get("allValue") or Variable(name, options or [""], several=True).in_query()
        return Variable(name, options, several, expression)
    return Variable(name, options[:1], several)


def _options(told: Mapping[str, Any], known: Variables, server: Prometheus, window: Window) -> list[str]:
    asked = re.fullmatch(r"label_values\((?:(?P<selector>.+),\s*)?(?P<label>\w+)\)", told["query"])
    if not asked:
        raise Unsupported(f"the query of variable {told['name']!r} must be label_values(...), got {told['query']!r}")
    selector = asked["selector"] and fill(asked["selector"], known)
    found = server.label_values(asked["label"], selector, window.start, window.end)
    return _sorted(list(dict.fromkeys(_filtered(found, told.get("regex", "")))), told.get("sort", 0))


def _filtered(values: Sequence[str], regex: str) -> list[str]:
    """Return the values that an expression matches, of each what its first group does where it has one."""
    if not regex:
        return list(values)
    found = [match for value in values if (match := re.search(regex.strip("/"), value))]
    return [match[1] if match.re.groups else match.string for match in found]


def _sorted(values: list[str], kind: int) -> list[str]:
    """Return values in the order of Grafana's number for it: odd ones ascend."""
    if kind == 0:
        return values
    if kind in _NUMERIC:
        return sorted(values, key=lambda value: float(re.sub(r"[^\d.]", "", value) or -1), reverse=kind == 4)
    return sorted(values, key=str.lower if kind > 4 else None, reverse=kind % 2 == 0)


def fill(text: str, variables: Variables, own: Mapping[str, str] | None = None) -> str:
    """Return a query with the variables' values in their places; `own` are Grafana's.

    Raises:
        Unsupported: It names a variable that there is not, or a format that is not known here.
    """

    def value(place: re.Match[str]) -> str:
        name, form = place["bare"] or place["name"], place["format"]
        if form:
            raise Unsupported(f"${{{name}:{form}}} in a query is not drawn here; leave its format away")
        if own and name in own:
            return own[name]
        if name not in variables:
            raise Unsupported(f"${name} is no variable of this dashboard: {text}")
        return variables[name].in_query()

    return _PLACE.sub(value, text)


def spell(text: str, variables: Variables) -> str:
    """Return a title, or another text for people, with what is chosen in its places."""
    return _PLACE.sub(
        lambda it: variables[name].text if (name := it["bare"] or it["name"]) in variables else it[0], text
    )
