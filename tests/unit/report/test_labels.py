"""The report of batch inference as one HTML file."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.report.test_page import Reader
from tinderbox.inference.agreement import Agreement
from tinderbox.inference.counts import Counts
from tinderbox.inference.failures import Example, Failures
from tinderbox.inference.nodes import Node, Nodes
from tinderbox.inference.samples import Sample
from tinderbox.inference.summary import CONFIDENCE_BINS, Summary
from tinderbox.inference.values import Values
from tinderbox.report import distributions, labels
from tinderbox.report.labels import render_labels

EVIL = "</script><img src=x onerror=alert(1)>\"'"
FACTS = {"model": "9f2c41d07be3", "input": "s3://bucket/photos", "XLA": "off"}

PHOTOS = Summary(
    rows=12_000,
    labelled=11_990,
    errors=Failures(
        Counts({"truncated": 7, "not_an_image": 3}),
        {"truncated": (Example("d/1.jpg", "It ends in row 3 of 9."),), "not_an_image": (Example("d/2.jpg", "No."),)},
    ),
    labels=Counts({"cat": 8000, "dog": 3990}),
    confidence=(0,) * 9 + (1199,) + (0,) * (CONFIDENCE_BINS - 11) + (10_791,),
    nodes=Nodes({"node-a": Node(9000, 90.0, 100.0, 160.0), "node-b": Node(3000, 60.0, 100.0, 160.0)}),
    truth=Agreement(1000, 975, Counts({"cat": 600, "dog": 400}), Counts({"dog\x1fcat": 24, "cat\x1fdog": 1})),
    samples={
        "dog": (Sample(0.5, "d/9.jpg", "ZG9n"),),
        "cat": tuple(Sample(index / 10, f"d/{index}.jpg", "Y2F0") for index in range(3, 8)),
    },
    began=1_780_000_000.0,
    ended=1_780_000_060.0,
    seconds=60.0,
)


@pytest.fixture(scope="module")
def page() -> str:
    """The page of photos."""
    return render_labels(PHOTOS, "photos", FACTS)


def texts(page: str) -> str:
    """Return what a reader sees before any script has run."""
    seen = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", seen)


def plots(page: str) -> list[Any]:
    """Return the plots of a page, of strict JSON."""
    found = [text for kind, text in Reader(page).scripts if kind == "application/json"]
    return [json.loads(text, parse_constant=pytest.fail) for text in found]


def test_sections_in_order(page: str) -> None:
    """The page is whole HTML whose sections come in the order in which a reader needs them."""
    assert page.startswith("<!doctype html>")
    assert "<title>photos · Tinderbox</title>" in page
    assert Reader(page).headings == [
        "Labels",
        "Confidence",
        "Samples",
        "Confusion",
        "Errors",
        "Throughput of each node",
    ]


def test_nothing_is_fetched(page: str) -> None:
    """The file needs no other one: its pictures are inside."""
    assert {address.partition(",")[0] for address in Reader(page).fetched} == {"data:image/jpeg;base64"}
    assert "default-src 'none'" in page


def test_headline(page: str) -> None:
    """The tiles tell rows, errors, the rate and the accuracy, and the facts of the job stand above."""
    seen = texts(page)
    for told in (
        "rows 12,000 on 2 nodes",
        "labelled 11,990 99.9 % of the rows",
        "errors 10 0.1 %, of 2 kinds",
        "images/s 200 over 1 min 00 s",
        "accuracy 97.50 % 975 of 1,000 labelled rows",
        "model 9f2c41d07be3 input s3://bucket/photos XLA off",
    ):
        assert told in seen


def test_rows_of_a_table_are_no_images() -> None:
    """What a row is made of is said by the job."""
    seen = texts(render_labels(PHOTOS, "houses", {}, unit="rows"))
    assert "rows/s 200" in seen
    assert "images/s" not in seen


def test_mistakes_tell_their_share(page: str) -> None:
    """The most frequent mistake is first, as a share of its truth."""
    assert "dog cat 24 6.0 % cat dog 1 0.2 %" in texts(page)


def test_errors_have_examples(page: str) -> None:
    """Each reason has its count, its share and examples, the most frequent first."""
    seen = texts(page)
    assert "truncated 7 (70.0 % of the errors) d/1.jpg It ends in row 3 of 9." in seen
    assert seen.index("truncated 7") < seen.index("not an image 3")


def test_nodes_have_their_rate(page: str) -> None:
    """Rows and the rate of one busy worker are told, the node with the most rows first."""
    assert re.search(r"node-a 9,000 1 min 30 s 100 75.0 % .* node-b 3,000 1 min 00 s 50 25.0 % ", texts(page))


def test_a_job_of_seconds_is_at_one_time() -> None:
    """A minute is not told twice, as if it were a span."""
    seen = texts(render_labels(replace(PHOTOS, ended=PHOTOS.began + 3), "photos", {}))
    assert "At 2026-05-28 20:26 UTC." in seen
    assert "From" not in seen


def test_long_names_do_not_crowd_out_the_numbers() -> None:
    """They are cut by the style sheet, and whole in their titles; labels with one picture stand side by side."""
    name = "dragonfly, darning needle, devil's darning needle, sewing needle, snake feeder"
    shown = name.replace("'", "&#39;")
    long = replace(
        PHOTOS,
        labels=Counts({name: 3, "cat": 1}),
        truth=Agreement(1, 0, Counts({"cat": 1}), Counts({f"cat\x1f{name}": 1})),
        samples={label: (Sample(0.5, "d/9.jpg", "ZG9n"),) * pictures for label, pictures in ((name, 2), ("cat", 1))},
    )
    page = render_labels(long, "photos", {})
    assert f'<div class="strip">\n<h3 title="{shown}"><b>{shown}</b>' in page
    assert '<div class="strip single">\n<h3 title="cat">' in page
    assert f'<td class="name" title="{shown}"><span>{shown}</span></td>' in page


def test_a_rate_that_is_not_known_has_no_bar() -> None:
    """Not even the shortest one."""
    page = render_labels(replace(PHOTOS, nodes=Nodes({"a": Node(3, 0.0, 0, 1)}), truth=Agreement()), "photos", {})
    assert '<td class="bar"></td>' in page
    assert '<i style="width' not in page


def test_samples_mark_the_least_sure_ones(page: str) -> None:
    """Labels come by frequency, and the lower half of each is marked; a single picture is neither."""
    cat, dog = labels.strips(PHOTOS)
    assert (cat.label, dog.label) == ("cat", "dog")
    assert [picture.unsure for picture in cat.pictures] == [True, True, False, False, False]
    assert [picture.unsure for picture in dog.pictures] == [False]
    assert page.count('<li class="unsure">') == 2
    assert page.count('alt="d/9.jpg" title="d/9.jpg">0.50</li>') == 1


def test_plots_hold_what_was_counted(page: str) -> None:
    """Bars are the counts of labels and of the bins of confidence."""
    by_label, confidence = plots(page)
    assert by_label["data"][0]["x"] == [8000, 3990]
    assert by_label["layout"]["yaxis"]["ticktext"] == ["cat", "dog"]
    assert len(confidence["data"][0]["y"]) == CONFIDENCE_BINS
    assert "at least 0.95 in 90.0 % of the rows, less than 0.5 in 10.0 %" in texts(page)


def test_many_labels_are_shown_by_the_most_frequent() -> None:
    """A thousand labels are thirty bars, and the sum of all others."""
    many = Counts({f"label {index:04}": 2000 - index for index in range(1000)}, others=5)
    (plot, *_) = distributions.distributions(replace(PHOTOS, labels=many))
    assert list(plot.figure.data[0].x) == list(range(2000, 1970, -1))
    rest = many.total - sum(range(2000, 1970, -1))
    assert "1,000 labels and more. The 30 most frequent are shown" in plot.sentence
    assert f"all others have {rest:,} (96 %) together" in plot.sentence


def test_long_labels_that_begin_alike_keep_their_bars() -> None:
    """A label is cut beside its bar, and told in full to whoever points at it."""
    one, two = "a" * 100 + "1", "a" * 100 + "2"
    figure = distributions.draw_labels(Counts({one: 2, two: 1}))
    assert list(figure.data[0].y) == [0, 1]
    assert {len(text) for text in figure.layout.yaxis.ticktext} == {40}
    assert figure.data[0].customdata[1].startswith(two)


def test_regression_has_values_in_place_of_labels() -> None:
    """Each output has a histogram with its mean; there are no samples, and no accuracy."""
    values = (Values(4, 1, 10.0, 1.0, 4.5, 0, {1: 1, 2: 2, 4: 1}), Values(not_finite=4))
    page = render_labels(
        Summary(rows=5, labelled=5, outputs=2, values=values, seconds=1.0, began=0, ended=1), "houses", {}
    )
    assert Reader(page).headings == ["Values of output 1 of 2", "Values of output 2 of 2", "Errors"]
    (plot,) = plots(page)
    assert plot["data"][0]["x"] == [1.5, 2.5, 3.5, 4.5]
    assert plot["data"][0]["y"] == [1, 2, 0, 1]
    seen = texts(page)
    assert "4 values with a mean of 2.5, from 1 to 4.5. 1 value not finite, left out." in seen
    assert "No value is finite. 4 values not finite, left out." in seen
    assert "accuracy" not in seen


def test_everything_that_comes_from_outside_is_escaped() -> None:
    """Labels, truths, paths, sentences, reasons, nodes, facts and pictures that are HTML stay texts."""
    evil = replace(
        PHOTOS,
        errors=Failures(Counts({EVIL: 10}), {EVIL: (Example(EVIL, EVIL),)}),
        labels=Counts({EVIL: 3, "b": 2}),
        nodes=Nodes({EVIL: Node(1, 1.0, 0.0, 1.0)}),
        truth=Agreement(5, 1, Counts({EVIL: 5}), Counts({f"{EVIL}\x1f{EVIL}": 4})),
        samples={EVIL: (Sample(0.5, EVIL, EVIL),)},
    )
    reader = Reader(render_labels(evil, EVIL, {EVIL: EVIL}))
    assert reader.tags.count("img") == 1  # the picture itself
    assert [address.partition(",")[0] for address in reader.fetched] == ["data:image/jpeg;base64"]
    assert reader.tags.count("script") == 4
    by_label, _ = plots(render_labels(evil, EVIL, {EVIL: EVIL}))
    assert all("<" not in text for text in by_label["layout"]["yaxis"]["ticktext"] + by_label["data"][0]["customdata"])


def test_nothing_yet() -> None:
    """A job without a row renders, and says so."""
    page = render_labels(Summary(), "nothing", {})
    assert Reader(page).headings == ["Errors"]
    assert "No row has been labelled yet." in page
    assert plots(page) == []


def test_nothing_but_errors() -> None:
    """A job in which every image is broken tells the errors and parades no rate of labels."""
    broken = Summary(
        rows=3, errors=Failures(Counts({"empty": 3})), nodes=Nodes({"a": Node(3, 0.0, 0, 1)}), began=0, ended=1
    )
    seen = texts(render_labels(broken, "broken", {}))
    assert "labelled 0 0.0 % of the rows errors 3 100.0 %, of 1 kind images/s —" in seen
    assert "empty 3 (100.0 % of the errors)" in seen
