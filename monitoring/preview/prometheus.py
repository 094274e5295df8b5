"""What Prometheus answers over its HTTP API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import urllib3

from monitoring.preview.errors import PreviewError, QueryFailed

TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Series:
    """One series: its labels, its name among them, and its points as Unix seconds and values."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


class Prometheus:
    """A server at a URL."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._http = urllib3.PoolManager()

    def now(self, expression: str, moment: float) -> list[Series]:
        """Return what an expression is at a moment.

        Raises:
            QueryFailed: Prometheus does not take it.
            PreviewError: It does not answer.
        """
        data = self._ask("query", {"query": expression, "time": f"{moment:.3f}"})
        if data["resultType"] == "scalar":
            return [Series({}, (_point(data["result"]),))]
        if data["resultType"] != "vector":
            raise QueryFailed(f"a query is a vector or a number, got a {data['resultType']}")
        return [Series(found["metric"], (_point(found["value"]),)) for found in data["result"]]

    def over(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """Return what an expression was at each step.

        Raises:
            QueryFailed: Prometheus does not take it.
            PreviewError: It does not answer.
        """
        asked = {"query": expression, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
        data = self._ask("query_range", asked)
        return [Series(found["metric"], tuple(map(_point, found["values"]))) for found in data["result"]]

    def label_values(self, label: str, selector: str | None, start: float, end: float) -> list[str]:
        """Return the values that a label had, of the series that a selector selects or of all.

        Raises:
            QueryFailed: Prometheus does not take it.
            PreviewError: It does not answer.
        """
        asked = {"start": f"{start:.3f}", "end": f"{end:.3f}"} | ({"match[]": selector} if selector else {})
        found: list[str] = self._ask(f"label/{label}/values", asked, "GET")
        return found

    def _ask(self, path: str, fields: Mapping[str, str], method: str = "POST") -> Any:
        url = f"{self._url}/api/v1/{path}"
        options: dict[str, Any] = {"encode_multipart": False} if method == "POST" else {}
        try:
            answer = self._http.request(
                method, url, fields=dict(fields), timeout=TIMEOUT_SECONDS, retries=False, **options
            )
            told = json.loads(answer.data)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise PreviewError(f"{self._url} must be a Prometheus, and does not answer as one: {error}") from error
        if not isinstance(told, dict) or "status" not in told:
            raise PreviewError(f"{self._url} must be a Prometheus, and answers {answer.status} without its JSON")
        if told["status"] != "success":
            raise QueryFailed(str(told.get("error", "Prometheus does not say why")))
        return told["data"]


def _point(found: list[Any]) -> tuple[float, float]:
    return float(found[0]), float(found[1])  # values are text: "NaN", "+Inf" and numbers
