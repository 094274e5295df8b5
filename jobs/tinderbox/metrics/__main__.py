"""The exporter of an executor's pod; it ends with the pod."""

from __future__ import annotations

import logging
import signal
import sys

from tinderbox.errors import BadInput
from tinderbox.metrics.own import opened_exporter

if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    try:
        with opened_exporter("executor"):
            signal.sigwait([signal.SIGTERM, signal.SIGINT])
    except BadInput as error:
        logging.error("tinderbox: %s", error)
        sys.exit(error.exit_code)
