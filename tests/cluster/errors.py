"""Why a command of the test cluster stops; each class has its exit code.

ClusterError           1
└── Missing            2
"""


class ClusterError(Exception):
    """Something of the cluster did not work; the text is one sentence, and log lines where they help."""

    exit_code = 1


class Missing(ClusterError):
    """The machine lacks something; the sentence says what, and how to get it."""

    exit_code = 2
