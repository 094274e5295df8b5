"""Chart tests need helm, which a machine without the test cluster's binaries does not have: `pytest -m chart`."""

from pathlib import Path

import pytest

from tests.charts.chart import find_tool


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.chart)


@pytest.fixture(autouse=True)
def helm() -> None:
    """Skip where there is no helm."""
    if find_tool("helm") is None:
        pytest.skip("there is no helm: install it, or run python -m tests.cluster build helm")
