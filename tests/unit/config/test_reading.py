"""From files, manifests and settings to a job, or to one sentence."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tinderbox.config import FloatParameter, read_any, read_sweep
from tinderbox.config.reading import (
    KINDS,
    beside_job,
    find_job,
    read_documents,
    set_key,
    set_line,
    split_setting,
    write_job,
)
from tinderbox.errors import BadInput

Change = Callable[..., dict[str, Any]]
ONE = "and must hold one: a document, or a key of a ConfigMap, with kind: sweep, infer or train at its top"


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("a: 1\nslots: 2\nb: 3\n", "a: 1\nslots: 7\nb: 3\n"),
        ("slots:  2  # few\n", "slots: 7  # few\n"),
        ("a: {slots: 1}\nb:\n  slots: 4\n", "a: {slots: 1}\nb:\n  slots: 4\nslots: 7\n"),
        ("a: 1", "a: 1\nslots: 7\n"),
    ],
)
def test_a_line_is_set(text: str, changed: str) -> None:
    """Where it is, or at the end; comments and all other lines stay."""
    assert set_line(text, "slots", "7") == changed


@pytest.fixture
def text(change: Change) -> str:
    """Return the valid job as YAML."""
    return yaml.safe_dump(change(), sort_keys=False)


def manifest(data: Any) -> str:
    """Return a Kubernetes manifest with a ConfigMap and a Job."""
    documents = [{"kind": "ConfigMap", "data": data}, {"kind": "Job", "spec": {}}]
    return yaml.safe_dump_all(documents)


def refusal(path: Path, *changes: str) -> str:
    """Return the sentence with which a file is refused, without its path."""
    with pytest.raises(BadInput) as raised:
        read_sweep(path, changes)
    sentence = str(raised.value)
    assert "\n" not in sentence
    return sentence.removeprefix(f"{path}: ")


def written(folder: Path, text: str) -> Path:
    """Return the path of a file with a text."""
    path = folder / "job.yaml"
    path.write_text(text)
    return path


def test_a_job_file(tmp_path: Path, text: str) -> None:
    """A document with a kind at its top is a job."""
    assert read_sweep(written(tmp_path, text)).name == "small"


def test_a_manifest_whose_config_map_holds_the_job(tmp_path: Path, text: str) -> None:
    """The same job is found in a ConfigMap, beside keys that are no YAML and documents that are no jobs."""
    path = written(tmp_path, manifest({"notes.txt": "a: [1", "other.yaml": "a: 1", "sweep.yaml": text}))
    assert read_sweep(path) == read_sweep(written(tmp_path, text))


def test_exponents_are_numbers(tmp_path: Path, text: str) -> None:
    """`1e-3` is a number, as in YAML 1.2, not a text, as in YAML 1.1."""
    job = read_sweep(written(tmp_path, text.replace("low: 0.1", "low: 1e-3").replace("high: 1", "high: +2E0")))
    lr = job.parameters["lr"]
    assert isinstance(lr, FloatParameter)
    assert (lr.low, lr.high) == (0.001, 2.0)


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        *(
            (text, text)
            for text in ("no", "yes", "On", "off", "y", "N", "1:30", "1:30.5", "-1:00", "010", "0b11", "_1", "e5")
        ),
        *((text, True) for text in ("true", "True", "TRUE")),
        *((text, False) for text in ("false", "False", "FALSE")),
        ("0", 0),
        ("-12", -12),
        ("+10_000", 10_000),
        ("0x1F", 31),
        ("0x" + 5000 * "F", "0x" + 5000 * "F"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("1_0.5e3", 10_500.0),
        ("-1E-3", -0.001),
        ("2e5", 200_000.0),
        ("-.inf", -math.inf),
        ("~", None),
    ],
)
def test_plain_values(plain: str, value: object) -> None:
    """Booleans are true and false, numbers are decimal, as in YAML 1.2; what only looks like one is a text."""
    got = split_setting(f"key={plain}")[1]
    assert (got, type(got)) == (value, type(value))


def test_a_key_may_be_called_on(tmp_path: Path, text: str) -> None:
    """What is a boolean in YAML 1.1 is a name like any other, and a choice like any other."""
    job = read_sweep(written(tmp_path, text), ["parameters={on: {type: choice, choices: [no, relu]}}"])
    assert job.parameters["on"].choices == ["no", "relu"]  # type: ignore[union-attr]


@pytest.mark.parametrize("content", ["", "a: 1", "- 1", "kind: Job", "kind: [sweep]", "kind: ConfigMap"])
def test_no_job(tmp_path: Path, content: str) -> None:
    """A file without a job is refused with what a job looks like."""
    assert refusal(written(tmp_path, content)) == (f"holds 0 jobs {ONE}")


@pytest.mark.parametrize("data", [None, "text", ["a"], {}, {"a.yaml": 5}, {1: "a: 1"}, {"a.yaml": "- 1"}])
def test_a_config_map_without_a_job(tmp_path: Path, data: Any) -> None:
    """Whatever else a ConfigMap holds is no job, and no crash."""
    assert refusal(written(tmp_path, manifest(data))).startswith("holds 0 jobs and must hold one")


def test_two_jobs(tmp_path: Path, text: str) -> None:
    """Two jobs are refused, in one file and in one ConfigMap."""
    expected = f"holds 2 jobs {ONE}"
    assert refusal(written(tmp_path, f"{text}\n---\n{text}")) == expected
    assert refusal(written(tmp_path, manifest({"a.yaml": text, "b.yml": text}))) == expected
    assert refusal(written(tmp_path, manifest({"a.yaml": f"{text}\n---\n{text}"}))) == expected


def test_a_job_without_its_kind_is_told_what_it_lacks(tmp_path: Path, text: str) -> None:
    """A document with an objective is meant as a job."""
    assert refusal(written(tmp_path, text.replace("kind: sweep", ""))) == "the job needs kind"


@pytest.mark.parametrize("content", ["a: [1", "\x00", "a: b: c", "!!python/object:os.system {}"])
def test_no_yaml(tmp_path: Path, content: str) -> None:
    """What is not YAML is refused, and nothing in it is run."""
    assert refusal(written(tmp_path, content)).startswith("is not YAML: ")


def test_an_impossible_date_is_no_yaml(tmp_path: Path) -> None:
    """PyYAML's plain ValueError is a sentence too."""
    assert refusal(written(tmp_path, "name: 2026-13-45")) == "is not YAML: month must be in 1..12"


