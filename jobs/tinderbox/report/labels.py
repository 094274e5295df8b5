"""The report of batch inference as one HTML file: what came out of all rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tinderbox.inference.failures import Example
from tinderbox.inference.samples import EACH_END, Sample
from tinderbox.inference.summary import Summary
from tinderbox.report.distributions import distributions
from tinderbox.report.summary import Bar, Tile
from tinderbox.report.template import fill
from tinderbox.report.wording import NOTHING, count, duration, moment, percent

SHEET = 20
"""How many labels the contact sheet shows."""
PAIRS = 20
"""How many kinds of mistakes are shown."""
NODES = 100
"""How many nodes are shown."""


@dataclass(frozen=True)
class Reason:
    """Why some rows have no label; `share` is of all errors, in percent."""

    name: str
    amount: int
    share: float
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Picture:
    """A sample as it is shown."""

    path: str
    probability: str
    jpeg: str
    unsure: bool


@dataclass(frozen=True)
class Strip:
    """The samples of one label."""

    label: str
    amount: str
    pictures: tuple[Picture, ...]


def render_labels(summary: Summary, name: str, facts: Mapping[str, str], unit: str = "images") -> str:
    """Return the page; `facts` are what the reader should know of the job, by name, such as its model and its input.

    `unit` is what a row is made of. The page can be rendered at any time, also of a job that runs or of which nothing
    succeeded.
    """
    return fill(
        "labels.html.j2",
        name=name,
        sentence=_standing(summary),
        facts=facts,
        tiles=tiles(summary, unit),
        unit=unit,
        plots=distributions(summary),
        strips=strips(summary),
        mistakes=mistakes(summary),
        agreement=summary.truth,
        reasons=reasons(summary),
        nodes=nodes(summary),
        more_nodes=max(0, len(summary.nodes.by_name) - NODES),
    )


def _standing(summary: Summary) -> str:
    if not summary.rows:
        return "No row has been labelled yet."
    first, last = moment(summary.began), moment(summary.ended)
    return f"From {first} to {last}." if first != last else f"At {first}."


def tiles(summary: Summary, unit: str) -> list[Tile]:
    """Return the figures of the headline; accuracy only where the truth is known."""
    failed, truth = summary.rows - summary.labelled, summary.truth
    kinds = count(len(summary.errors.reasons.kept), "kind")
    found = [
        Tile("rows", f"{summary.rows:,}", f"on {count(len(summary.nodes.by_name), 'node')}"),
        Tile("labelled", f"{summary.labelled:,}", f"{percent(summary.labelled, summary.rows)} of the rows"),
        Tile("errors", f"{failed:,}", f"{percent(failed, summary.rows)}, of {kinds}" if failed else "none"),
        Tile(f"{unit}/s", _rate(summary.rate), f"over {duration(summary.seconds)}, loading included"),
    ]
    if truth.accuracy is not None:
        note = f"{truth.right:,} of {truth.known:,} labelled rows whose truth is known"
        found.append(Tile("accuracy", f"{100 * truth.accuracy:.2f} %", note))
    return found


def _rate(rate: float | None) -> str:
    """Return a rate with three significant digits, and whole numbers in full."""
    return NOTHING if rate is None else f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def strips(summary: Summary) -> list[Strip]:
    """Return the samples of the labels that occur most and have some."""
    ranked = [label for label in summary.labels.top(len(summary.labels.kept)).kept if label in summary.samples]
    return [
        Strip(label, count(summary.labels.kept[label], "row"), _pictures(summary.samples[label]))
        for label in ranked[:SHEET]
    ]


def _pictures(samples: tuple[Sample, ...]) -> tuple[Picture, ...]:
    """Return samples from the least sure one; the lower half of them, or what was kept of that, is marked."""
    unsure = min(EACH_END, len(samples) // 2)
    return tuple(
        Picture(sample.path, f"{sample.probability:.2f}", sample.jpeg, index < unsure)
        for index, sample in enumerate(samples)
    )


def mistakes(summary: Summary) -> list[Bar]:
    """Return what is most often taken for what: truth, label, how often, and the share of that truth."""
    confused = summary.truth.confused(PAIRS)
    most = max((amount for *_, amount in confused), default=1)
    return [
        Bar((truth, label, f"{amount:,}", _of_truth(summary, truth, amount)), 100 * amount / most)
        for truth, label, amount in confused
    ]


def _of_truth(summary: Summary, truth: str, amount: int) -> str:
    return percent(amount, summary.truth.truths.kept.get(truth, 0))


def reasons(summary: Summary) -> list[Reason]:
    """Return why rows have no label, the most frequent reason first, with examples."""
    found = summary.errors.reasons
    ranked = found.top(len(found.kept)).kept
    return [
        Reason(name.replace("_", " "), amount, 100 * amount / found.total, summary.errors.examples.get(name, ()))
        for name, amount in ranked.items()
    ]


def nodes(summary: Summary) -> list[Bar]:
    """Return what each node did, the one with the most rows first; the bar is its rate."""
    found = sorted(summary.nodes.by_name.items(), key=lambda item: (-item[1].rows, item[0]))[:NODES]
    fastest = max((node.rate or 0.0 for _, node in found), default=0.0) or 1.0
    return [
        Bar(
            (
                name,
                f"{node.rows:,}",
                duration(node.busy),
                _rate(node.rate),
                percent(node.rows, summary.rows),
                moment(node.first),
                moment(node.last),
            ),
            100 * (node.rate or 0.0) / fastest,
        )
        for name, node in found
    ]
