"""decommission.sh, inside the image and with a shell in place of Java: there it finds no other executor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.images.conftest import Image

pytestmark = pytest.mark.image

BACKEND = "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"


def test_slots_and_spark_are_told_and_waited_for(image: Image) -> None:
    """The file is there, the JVM gets SIGPWR, and the hook ends after the JVM has handed in what it had."""
    executor = f"""
        bash -c 'trap "sleep 1; echo handed in; exit" PWR; while :; do sleep 0.05; done' {BACKEND} < /dev/null &
        sleep 1
        /opt/tinderbox/decommission.sh
        echo hook ended with $?
        ls /tmp/tinderbox-decommission
    """
    said = image.run("bash", given=executor)  # as an argument it would hold the name that the hook looks for
    assert said.splitlines() == ["handed in", "hook ended with 0", "/tmp/tinderbox-decommission"]  # noqa: S108


def test_a_pod_whose_jvm_has_ended_is_not_held_up(image: Image) -> None:
    """There is nobody to tell."""
    assert image.run("/opt/tinderbox/decommission.sh") == ""
