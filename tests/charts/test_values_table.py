"""The README's table of values."""

from tests.charts.chart import CHART
from tests.charts.test_chart import SCHEMA, keys_of_schema
from tests.charts.values_table import README, comments, renewed, table

TEXT = (CHART / "values.yaml").read_text()


def test_the_table_is_up_to_date() -> None:
    """What the README says is what values.yaml says; python -m tests.charts.values_table renews it."""
    assert README.read_text() == renewed(README.read_text(), TEXT)


def test_every_value_is_explained() -> None:
    """Each value has a comment of its own, a sentence."""
    explained = dict(comments(TEXT))
    assert set(explained) == keys_of_schema(SCHEMA) - {"global"}
    assert all(comment.endswith(".") for comment in explained.values())


def test_a_table_has_a_row_for_each_comment() -> None:
    """Key, default and comment, nested keys with a dot."""
    text = "a:\n  # -- How many.\n  b: 3\n# -- Which.\nc: []\n"
    assert table(text).splitlines()[2:] == ["| `a.b` | `3` | How many. |", "| `c` | `[]` | Which. |"]
