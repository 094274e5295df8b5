"""Pages as single HTML files that need nothing else: no network, no server, no other file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from markupsafe import Markup


def fill(template: str, **told: Any) -> str:
    """Return the page that a template of this folder makes of what it is told; every text in it is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    folder = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["figure"] = _embed
    plotly = Markup(get_plotlyjs())  # noqa: S704 - a library, not a user's text
    return environment.get_template(template).render(plotly=plotly, **told)


def _embed(figure: go.Figure) -> Markup:
    """Return a figure as JSON that no text inside it can end: a script element ends at the first `</script`."""
    from markupsafe import Markup

    figure.layout.template = None  # the page has its own, in the reader's colors
    return Markup(figure.to_json().replace("<", "\\u003c"))  # noqa: S704 - escaped in this line