def test_a_key_that_is_written_twice(tmp_path: Path, text: str) -> None:
    """It is refused with its lines, wherever it is: of two values, one would count without a word."""
    lines = text.splitlines()
    first = next(number for number, line in enumerate(lines, start=1) if line.startswith("epochs:"))
    expected = f"is not YAML: key 'epochs' is written twice, in line {first} and in line {len(lines) + 1}; keep one"
    assert refusal(written(tmp_path, f"{text}epochs: 9\n")) == expected
    assert refusal(written(tmp_path, manifest({"sweep.yaml": f"{text}epochs: 9\n"}))) == (
        f"sweep.yaml in the ConfigMap {expected}"
    )
    assert refusal(written(tmp_path, "a: [{b: 1, 'b': 2}]")) == (
        "is not YAML: key 'b' is written twice, in line 1 and in line 1; keep one"
    )
    assert "key 'x' is written twice" in refusal(written(tmp_path, text), "parameters={x: 1, x: 2}")


def test_keys_that_are_there_once(tmp_path: Path) -> None:
    """Values may be equal, other mappings may have the same key, and what is merged in may be replaced."""
    content = "a: &a {x: 1, y: a}\nb: &b {<<: *a, x: 2}\nc: {<<: *b, y: 3}\n1: a\n'1': a\n"
    merged = {"a": {"x": 1, "y": "a"}, "b": {"x": 2, "y": "a"}, "c": {"x": 2, "y": 3}, 1: "a", "1": "a"}
    assert read_documents(written(tmp_path, content)) == [merged]


