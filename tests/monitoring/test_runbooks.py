"""Each alert has a runbook, and each runbook says the four things in their order."""

from __future__ import annotations

import re

import pytest

from tests.monitoring import known

HEADINGS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
ALERTS = [rule["alert"] for rule in known.rules("alerts")]


def test_alerts_and_runbooks_belong_together() -> None:
    """There is no alert without a runbook, and no runbook of an alert that went."""
    assert sorted(path.stem for path in (known.MONITORING / "runbooks").iterdir()) == sorted(ALERTS)


@pytest.mark.parametrize("rule", known.rules("alerts"), ids=lambda rule: str(rule["alert"]))
def test_alerts_say_how_bad_it_is_and_where_to_read_on(rule: known.Rule) -> None:
    """Each has a severity, two sentences and the path of its runbook."""
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"monitoring/runbooks/{rule['alert']}.md"
    assert (known.ROOT / rule["annotations"]["runbook_url"]).is_file()


@pytest.mark.parametrize("alert", ALERTS)
def test_runbooks_have_four_parts(alert: str) -> None:
    """What it means, what it costs, how to find the reason, what to do; each with text, diagnosis with commands."""
    title, *parts = re.split(r"^## ", (known.MONITORING / "runbooks" / f"{alert}.md").read_text(), flags=re.MULTILINE)

    assert title == f"# {alert}\n\n"
    assert [part.partition("\n")[0] for part in parts] == HEADINGS
    assert all(part.partition("\n")[2].strip() for part in parts)
    assert "$ " in parts[2]


@pytest.mark.parametrize("alert", ALERTS)
def test_links_of_runbooks_lead_somewhere(alert: str) -> None:
    """A file that a runbook links to is there."""
    text = (known.MONITORING / "runbooks" / f"{alert}.md").read_text()

    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (known.MONITORING / "runbooks" / target).is_file(), target
