# ruff: noqa: T201 - what it prints is what the test has to say
"""Waits a minute for a URL to answer."""

import sys
import time
import urllib.error
import urllib.request


def main(url: str, seconds: float = 60) -> int:
    """Print the answer, or why there is none."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - the chart gives an http URL
                print(f"{url} says {answer.read().decode()}")
            return 0
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > deadline:
                print(f"{url} does not answer: {error}")
                return 1
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
