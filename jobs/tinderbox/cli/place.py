"""Which cluster a command means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from tinderbox.kube.cluster import Cluster, connect


@dataclass(frozen=True)
class Place:
    """Which cluster, namespace and release a command means."""

    namespace: str | None
    context: str | None
    release: str | None

    def connect(self) -> Cluster:
        """Return the cluster."""
        return connect(self.namespace, self.context)


def on_a_cluster(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which cluster; it gets them as `place`."""

    def run(namespace: str | None, context: str | None, release: str | None, **rest: Any) -> Any:
        return command(place=Place(namespace, context, release), **rest)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]  # click's own notes
    run = click.option("--release", help="The chart's release; the namespace's only one without it.")(run)
    run = click.option("--context", help="A context of kubeconfig; the current one without it.")(run)
    return click.option("-n", "--namespace", help="A namespace; the context's without it.")(run)
