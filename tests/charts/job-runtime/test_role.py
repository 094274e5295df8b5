"""What drivers may do."""

from tests.charts.chart import render


def test_the_role_holds_the_verbs_that_a_driver_uses_and_no_other() -> None:
    """Pods, the executors' ConfigMap, and what Spark looks at when it stops."""
    rules = render().find("Role", "tinderbox-driver")["rules"]
    assert all(rule["apiGroups"] == [""] for rule in rules)
    assert {rule["resources"][0]: set(rule["verbs"]) for rule in rules} == {
        "pods": {"get", "list", "watch", "create", "patch", "delete", "deletecollection"},
        "configmaps": {"create", "deletecollection"},
        "persistentvolumeclaims": {"list", "create", "deletecollection"},
        "services": {"deletecollection"},
    }
    assert all(len(rule["resources"]) == 1 for rule in rules)
