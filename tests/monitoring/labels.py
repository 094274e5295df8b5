"""Which labels a PromQL query returns, from the labels that metrics have; and what it asks for that does not exist."""

from __future__ import annotations

from collections.abc import Mapping

import promql_parser as promql

Labels = frozenset[str]
Known = Mapping[str, Labels]

_WINDOWS = {"$__rate_interval": "5m", "$__range": "3h"}
"""Variables of Grafana that stand for a time; all others are values of labels, and may be anything."""
_NONE: Labels = frozenset()


class Unknown(Exception):
    """A query asks for a metric or a label that does not exist."""


def read(query: str) -> promql.Expr:
    """Parse a query, of Grafana or plain."""
    for variable, window in _WINDOWS.items():
        query = query.replace(variable, window)
    return promql.parse(query)


def metrics(query: str) -> set[str]:
    """Return the names of the metrics that a query asks for."""
    found = set()

    def note(part: promql.Expr) -> bool:
        if isinstance(part, promql.MatrixSelector):
            part = part.vector_selector
        if isinstance(part, promql.VectorSelector):
            found.add(str(part.name))
        return True

    promql.walk(read(query), note)
    return found


def named(series: str) -> set[str]:
    """Return the labels that one selector names."""
    selector = read(series)
    assert isinstance(selector, promql.VectorSelector)
    return {matcher.name for matcher in selector.matchers.matchers}


def returned(query: str, known: Known) -> Labels:
    """Return the labels that a query's answer may have.

    Raises:
        Unknown: It asks for a metric or label that does not exist.
    """
    try:
        return _of(read(query), known)
    except Unknown as unknown:
        raise Unknown(f"{unknown}: {query}") from None


def _of(part: promql.Expr, known: Known) -> Labels:
    match part:
        case promql.VectorSelector():
            return _selected(part, known)
        case promql.MatrixSelector():
            return _selected(part.vector_selector, known)
        case promql.AggregateExpr():
            return _aggregated(part, known)
        case promql.Call():
            return _called(part, known)
        case promql.BinaryExpr():
            return _joined(part, known)
        case promql.UnaryExpr() | promql.ParenExpr() | promql.SubqueryExpr():
            return _of(part.expr, known)
        case _:  # a number or a text
            return _NONE


def _selected(part: promql.VectorSelector, known: Known) -> Labels:
    name = str(part.name)
    if name not in known:
        raise Unknown(f"there is no metric {name}")
    return _have(known[name], {matcher.name for matcher in part.matchers.matchers}, name)


def _aggregated(part: promql.AggregateExpr, known: Known) -> Labels:
    inner = _of(part.expr, known)
    counted = frozenset({part.param.val}) if isinstance(part.param, promql.StringLiteral) else _NONE  # count_values
    if part.modifier is None:
        return counted
    named = set(part.modifier.labels)
    _have(inner, named, str(part.op))
    return counted | (named if part.modifier.type == promql.AggModifierType.By else inner - named)


def _called(part: promql.Call, known: Known) -> Labels:
    inner = _NONE.union(*(_of(argument, known) for argument in part.args))
    texts = [argument.val for argument in part.args if isinstance(argument, promql.StringLiteral)]
    if part.func.name == "label_replace":
        new, _, source, _ = texts
        return _have(inner, {source} - {""}, "label_replace") | {new}
    if part.func.name == "label_join":
        new, _, *sources = texts
        return _have(inner, set(sources), "label_join") | {new}
    if part.func.name == "histogram_quantile":
        return _have(inner, {"le"}, "histogram_quantile") - {"le"}
    return inner


def _joined(part: promql.BinaryExpr, known: Known) -> Labels:
    left, right = _of(part.lhs, known), _of(part.rhs, known)
    numbers = promql.NumberLiteral, promql.StringLiteral
    if isinstance(part.lhs, numbers) or isinstance(part.rhs, numbers):
        return left | right
    modifier = part.modifier
    on = left | right
    if modifier is not None and modifier.matching is not None:
        on = frozenset(modifier.matching.labels)
        _have(left & right, set(on), f"{part.op} on")
    elif str(part.op) != "or" and left != right:
        raise Unknown(f"{part.op} joins {sorted(left)} with {sorted(right)}")
    if str(part.op) in ("and", "unless"):
        return left
    if str(part.op) == "or":
        return left | right
    if modifier is not None and modifier.card == promql.VectorMatchCardinality.ManyToOne:
        return left | _have(right, set(modifier.group_labels or []), "group_left")
    return on


def _have(labels: Labels, asked: set[str], what: str) -> Labels:
    if missing := asked - labels:
        raise Unknown(f"{what} has the labels {', '.join(sorted(labels))} and not {', '.join(sorted(missing))}")
    return labels
