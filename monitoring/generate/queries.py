"""PromQL as the dashboards need it, again and again."""

from __future__ import annotations

from collections.abc import Sequence

RATE = "$__rate_interval"
"""Grafana's own window of rates: wide enough for the scrape interval, and for the time that is looked at."""


def told(metric: str, *labels: str, where: str) -> str:
    """Return a metric of a run, of which its driver and the console may tell at the same time."""
    return f"{_over('max', labels)} ({metric}{{{where}}})"


def risen(counter: str, *labels: str, where: str) -> str:
    """Return where a run's counter is larger than in the quarter of an hour before, whoever has told it.

    `changes` looks at each pod by itself, and does not see what a driver begins with: the end of the one before it.
    """
    before = f"max_over_time({counter}{{{where}}}[15m] offset {RATE})"
    return f"{told(counter, *labels, where=where)} > {_over('max', labels)} ({before})"


def total(expression: str, *labels: str) -> str:
    """Return the sum by labels."""
    return f"{_over('sum', labels)} ({expression})"


def rate(metric: str, *labels: str, where: str) -> str:
    """Return how much a counter grows in a second, summed by labels."""
    return total(f"rate({metric}{{{where}}}[{RATE}])", *labels)


def mean(histogram: str, *labels: str, where: str) -> str:
    """Return the mean of what a histogram has seen lately, by labels."""
    return f"{rate(f'{histogram}_sum', *labels, where=where)} / {rate(f'{histogram}_count', *labels, where=where)}"


def quantile(share: float, histogram: str, *labels: str, where: str) -> str:
    """Return a quantile of what a histogram has seen lately, by labels."""
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', *labels, 'le', where=where)})"


def _over(operation: str, labels: Sequence[str]) -> str:
    return f"{operation} by ({', '.join(labels)})" if labels else operation
