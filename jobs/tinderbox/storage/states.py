"""Checkpoints that slots bring to storage and fetch from there themselves, past the driver; and those left there."""

from __future__ import annotations

import re
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tinderbox import checkpoint
from tinderbox.errors import TinderboxError
from tinderbox.storage.folder import StudyFolder, is_elsewhere, state_name
from tinderbox.sweeping.client import Client
from tinderbox.sweeping.messages import Resume
from tinderbox.sweeping.study import Study


class DirectClient(Client):
    """A slot's way to its coordinator, but for states, which go straight to a folder or URL that all machines reach."""

    def __init__(self, place: str, url: str, token: str) -> None:
        super().__init__(url, token)
        self._states, self._place = _open(place), place

    def upload(self, trial: int, attempt: int, epoch: int, slot: str, path: Path) -> None:
        """Bring a checkpoint to storage, and tell the coordinator once it is there, whole.

        Raises:
            StaleAttempt: The attempt is not the trial's any more; the driver, who knows what is kept, removes the file.
            TinderboxError: Storage does not take it.
        """
        (sha256, size), name = checkpoint.digest(path), state_name(trial, attempt, epoch)
        try:
            with path.open("rb") as source, self._states.replacing(name) as file:
                shutil.copyfileobj(source, file)
        except OSError as error:
            raise TinderboxError(f"{self._place} does not take a checkpoint: {error}") from error
        self.note_state(trial, attempt, epoch, slot, f"{self._place}/{name}", sha256, size)

    def download(self, trial: int, attempt: int, slot: str, resume: Resume, path: Path) -> None:
        """Fetch the state that an attempt goes on from, from wherever it was saved.

        One that is not there is asked of the driver, which sends it, or notes that it is gone.

        Raises:
            TinderboxError: It is gone, or not what was saved.
        """
        if not is_elsewhere(resume.path):  # it was saved before states went their own way
            super().download(trial, attempt, slot, resume, path)
            return
        try:
            with tempfile.TemporaryDirectory(prefix="tinderbox-") as scratch:
                shutil.copyfile(self._states.fetch(resume.path, Path(scratch)), path)
        except FileNotFoundError:
            super().download(trial, attempt, slot, resume, path)
        except OSError as error:
            raise TinderboxError(f"{resume.path} cannot be read: {error}") from error
        if checkpoint.digest(path) != (resume.sha256, resume.size):
            raise TinderboxError(f"what is in {resume.path} is not what was saved")


def place_of(states: str, name: str, study: Study) -> str:
    """Return where slots keep a study's states themselves, below a folder or URL that studies share.

    When a study began tells it from another one of its name, such as one that was set aside.
    """
    began = datetime.fromtimestamp(study.started or 0.0, UTC)
    return f"{states.rstrip('/')}/{name}/{began:%Y%m%dT%H%M%S.%fZ}"


def _open(place: str) -> StudyFolder:
    return StudyFolder(*place.rsplit("/", 1))


def remove_strays(folder: StudyFolder, study: Study) -> int:
    """Remove the states of earlier attempts that a study's record does not know, and return how many there were.

    A driver that is killed leaves them, and so does a slot: stored and not noted yet, or half stored. Those of attempts
    that the record does not know are a later driver's, which has taken the study over meanwhile.
    """
    # By its name in the study, which no two states share: the same place may be spelled in several ways.
    kept = {"/".join(trial.checkpoint.path.split("/")[-3:]) for trial in study.trials.values() if trial.checkpoint}
    places = [folder] if folder.states is None else [folder, _open(folder.states)]
    removed = 0
    for place in places:
        strays = [name for name in place.names("checkpoints") if name not in kept and _is_over(name, study)]
        for name in strays:
            place.remove(name)
        removed += len(strays)
    return removed


def _is_over(name: str, study: Study) -> bool:
    """Whether a state, or a part of one, is of an attempt that a study's record knows."""
    found = re.match(r"checkpoints/trial-(\d+)/\.?attempt-(\d+)-epoch-", name)
    trial = study.trials.get(int(found[1])) if found else None
    return found is not None and trial is not None and int(found[2]) <= trial.attempt
