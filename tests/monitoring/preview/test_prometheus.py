"""The HTTP API of Prometheus, and servers that are none."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from monitoring.preview.errors import PreviewError, QueryFailed
from monitoring.preview.prometheus import Prometheus, Series

if TYPE_CHECKING:
    from tests.monitoring.preview.conftest import Fake


@pytest.fixture
def server(prometheus: Fake) -> Prometheus:
    """A client of the server."""
    return Prometheus(f"{prometheus.url}/")


def test_now(prometheus: Fake, server: Prometheus) -> None:
    """A value for each series."""
    prometheus.series["up"] = [({"__name__": "up", "job": "a"}, 1.0), ({"__name__": "up", "job": "b"}, float("nan"))]
    first, second = server.now("up", 1000.25)
    assert first == Series({"__name__": "up", "job": "a"}, ((1000.25, 1.0),))
    assert second.points[0][1] != second.points[0][1]
    assert prometheus.asked == [{"path": "/api/v1/query", "query": "up", "time": "1000.250"}]


def test_over_time(prometheus: Fake, server: Prometheus) -> None:
    """A value at each step."""
    prometheus.series["up"] = [({}, 2.0)]
    assert server.over("up", 1000, 1030, 15) == [Series({}, ((1000, 2.0), (1015, 2.0), (1030, 2.0)))]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"resultType": "scalar", "result": [5, "3"]}, [Series({}, ((5.0, 3.0),))]),
        ({"resultType": "vector", "result": []}, []),
    ],
)
def test_numbers_and_nothing(
    prometheus: Fake, server: Prometheus, monkeypatch: pytest.MonkeyPatch, data: Any, found: list[Series]
) -> None:
    """A number is a series without labels."""
    monkeypatch.setattr(prometheus, "answer", lambda *_: (200, {"status": "success", "data": data}))
    assert server.now("3", 5) == found


def test_values_of_a_label(prometheus: Fake, server: Prometheus) -> None:
    """Of the series that a selector selects, in the time that is looked at."""
    prometheus.values["job"] = ["a", "b"]
    assert server.label_values("job", 'up{x="1"}', 0, 60) == ["a", "b"]
    assert server.label_values("job", None, 0, 60) == ["a", "b"]
    path = "/api/v1/label/job/values"
    times = {"start": "0.000", "end": "60.000"}
    assert prometheus.asked == [{"path": path, **times, "match[]": 'up{x="1"}'}, {"path": path, **times}]


def test_a_query_that_is_refused(prometheus: Fake, server: Prometheus) -> None:
    """The error is Prometheus's own sentence."""
    prometheus.errors["up{"] = "1:4: parse error: unexpected end of input inside braces"
    with pytest.raises(QueryFailed, match="parse error: unexpected end of input"):
        server.now("up{", 0)
    with pytest.raises(QueryFailed, match="parse error: unexpected end of input"):
        server.over("up{", 0, 60, 15)


def test_a_query_that_is_no_vector(prometheus: Fake, server: Prometheus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Grafana shows none either."""
    told = {"status": "success", "data": {"resultType": "matrix", "result": []}}
    monkeypatch.setattr(prometheus, "answer", lambda *_: (200, told))
    with pytest.raises(QueryFailed, match="a query is a vector or a number, got a matrix"):
        server.now("up[5m]", 0)


@pytest.mark.parametrize("told", [{}, [], {"message": "not found"}])
def test_a_server_that_is_no_prometheus(
    prometheus: Fake, server: Prometheus, monkeypatch: pytest.MonkeyPatch, told: Any
) -> None:
    """The sentence names its URL."""
    monkeypatch.setattr(prometheus, "answer", lambda *_: (404, told))
    with pytest.raises(PreviewError, match=rf"{prometheus.url} must be a Prometheus, and answers 404 without its JSON"):
        server.now("up", 0)


def test_nobody_answers() -> None:
    """The sentence names the URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(PreviewError, match=rf"{url} must be a Prometheus, and does not answer as one: .*refused"):
        Prometheus(url).now("up", 0)
