"""What the README shows is run as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tinderbox import errors
from tinderbox.config.reading import KINDS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files of the README."""
    for name, text in re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", README, re.DOTALL):
        (tmp_path / name).write_text(text)
    return tmp_path


def run(folder: Path, *command: str) -> str:
    """Run a Python command in a folder and return what it printed."""
    ran = subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_job_of_the_readme_can_be_checked_and_tried(folder: Path) -> None:
    """One's own function and job file pass `check`, and one trial of them runs."""
    assert "trials: 13" in run(folder, "-m", "tinderbox", "check", "my_study.yaml", "--no-measure")
    assert "epoch 3: " in run(folder, "-m", "tinderbox", "try", "my_study.yaml", "--params", "rate=0.1")


def test_the_notebook_of_the_readme_runs(folder: Path) -> None:
    """The notebook's lines run a sweep and print its trials."""
    assert "val_accuracy" in run(folder, "notebook.py")
    assert (folder / "studies" / "notebook" / "report.html").exists()


def test_the_training_of_the_readme_can_be_checked(folder: Path) -> None:
    """One's own network and job file pass `check`."""
    told = run(folder, "-m", "tinderbox", "check", "my_net.yaml")
    assert "10 epochs in mode synchronous on 2 workers" in told
    assert "17 an epoch, 170 in all, of 64 examples, 32 on each worker" in told


def test_the_training_in_the_notebook_of_the_readme_runs(folder: Path) -> None:
    """The notebook's lines train on two workers; the command takes the model by its name."""
    assert "val_top1" in run(folder, "net_notebook.py")
    assert (folder / "studies" / "notebook" / "report.html").exists()
    (folder / "label.yaml").write_text(
        "{kind: infer, name: label, model: {run: notebook}, input: {source: data, data: {source: digits}}}"
    )
    assert "10 labels" in run(folder, "-m", "tinderbox", "check", "label.yaml")


@pytest.mark.parametrize("kind", KINDS)
def test_the_readme_names_every_key_of_a_job(kind: str) -> None:
    """The tables of the job files leave no key out."""
    missing = [key for key in KINDS[kind].model_fields if f"`{key}`" not in README]
    assert missing == ["kind"]


def test_every_make_target_that_the_readme_names_exists() -> None:
    """A command in the README is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z0-9-]+)", README)) <= targets


def test_every_exit_code_is_told() -> None:
    """The list has the codes of all our errors, and those of done and of stopped."""
    told = re.search(r"^Exit codes: (.*?)\.$", README, re.MULTILINE | re.DOTALL)
    assert told is not None
    ours = {kind.exit_code for kind in vars(errors).values() if isinstance(kind, type)}
    assert {int(code) for code in re.findall(r"\d+", told[1])} == ours | {0, 130, 143}
