"""The exporter of an executor's pod; it ends with the pod."""

from __future__ import annotations

import logging
import signal
import sys

from tinderbox.errors import BadInput
from tinderbox.metrics.own import opened_exporter


def main() -> int:
    """Answer until the process is asked to end; a mistake is one sentence and an exit code."""
    logging.basicConfig(format="%(message)s")
    ending = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)  # they are waited for, so that the socket is cleared away
    try:
        with opened_exporter("executor") as exporter:
            if exporter.is_open:
                signal.sigwait(ending)
    except BadInput as error:
        logging.error("tinderbox: %s", error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