def test_too_deep_yaml(tmp_path: Path, text: str) -> None:
    """Thousands of brackets are one sentence, in a file, in a ConfigMap and in a setting."""
    deep, sentence = "[" * 3000 + "]" * 3000, "is not YAML: it is nested too deeply"
    assert refusal(written(tmp_path, f"a: {deep}")) == sentence
    assert refusal(written(tmp_path, manifest({"a.yaml": deep}))) == f"a.yaml in the ConfigMap {sentence}"
    assert refusal(written(tmp_path, text), f"epochs={deep}").endswith(f"the value {sentence}")


def test_no_text(tmp_path: Path) -> None:
    """A file that is no UTF-8 is refused."""
    path = tmp_path / "job.yaml"
    path.write_bytes(b"\xff\xfe\xfa")
    assert refusal(path).startswith("is not YAML: ")


def test_bad_yaml_in_a_config_map(tmp_path: Path) -> None:
    """The sentence names the key."""
    assert refusal(written(tmp_path, manifest({"sweep.yaml": "a: [1"}))).startswith(
        "sweep.yaml in the ConfigMap is not YAML: while parsing a flow sequence"
    )


def test_no_file(tmp_path: Path) -> None:
    """A path that leads nowhere, or to a folder, is refused."""
    assert refusal(tmp_path / "none.yaml") == ("cannot be read: No such file or directory; give the path of a job file")
    assert refusal(tmp_path) == "cannot be read: Is a directory; give the path of a job file"


def test_settings_change_the_job(tmp_path: Path, text: str) -> None:
    """`--set` sets keys at any depth, makes the parts on the way, and the last one counts."""
    path = written(tmp_path, text)
    job = read_sweep(
        path, ["epochs=7", "data.source=digits", "data.split.test=0", "parameters.lr.low=1e-3", "epochs=8"]
    )
    assert (job.epochs, job.parameters["lr"].low, job.data.split.test) == (8, 0.001, 0)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("epochs", "a setting is written key=value, such as epochs=3, got 'epochs'"),
        ("=3", "a setting is written key=value, such as epochs=3, got '=3'"),
        ("search.method=tpe", "--set search.method=tpe: search is not a mapping; set search itself"),
        ("epochs.a.b=1", "--set epochs.a.b=1: epochs is not a mapping; set epochs itself"),
        ("name=2026-13-45", "name=2026-13-45: the value is not YAML: month must be in 1..12"),
        ("epochs=0", "epochs: input should be greater than or equal to 1, got 0"),
        ("epochs=", "epochs: input should be a valid integer, got None"),
        ("metric.nam=x", "unknown key 'nam' in metric; did you mean name? (valid keys: name, direction)"),
    ],
)
def test_bad_settings(tmp_path: Path, text: str, setting: str, sentence: str) -> None:
    """A setting that cannot be read, leads nowhere or breaks a rule is one sentence."""
    assert refusal(written(tmp_path, text), setting) == sentence


def test_a_setting_is_yaml() -> None:
    """Lists, mappings, texts with = and numbers are understood."""
    assert split_setting("a.b=[1, 2e1]") == ("a.b", [1, 20.0])
    assert split_setting("a=b=c") == ("a", "b=c")
    with pytest.raises(BadInput, match=r"^a=\[1: the value is not YAML: while parsing a flow sequence"):
        split_setting("a=[1")


def test_setting_a_key_leaves_its_neighbours() -> None:
    """Only the key that is named changes."""
    tree = {"a": {"b": 1, "c": 2}}
    set_key(tree, "a.b=3")
    assert tree == {"a": {"b": 3, "c": 2}}


