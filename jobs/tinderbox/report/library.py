"""The studies of a storage as they grow, for optuna-dashboard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinderbox.config import check_sweep
from tinderbox.report.export import fill
from tinderbox.report.shelf import new_shelf
from tinderbox.storage import StudyFolder, check_storage, find_studies
from tinderbox.sweeping.journal import rebuild

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


@dataclass(frozen=True)
class Book:
    """A study as it was read: how much its record held, when it began, and as Optuna knows it."""

    extent: tuple[int, int]
    began: float | None
    study: BaseStorage


class Library:
    """The studies of a storage on a shelf, read again when their records have grown.

    What is wrong with a study is told once, and the others are shown.

    Raises:
        BadInput: The storage cannot be opened, or must not be read.
        TinderboxError: The storage cannot be read now.
    """

    def __init__(self, storage: str, tell: Callable[[str], object]) -> None:
        check_storage(storage)
        self.shelf = new_shelf()
        self._storage, self._tell = storage, tell
        self._books: dict[str, Book] = {}
        self._told: dict[str, str] = {}

    def refresh(self) -> None:
        """Look at every study, and show what has come."""
        try:
            names = find_studies(self._storage)
        except Exception as error:  # whatever a library raises; what was read is still shown
            self._complain("", f"storage {self._storage} cannot be read: {error}; what was read before is shown")
            return
        looked = {name: self._look(name) for name in names}
        self._books = {name: book for name, book in looked.items() if book is not None}
        # Another study of the same name, after `--fresh`, is not the one that a page shows.
        self.shelf.show({(name, book.began): book.study for name, book in self._books.items()})

    def _look(self, name: str) -> Book | None:
        """Return a study as it is now, as it was where it cannot be read, or None where there is nothing of it yet."""
        known = self._books.get(name)
        try:
            folder = StudyFolder(self._storage, name)
            extent = folder.extent()
            if known is None or known.extent != extent:
                known = _read(folder, extent) if extent[0] else None
        except Exception as error:  # whatever a library raises, or a record that others have damaged
            self._complain(name, f"study {name}: {error}")
        else:
            self._told.pop(name, None)
        return known

    def _complain(self, name: str, sentence: str) -> None:
        if self._told.get(name) != sentence:
            self._told[name] = sentence
            self._tell(sentence)


def _read(folder: StudyFolder, extent: tuple[int, int]) -> Book:
    from optuna.storages import InMemoryStorage

    job = check_sweep(folder.read_job(), f"study {folder.name}")
    study = rebuild(folder.log().read(), *job.aims)
    read = InMemoryStorage()
    fill(read, study, job.model_copy(update={"name": folder.name}))  # one that was set aside has a name of its own
    return Book(extent, study.started, read)
