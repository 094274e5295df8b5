"""Who may submit jobs."""

from tests.charts.chart import refusal, render


def test_nobody_is_bound_by_default() -> None:
    """The role is there, for whoever binds it elsewhere."""
    assert "RoleBinding/tinderbox-submitter" not in render().kinds()


def test_people_are_bound() -> None:
    """Groups, users and service accounts, the last of this namespace unless they name another."""
    people = [
        {"kind": "Group", "name": "scientists"},
        {"kind": "ServiceAccount", "name": "ci"},
        {"kind": "ServiceAccount", "name": "bot", "namespace": "tools"},
    ]
    assert render({"submitters": people}).find("RoleBinding", "tinderbox-submitter")["subjects"] == [
        {"kind": "Group", "name": "scientists", "apiGroup": "rbac.authorization.k8s.io"},
        {"kind": "ServiceAccount", "name": "ci", "namespace": "ml"},
        {"kind": "ServiceAccount", "name": "bot", "namespace": "tools"},
    ]


def test_a_subject_without_a_kind_is_refused() -> None:
    """The schema says what is missing."""
    assert "missing property 'kind'" in refusal({"submitters": [{"name": "someone"}]})
