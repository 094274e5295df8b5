"""`tinderbox infer`, and what `check` says of its job file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tinderbox.cli import infer as module
from tinderbox.cli import main
from tinderbox.errors import TinderboxError
from tinderbox.inference.agreement import Agreement
from tinderbox.inference.counts import Counts
from tinderbox.inference.failures import Failures
from tinderbox.inference.summary import Summary

JOB = "kind: infer\nname: photos\npredict: json:loads\ncolumns: {level: int}\ninput: photos\n"
Command = Callable[..., Result]


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A job file whose function is one of Python's own."""
    path = tmp_path / "job.yaml"
    path.write_text(JOB)
    return path


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The plans and options that the command would run, none of which is; each labels ten rows."""
    calls: list[dict[str, Any]] = []
    done = Summary(rows=4, labelled=3, errors=Failures(Counts({"empty": 1})), seconds=2.0)
    earlier = Summary(rows=6, labelled=6, truth=Agreement(known=6, right=3), seconds=1.0)
    result = SimpleNamespace(done=done, summary=done + earlier, rows="studies/photos/rows", report="report.html")

    def run(plan: Any, **options: Any) -> Any:
        calls.append({"plan": plan, **options})
        return result

    monkeypatch.setattr(module, "run_inference", run)
    return calls


def invoke(*arguments: str) -> Result:
    """Run a command of Tinderbox."""
    return CliRunner().invoke(main, list(arguments))


def test_what_is_printed(job: Path, ran: list[dict[str, Any]]) -> None:
    """What this run did, what all did, errors by kind, accuracy where it is known, and where things are."""
    result = invoke("infer", str(job))
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        "done: 4 rows, 1 with an error, 2.0 rows/s",
        "in all: 10 rows, 1 with an error, 3.3 rows/s",
        "errors: 1 empty",
        "accuracy: 50.00% of 6 rows whose label is known",
        "rows: studies/photos/rows",
        "report: report.html",
    ]


def test_storage_and_force(job: Path, ran: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """The chart's storage takes the place of the job's; `--set` goes before both; a submission has its token."""
    invoke("infer", str(job), "--force")
    monkeypatch.setenv("TINDERBOX_STORAGE", "/studies")
    monkeypatch.setenv("TINDERBOX_TOKEN", "secret")
    invoke("infer", str(job))
    invoke("infer", str(job), "--set", "storage=mine")
    assert [call["plan"].job.storage for call in ran] == ["studies", "/studies", "mine"]
    assert [(call["force"], bool(call["submission"])) for call in ran] == [(True, False), (False, True), (False, True)]
    assert "secret" not in ran[1]["submission"]


def test_a_stop_says_how_to_go_on(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C has exit code 130, an error its own."""

    def stop(plan: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "run_inference", stop)
    result = invoke("infer", str(job), "--force")
    assert (result.exit_code, "run the same command again without --force to continue" in result.stderr) == (130, True)

    def fail(plan: Any, **options: Any) -> None:
        raise TinderboxError("Spark has stopped")

    monkeypatch.setattr(module, "run_inference", fail)
    result = invoke("infer", str(job))
    assert (result.exit_code, result.stderr) == (1, "tinderbox: Spark has stopped\n")


def test_check(job: Path) -> None:
    """One line that says what would be done; nothing is started."""
    result = invoke("check", str(job))
    assert result.exit_code == 0, result.stderr
    assert f"{job}: files as they are of {job.parent}/photos by json:loads, on 2 slots of 1 cores" in result.stdout


def test_a_job_of_another_kind(job: Path) -> None:
    """Each command runs its own kind, and says which one runs the other."""
    result = invoke("sweep", str(job))
    assert (result.exit_code, "is a job of kind infer, and not sweep; tinderbox infer runs it" in result.stderr) == (
        2,
        True,
    )


@pytest.mark.parametrize("kind", ["sweep", "infer"])
def test_schema(kind: str) -> None:
    """Each kind has one."""
    assert f'"const": "{kind}"' in invoke("schema", kind).stdout