def test_documents_of_a_stream(tmp_path: Path) -> None:
    """Empty documents are left out."""
    path = written(tmp_path, "---\n---\na: 1\n---\n")
    assert read_documents(path) == [{"a": 1}]
    with pytest.raises(BadInput, match="holds 0 jobs"):
        find_job([{"a": 1}], path)
    assert list(KINDS) == ["sweep", "infer", "train"]


def test_the_jobs_that_ship_are_valid() -> None:
    """Each job file of the repository is accepted."""
    folder = Path(__file__).parents[3] / "jobs"
    jobs = {path.stem: read_any(path) for path in folder.glob("*.yaml")}
    assert {name: job.name for name, job in jobs.items()} == {
        "infer-digits": "label-digits",
        "sweep-digits": "digits",
        "sweep-mnist": "mnist",
        "train": "lenet-digits",
    }
    assert all(name.startswith(job.kind) for name, job in jobs.items())


def test_nothing_is_beside_a_plain_job(tmp_path: Path, text: str) -> None:
    """Neither files nor a Job, nor documents of other kinds."""
    assert beside_job(written(tmp_path, text)) == ({}, {})
    assert beside_job(written(tmp_path, f"{text}\n---\n- 1\n---\nkind: Service\n")) == ({}, {})


def test_what_a_manifest_holds_beside_a_job(tmp_path: Path, text: str) -> None:
    """The other keys of its ConfigMap, YAML or not, and its Job; another ConfigMap is none of the driver's."""
    files = {"fetch.py": "a: [1", "other.yaml": "a: 1", "empty": ""}
    other = yaml.safe_dump({"kind": "ConfigMap", "data": {"settings": "x"}})
    path = written(tmp_path, f"{manifest({**files, 'sweep.yaml': text})}\n---\n{other}")
    assert beside_job(path) == (files, {"kind": "Job", "spec": {}})


@pytest.mark.parametrize("data", [None, "text", ["a"], {}, {"a.yaml": 5}, {1: "a: 1"}])
def test_a_config_map_without_a_job_is_not_looked_into(tmp_path: Path, text: str, data: Any) -> None:
    """Whatever it holds."""
    path = written(tmp_path, f"{manifest(data)}\n---\n{text}")
    assert beside_job(path) == ({}, {"kind": "Job", "spec": {}})


def test_beside_a_job_that_cannot_be_read(tmp_path: Path) -> None:
    """One sentence, as for the job."""
    with pytest.raises(BadInput, match=r"none.yaml: cannot be read: No such file"):
        beside_job(tmp_path / "none.yaml")
    with pytest.raises(BadInput, match=r"job.yaml: is not YAML"):
        beside_job(written(tmp_path, "a: [1"))


TEXTS = ["no", "Yes", "on", "y", "true", "null", "~", "", " ", "1e-3", "1E5", "010", "0x1F", "0b1", "1_000", "1:30"]
TEXTS += [".5", "+1", "-.inf", ".NaN", "2026-01-01", "<<", "=", "- a", "a: b", "# a", "a\nb\n", "'", '"', "\t", "grün"]
VALUES = [*TEXTS, "🚋", 0, -12, 2**53, 1e-3, 1e-07, 1e22, -0.0, 0.1, 5e-324, True, False, None, [], {}]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_is_written_is_read_as_it_was(tmp_path: Path, value: object) -> None:
    """As a value, in a list and as a key: texts stay texts and numbers stay numbers."""
    tree = {"b": value, "a": [value, {"c": value}]} | ({value: 1} if isinstance(value, str) else {})
    [read] = read_documents(written(tmp_path, write_job(tree)))
    assert repr(read) == repr(tree)


def test_a_job_that_is_written(tmp_path: Path, text: str) -> None:
    """Is pleasant to read: keys in their order, and no quotes where none are needed."""
    tree = read_documents(written(tmp_path, text))[0]
    assert write_job({"name": "grün", "choices": ["relu", "no", 1e-3]}) == (
        "name: grün\nchoices:\n- relu\n- no\n- 0.001\n"
    )
    assert list(read_documents(written(tmp_path, write_job(tree)))[0]) == list(tree)
