"""Brings home what runs elsewhere have left, and never writes over what has run here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tinderbox.errors import BadInput
from tinderbox.storage import StudyFolder
from tinderbox.storage.finding import other_kind
from tinderbox.storage.rows import RowsFolder
from tinderbox.storage.runs import RunFolder
from tinderbox.storage.training import TrainFolder


def bring_home(name: str, storage: str, to: str) -> StudyFolder:
    """Copy a study, all but its checkpoints, into a folder of studies, and return it there.

    Another study of this name that is there already is set aside.

    Raises:
        BadInput: There is no such study.
    """
    source, home = StudyFolder(storage, name), StudyFolder(to, name)
    source.read_job()
    # A file whose name begins with a dot is still being written.
    names = [file for file in source.names() if not file.startswith("checkpoints/") and "/." not in f"/{file}"]
    make_room(home, names, source.read)
    copy(names, source.read, home)
    return home


def bring_rows_home(name: str, storage: str, to: str) -> RowsFolder:
    """Copy a batch inference, all but what only its driver needs, into a folder, and return it there.

    One that was brought there before becomes as this one is; one that has run there, or a study, is set aside.

    Raises:
        BadInput: There is no such batch inference, or the folder cannot be written.
    """
    source, home = RowsFolder(storage, name), RowsFolder(to, name)
    source.read_job()
    # A file whose name begins with a dot is still being written.
    own = ("progress/", "driver-", "anew-")
    names = [file for file in source.names() if not file.startswith(own) and "/." not in f"/{file}"]
    if other_kind(home) or (home.exists() and home.names("progress")):
        home.set_aside()
    # What has been labelled anew since may lie in other micro-batches: with the old ones, rows would be there twice.
    for file in {*home.names("rows"), *home.names("summaries")}.difference(names):
        home.remove(file)
    copy(names, source.read, home)
    return home


def bring_training_home(name: str, storage: str, to: str) -> TrainFolder:
    """Copy a training, all but its checkpoints, into a folder, and return it there.

    Another run of this name that is there already is set aside.

    Raises:
        BadInput: There is no such training, or the folder cannot be written.
    """
    source, home = TrainFolder(storage, name), TrainFolder(to, name)
    source.read_job()
    names = [file for file in source.names() if not file.startswith("checkpoints/") and "/." not in f"/{file}"]
    make_room(home, names, source.read)
    copy(names, source.read, home)
    return home


def copy(names: Sequence[str], read: Callable[[str], bytes], home: RunFolder) -> None:
    """Write files into a run's folder; its job comes last, for it makes a folder a run.

    Raises:
        BadInput: The folder cannot be written.
    """
    for name in sorted(names, key=lambda name: name == home.job_file):
        content = read(name)
        try:
            home.write(name, content)
        except OSError as error:
            raise BadInput(f"{home.root} cannot be written: {error.strerror or error}; name another folder") from error


def make_room(home: RunFolder, names: Sequence[str], read: Callable[[str], bytes]) -> None:
    """Set what is in a folder aside, unless it is the same one, brought home before: its record has only grown.

    That its job, data and code are equal is not enough: it may have run here, or been begun anew.
    """
    if other_kind(home):
        home.set_aside()
    if not home.exists():
        return
    record = [name for name in home.names() if name.startswith("events/")]
    if not record or any(name not in names or not read(name).startswith(home.read(name)) for name in record):
        home.set_aside()
