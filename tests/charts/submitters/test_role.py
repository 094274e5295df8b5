"""What people who submit jobs may do."""

from tests.charts.chart import render


def test_submitters_may_submit_follow_fetch_and_delete() -> None:
    """Jobs with their ConfigMaps and tokens, logs, events, port-forwards; no Secret is read, no shell, no pod made."""
    rules = render().find("Role", "tinderbox-submitter")["rules"]
    allowed = {
        "/".join(filter(None, [*rule["apiGroups"], resource])): set(rule["verbs"])
        for rule in rules
        for resource in rule["resources"]
    }
    assert allowed == {
        "batch/jobs": {"get", "list", "watch", "create", "patch", "delete"},
        "configmaps": {"get", "list", "create", "patch", "delete"},
        "secrets": {"create", "patch"},
        "pods": {"get", "list", "watch"},
        "events": {"get", "list", "watch"},
        "pods/log": {"get"},
        "pods/portforward": {"get", "create"},
        "apps/deployments": {"get"},
    }
