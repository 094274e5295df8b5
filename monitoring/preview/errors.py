"""Why a preview, or a part of it, cannot be made.

PreviewError            the whole of it: a file, an option, or a Prometheus that does not answer
├── Unsupported         one panel: it asks for something of Grafana's that the preview does not know
└── QueryFailed         one query: Prometheus refuses it
"""


class PreviewError(Exception):
    """Something is missing or wrong; the text is one sentence."""


class Unsupported(PreviewError):
    """A dashboard uses what is not drawn here; passing over it in silence would show another dashboard."""


class QueryFailed(PreviewError):
    """Prometheus does not take a query; the text is what it says."""
