"""Where studies are kept: every path of one, atomic writes, and the log of its record."""

from tinderbox.storage.folder import StudyFolder, check_storage, find_studies, log_name

__all__ = ["StudyFolder", "check_storage", "find_studies", "log_name"]
