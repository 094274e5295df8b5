"""What a study looks like to a reader: a page, pictures, and an Optuna study."""

from tinderbox.report.edges import Edge, edges
from tinderbox.report.export import export_journal, to_optuna
from tinderbox.report.labels import render_labels
from tinderbox.report.page import render
from tinderbox.report.plots import save_pictures

__all__ = ["Edge", "edges", "export_journal", "render", "render_labels", "save_pictures", "to_optuna"]
