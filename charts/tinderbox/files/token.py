# ruff: noqa: T201 - what it prints is what the test has to say
"""Fails where a service account's token is mounted into the pod."""

import sys
from pathlib import Path

TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def main(token: Path = TOKEN) -> int:
    """Print what was found."""
    print(f"{token} is there, and must not be" if token.exists() else "no token is mounted, as it must be")
    return 1 if token.exists() else 0


if __name__ == "__main__":
    sys.exit(main())
