"""Studies as one of Optuna's storages, to be read: each is replaced whole, and keeps its number."""

from __future__ import annotations

from collections.abc import Container, Hashable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import StudyDirection
    from optuna.study._frozen import FrozenStudy
    from optuna.trial import FrozenTrial, TrialState


class Shelf:
    """What Optuna asks of a storage, answered by a storage of its own for each study, in which the study is number 0.

    Numbers of trials are told by their studies only: Optuna's numbers of trials over all studies are not kept.
    """

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._studies: dict[int, BaseStorage] = {}

    def show(self, studies: Mapping[Hashable, BaseStorage]) -> None:
        """Show these studies and no others; one whose key was there before keeps its number."""
        for key in studies:
            self._numbers.setdefault(key, len(self._numbers))
        # In one step: other threads are reading.
        self._studies = {self._numbers[key]: study for key, study in studies.items()}

    def get_all_studies(self) -> list[FrozenStudy]:
        """Return every study, by its number here."""
        found = []
        for number, study in sorted(self._studies.items()):
            (frozen,) = study.get_all_studies()
            frozen._study_id = number
            found.append(frozen)
        return found

    def get_study_id_from_name(self, study_name: str) -> int:
        """Return the number of a study."""
        for number, study in self._studies.items():
            if study.get_study_name_from_id(0) == study_name:
                return number
        raise KeyError(study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        """Return the name of a study."""
        return self._studies[study_id].get_study_name_from_id(0)

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """Return whether each objective is minimized or maximized."""
        return self._studies[study_id].get_study_directions(0)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """Return what its user has noted with a study."""
        return self._studies[study_id].get_study_user_attrs(0)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """Return what Optuna has noted with a study: the names of its metrics."""
        return self._studies[study_id].get_study_system_attrs(0)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the trials of a study, by their numbers there."""
        return self._studies[study_id].get_all_trials(0, deepcopy, states)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Refuse: only artifacts of trials are asked for in this way, and there are none."""
        raise KeyError(trial_id)

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise PermissionError("studies are only shown here; their own records are what they are")

    create_new_study = delete_study = set_study_user_attr = set_study_system_attr = _refuse
    create_new_trial = set_trial_param = set_trial_state_values = set_trial_intermediate_value = _refuse
    set_trial_user_attr = set_trial_system_attr = _refuse


def new_shelf() -> Shelf:
    """Return an empty shelf, which Optuna takes for a storage."""
    from optuna.storages import BaseStorage

    class ReadOnly(Shelf, BaseStorage):
        """A shelf, and what Optuna builds of its answers."""

    return ReadOnly()
