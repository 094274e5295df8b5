"""`helm test`: what drivers may do."""

import json

from tests.charts.chart import render


def test_it_asks_for_every_verb_of_the_role_and_for_what_must_be_denied() -> None:
    """As a driver, with the rules of the driver's own role."""
    pod = render().find("Pod", "tinderbox-test-rights")
    script, namespace, allowed, denied = pod["spec"]["containers"][0]["args"]
    compile(script, "rights.py", "exec")
    assert namespace == "ml"
    assert json.loads(allowed) == render().find("Role", "tinderbox-driver")["rules"]
    asked = {(each["verb"], each["resource"], each.get("subresource")) for each in json.loads(denied)}
    assert asked >= {("get", "secrets", None), ("create", "pods", "exec"), ("list", "nodes", None)}
    assert pod["spec"]["serviceAccountName"] == "tinderbox-driver"


def test_it_is_a_test_and_stays_where_it_fails() -> None:
    """Helm runs it on demand and removes it only where it passed."""
    for name in ("rights", "token", "console"):
        annotations = render().find("Pod", f"tinderbox-test-{name}")["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "test"
        assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
