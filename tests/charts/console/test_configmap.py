"""The history server's configuration."""

from tests.charts.chart import render


def configuration(**console: object) -> dict[str, str]:
    """Its settings."""
    text = render({"console": console}).find("ConfigMap", "tinderbox-console")["data"]["spark-defaults.conf"]
    return dict(line.split() for line in text.splitlines())


def test_it_reads_where_drivers_write() -> None:
    """Both name the same folder or URL."""
    assert configuration()["spark.history.fs.logDirectory"] == render().settings()["spark.eventLog.dir"]
    url = {"eventLog": "s3a://b/events"}
    assert configuration(**url)["spark.history.fs.logDirectory"] == "s3a://b/events"


def test_old_logs_are_deleted() -> None:
    """After a month, or as many days as one likes."""
    assert configuration()["spark.history.fs.cleaner.enabled"] == "true"
    assert configuration()["spark.history.fs.cleaner.maxAge"] == "30d"
    assert configuration(retentionDays=2)["spark.history.fs.cleaner.maxAge"] == "2d"
