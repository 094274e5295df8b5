"""Which batch size and compiler suit a model: measured in another process, which may fail or take too long."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from tinderbox.inference import probe as probing
from tinderbox.inference.images import Frame
from tinderbox.inference.probe import BATCHES, Choice, Measured, _plain, _recipe, choose, probe
from tinderbox.inference.recipe import Recipe
from tinderbox.models.network import PackedModel, pack_model

RECIPE = Recipe("m", frame=Frame(4, 4, 1), mean=(1.0,), labels=("a", "b"), top=1)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> PackedModel:
    """A Keras model of a few weights, which tells two classes of small gray images apart."""
    import keras

    path = tmp_path_factory.mktemp("models") / "small.keras"
    layers = [keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
    keras.Sequential([keras.Input((4, 4, 1)), *layers]).save(path)
    return pack_model(path)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script that takes the place of the measuring process; its folder is its third argument."""
    script = tmp_path / "python"
    script.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    return script


def measured(batch: int, rate: float, xla: bool = False) -> Measured:
    """Return a measurement."""
    return Measured(batch, xla, rate, 1.0)


def test_all_sizes_are_measured_and_one_is_chosen(packed: PackedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real model: each size without XLA, and one with it; the choice is among them."""
    monkeypatch.setattr(probing, "LIMIT_SECONDS", 120.0)
    choice = probe(packed, RECIPE, None, None)
    assert [(one.batch, one.xla) for one in choice.tried[:-1]] == [(batch, False) for batch in BATCHES]
    assert choice.tried[-1].xla
    assert all(one.rate > 0 and one.start > 0 for one in choice.tried)
    assert (choice.batch, choice.xla, choice.rate) in [(one.batch, one.xla, one.rate) for one in choice.tried]


def test_a_model_that_cannot_be_loaded_breaks_nothing() -> None:
    """Nothing is measured then, and what loads it next says why."""
    assert probe(PackedModel("keras", b"no model", "d"), RECIPE, None, None) == Choice(32, False)


def test_a_measurement_that_takes_too_long_is_cut_off(
    packed: PackedModel, stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was measured until then counts, a line that was cut does not, and the process has ended."""
    stand_in.write_text(
        "#!/bin/sh\n"
        f"echo $$ > {stand_in.parent}/pid\n"
        "echo 'noise that is no measurement'\n"
        """echo '{"batch": 8, "xla": false, "rate": 50.0, "start": 1.0}' > "$3/measured"\n"""
        """printf '{"batch": 32, "xla"' >> "$3/measured"\n"""
        "exec sleep 60\n"
    )
    monkeypatch.setattr(probing, "LIMIT_SECONDS", 1.0)
    begin = time.monotonic()
    assert probe(packed, RECIPE, None, None) == Choice(8, False, 50.0, (measured(8, 50.0),))
    assert time.monotonic() - begin < 20
    with pytest.raises(ProcessLookupError):
        os.kill(int((stand_in.parent / "pid").read_text()), 0)


def test_a_process_that_dies_at_once_breaks_nothing(packed: PackedModel, stand_in: Path) -> None:
    """What is given is taken as it is."""
    stand_in.write_text("#!/bin/sh\nkill -9 $$\n")
    assert probe(packed, RECIPE, 7, None) == Choice(7, False)
    assert probe(packed, RECIPE, None, xla=True) == Choice(32, True)


def test_the_process_imports_what_this_one_can(packed: PackedModel, stand_in: Path) -> None:
    """Modules of the user's, which Spark has put on this process's path, are on that of the other one."""
    stand_in.write_text(f'#!/bin/sh\necho "$PYTHONPATH" > {stand_in.parent}/path\n')
    probe(packed, RECIPE, None, None)
    assert (stand_in.parent / "path").read_text().strip().split(os.pathsep) == sys.path


@pytest.mark.parametrize(
    ("tried", "expected"),
    [
        ([measured(8, 100), measured(32, 104), measured(128, 103)], (8, False)),
        ([measured(8, 100), measured(32, 200), measured(128, 209)], (32, False)),
        ([measured(8, 100), measured(32, 200), measured(128, 300)], (128, False)),
        ([measured(8, 100), measured(32, 50), measured(8, 130, xla=True)], (8, True)),
        ([measured(8, 100), measured(8, 12, xla=True)], (8, False)),
        ([measured(32, 12, xla=True)], (32, True)),
    ],
)
def test_more_is_chosen_only_where_it_is_worth_it(tried: list[Measured], expected: tuple[int, bool]) -> None:
    """A larger batch and a compiler must gain more than a little."""
    choice = choose(tuple(tried), None, None)
    assert (choice.batch, choice.xla) == expected
    assert choice.tried == tuple(tried)


def test_a_recipe_travels_whole() -> None:
    """The process works with the recipe that the workers will have, but for the labels' names."""
    recipe = Recipe("m", frame=Frame(4, 5, 3, "area", "crop"), reverse=True, mean=(1.0, 2.0, 3.0), preload=("a",))
    assert _recipe(json.loads(json.dumps(_plain(recipe)))) == recipe
    assert _recipe(json.loads(json.dumps(_plain(Recipe("m", features=("a", "b")))))) == Recipe("m", features=("a", "b"))
