"""`helm test`: executors have no token."""

from tests.charts.chart import render


def test_it_looks_as_an_executor_does() -> None:
    """The service account is theirs, and whether it mounts a token is left to it."""
    pod = render().find("Pod", "tinderbox-test-token")["spec"]
    compile(pod["containers"][0]["args"][0], "token.py", "exec")
    assert pod["serviceAccountName"] == "tinderbox-executor"
    assert "automountServiceAccountToken" not in pod
