"""The claim that holds the studies."""

from tests.charts.chart import refusal, render


def test_the_claim_outlives_the_release() -> None:
    """Uninstalling keeps it, unless one says otherwise."""
    claim = render().find("PersistentVolumeClaim", "tinderbox-studies")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    claim = render({"storage": {"keep": False}}).find("PersistentVolumeClaim", "tinderbox-studies")
    assert "annotations" not in claim["metadata"]


def test_size_class_and_mode() -> None:
    """The cluster's default class, read and written by one node, unless one says otherwise."""
    claim = render().find("PersistentVolumeClaim", "tinderbox-studies")["spec"]
    assert claim == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}}
    values = {"size": "1Ti", "storageClass": "nfs", "accessMode": "ReadWriteMany"}
    claim = render({"storage": values}).find("PersistentVolumeClaim", "tinderbox-studies")["spec"]
    assert (claim["accessModes"], claim["storageClassName"]) == (["ReadWriteMany"], "nfs")
    assert claim["resources"]["requests"]["storage"] == "1Ti"


def test_there_is_none_where_studies_are_elsewhere() -> None:
    """A URL or a claim of one's own leaves nothing to make."""
    assert "Claim" not in str(render({"storage": {"existingClaim": "mine"}}).kinds())
    assert "Claim" not in str(render({"storage": {"url": "s3://b"}, "console": {"enabled": False}}).kinds())


def test_two_places_for_studies_are_refused() -> None:
    """A URL and a claim cannot both hold them."""
    assert "storage.url and storage.existingClaim cannot both keep the studies" in refusal(
        {"storage": {"url": "s3://b", "existingClaim": "mine"}}
    )


def test_credentials_for_nothing_are_refused() -> None:
    """A Secret without a URL would be a misunderstanding."""
    assert "storage.credentialsSecret is for storage.url, and there is none" in refusal(
        {"storage": {"credentialsSecret": "s3"}}
    )
