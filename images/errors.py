"""Why a command stops; each class has its exit code.

ImageError           1
└── Missing          2
"""


class ImageError(Exception):
    """Something did not work; the text is one sentence, and what the command said where that helps."""

    exit_code = 1


class Missing(ImageError):
    """The machine lacks something; the sentence says what, and how to get it."""

    exit_code = 2
