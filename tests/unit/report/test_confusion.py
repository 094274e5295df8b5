"""Which validation examples were taken for what."""

from __future__ import annotations

from tinderbox.report.confusion import PAIRS, WHOLE, confusion


def counts(classes: int, mistakes: dict[tuple[int, int], int], right: int = 10) -> list[list[int]]:
    """Return a confusion in which so many examples of each class are right."""
    return [[right if row == column else mistakes.get((row, column), 0) for column in range(classes)]
            for row in range(classes)]  # fmt: skip


def test_few_classes_are_shown_whole() -> None:
    """Each line has all counts, how many examples there are, and how many are right; zeros stay empty."""
    shown = confusion([[8, 2, 0], [0, 5, 5], [0, 0, 0]], ["cat", "dog"])
    assert shown is not None
    assert shown.sentence.startswith("Of 20 validation examples 13 were taken for what they are: 65.0 %.")
    assert shown.names == ("cat", "dog", "2")
    assert [[cell.text for cell in line.cells] for line in shown.lines] == [
        ["8", "2", ""],
        ["", "5", "5"],
        ["", "", ""],
    ]
    assert [(line.name, line.examples, line.right) for line in shown.lines] == [
        ("cat", "10", "80.0 %"),
        ("dog", "10", "50.0 %"),
        ("2", "0", "—"),
    ]
    assert not shown.pairs


def test_the_largest_mistake_has_the_deepest_color() -> None:
    """What is right is as deep as its share, a mistake as it is beside the largest one; small ones stay pale."""
    shown = confusion([[70, 20, 10], [0, 100, 0], [0, 0, 100]], [])
    assert shown is not None
    assert [cell.depth for cell in shown.lines[0].cells] == [42.0, 60.0, 30.0]
    pale = confusion([[99, 1], [0, 100]], [])
    assert pale is not None
    assert pale.lines[0].cells[1].depth == 12.0
    assert [cell.is_right for cell in shown.lines[0].cells] == [True, False, False]


def test_all_right() -> None:
    """Nothing is divided by the largest mistake where there is none."""
    shown = confusion(counts(2, {}), [])
    assert shown is not None
    assert [cell.depth for line in shown.lines for cell in line.cells] == [60.0, 0.0, 0.0, 60.0]


def test_of_many_classes_the_worst_is_shown() -> None:
    """The mistakes that are made most often, and the classes of which the least is right; empty ones are none."""
    many = counts(1000, {(index, 999): 1 + index % 7 for index in range(500)})
    many[3] = [0] * 1000
    shown = confusion(many, [f"name {index}" for index in range(1000)])
    assert shown is not None
    assert not shown.lines
    assert f"this shows the {PAIRS} mistakes made most often" in shown.sentence
    assert len(shown.pairs) == PAIRS
    assert shown.pairs[0].cells == ("name 6", "name 999", "7", "41.2 %")
    assert shown.pairs[0].length == 100
    assert shown.worst[0].cells == ("name 6", "17", "58.8 %")


def test_few_mistakes_of_many_classes_are_all_of_them() -> None:
    """It says so; without any the sentence is enough."""
    shown = confusion(counts(WHOLE + 1, {(0, 1): 2, (2, 1): 5}), [])
    assert shown is not None
    assert [pair.cells[:3] for pair in shown.pairs] == [("2", "1", "5"), ("0", "1", "2")]
    assert "this shows all mistakes" in shown.sentence
    right = confusion(counts(WHOLE + 1, {}), [])
    assert right is not None
    assert (right.pairs, right.lines) == ((), ())
    assert right.sentence.endswith("100.0 %.")


def test_without_an_example_there_is_none() -> None:
    """A regression has no counts at all."""
    assert confusion([], []) is None
    assert confusion([[0, 0], [0, 0]], []) is None


def test_of_very_many_classes_it_says_why_there_is_none() -> None:
    """They are not counted."""
    shown = confusion([], [str(number) for number in range(1_200)])
    assert shown is not None
    assert shown.sentence == "What is taken for what is counted for at most 1,000 classes, and here are 1,200."
    assert (shown.lines, shown.pairs, shown.worst) == ((), (), ())
