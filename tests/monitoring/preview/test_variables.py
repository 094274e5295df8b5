"""Variables as Grafana opens a dashboard with them, and in queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from monitoring.preview.errors import Unsupported
from monitoring.preview.prometheus import Prometheus
from monitoring.preview.variables import Variable, fill, resolve, spell
from monitoring.preview.window import Window

if TYPE_CHECKING:
    from tests.monitoring.preview.conftest import Fake

QUERY = {"name": "node", "type": "query", "query": "label_values(up, node)"}
SEVERAL = QUERY | {"multi": True, "includeAll": True}


def choose(fake: Fake, told: dict[str, Any], *known: Variable, **given: str) -> Variable:
    """Return a variable, chosen after others."""
    return resolve(told, {it.name: it for it in known}, given, Prometheus(fake.url), Window(0, 60))


@pytest.fixture
def fake(prometheus: Fake) -> Fake:
    """A server that knows three nodes."""
    prometheus.values["node"] = ["b", "a", "c.d"]
    return prometheus


def test_the_first_value_is_chosen(fake: Fake) -> None:
    """In the order that is asked for."""
    assert choose(fake, QUERY).in_query() == "b"
    assert choose(fake, QUERY | {"sort": 1}).in_query() == "a"
    assert choose(fake, QUERY | {"sort": 2}).text == "c.d"


def test_numbers_are_sorted_as_numbers(prometheus: Fake) -> None:
    """Where that is asked for."""
    prometheus.values["node"] = ["10", "9", "none"]
    assert choose(prometheus, QUERY | {"sort": 3}).text == "none"
    assert choose(prometheus, QUERY | {"sort": 4}).text == "10"
    assert choose(prometheus, QUERY | {"sort": 1}).text == "10"


def test_all_of_several(fake: Fake) -> None:
    """As the dashboard writes it, or every value."""
    chosen = choose(fake, SEVERAL | {"allValue": ".*"})
    assert (chosen.text, chosen.in_query()) == ("All", ".*")
    assert choose(fake, SEVERAL | {"sort": 1}).in_query() == r"(a|b|c\\.d)"


def test_what_is_given_comes_first(fake: Fake) -> None:
    """One value, several, or all; and nobody is asked for others."""
    assert choose(fake, QUERY, node="z").in_query() == "z"
    assert choose(fake, SEVERAL, node="a.b").in_query() == r"a\\.b"
    assert choose(fake, SEVERAL, node="a,b").in_query() == "(a|b)"
    assert fake.asked == []
    assert choose(fake, SEVERAL | {"allValue": ".+", "current": {"value": ["a"]}}, node="All").in_query() == ".+"


def test_a_query_with_other_variables(fake: Fake) -> None:
    """They were chosen before."""
    choose(fake, QUERY | {"query": 'label_values(up{space="$space", x=~"a,b"}, node)'}, Variable("space", ["ml"]))
    assert fake.asked[0]["match[]"] == 'up{space="ml", x=~"a,b"}'
    choose(fake, QUERY | {"query": "label_values(node)"})
    assert "match[]" not in fake.asked[1]


def test_an_expression_takes_parts_of_values(prometheus: Fake) -> None:
    """Those that it matches, each once."""
    prometheus.values["node"] = ["app digits", "app photos", "other", "app digits"]
    told = SEVERAL | {"regex": "/^app (.*)$/"}
    assert choose(prometheus, told).values == ["digits", "photos"]
    assert choose(prometheus, told | {"regex": "/^app/"}).values == ["app digits", "app photos"]


def test_no_values(prometheus: Fake) -> None:
    """The query asks for an empty label, as Grafana's would."""
    chosen = choose(prometheus, QUERY)
    assert (chosen.text, chosen.in_query()) == ("", "")


def test_a_data_source(prometheus: Fake) -> None:
    """Has a name only."""
    assert choose(prometheus, {"name": "datasource", "type": "datasource"}).text == "Prometheus"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"type": "custom"}, "variable 'node' of type 'custom' is not drawn here, only query and datasource"),
        ({"query": "metrics(up)"}, r"the query of variable 'node' must be label_values\(...\), got 'metrics\(up\)'"),
    ],
)
def test_what_is_not_known(prometheus: Fake, changes: dict[str, Any], sentence: str) -> None:
    """Is refused, not passed over."""
    with pytest.raises(Unsupported, match=sentence):
        choose(prometheus, QUERY | changes)


def test_queries_are_filled() -> None:
    """With and without braces; what replaces a label's parts is left alone."""
    known = {"node": Variable("node", ["a'b"]), "run": Variable("run", ["x", "y"], several=True)}
    query = 'label_replace(rate(up{node="$node", run=~"${run}"}[$__rate_interval]), "a", "$1", "b", "(.*)")'
    filled = 'label_replace(rate(up{node="a\\\'b", run=~"(x|y)"}[60s]), "a", "$1", "b", "(.*)")'
    assert fill(query, known, {"__rate_interval": "60s"}) == filled


def test_queries_that_cannot_be_filled() -> None:
    """A name that no variable has would be left in by Grafana, and a format is not known here."""
    with pytest.raises(Unsupported, match=r"\$rum is no variable of this dashboard: up\{run=\"\$rum\"\}"):
        fill('up{run="$rum"}', {})
    with pytest.raises(Unsupported, match=r"\$\{run:csv\} in a query is not drawn here; leave its format away"):
        fill("${run:csv}", {"run": Variable("run", ["x"])})


def test_titles_are_spelled() -> None:
    """With what people read; others stay as they are."""
    known = {"run": Variable("run", ["x", "y"], several=True), "node": Variable("node", [], True, ".*")}
    assert spell("Speed of $run on ${node}: $other", known) == "Speed of x + y on All: $other"
