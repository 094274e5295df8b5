"""Turns a failed check into one sentence: the key, its place, the rule, the value got and the valid keys."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

_LONGEST_VALUE = 120

_TYPES = {
    "bool_type": "boolean",
    "int_type": "integer",
    "float_type": "number",
    "finite_number": "finite number",
    "string_type": "string",
    "list_type": "list",
    "sequence_str": "list",
    "is_instance_of": "list",
}
"""What pydantic's errors of type call the types that a job file can hold."""


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """Return one sentence for the first mistake, with the number of further ones."""
    schema, found = model.model_json_schema(), dict[str, list[ErrorDetails]]()
    for detail in error.errors(include_url=False):
        found.setdefault(locate(detail["loc"], schema)[0], []).append(detail)
    place, details = next(iter(found.items()))
    sentence = _explain_place(place, details, schema)
    return sentence if len(found) == 1 else f"{sentence} (and {len(found) - 1} more)"


def _explain_place(place: str, details: list[ErrorDetails], schema: dict[str, Any]) -> str:
    """Return the sentence for the first mistake at one place; where several types are possible there are as many."""
    # The type that fits furthest is the one that was meant, and the one that fits but for its own rule.
    furthest = max(len(detail["loc"]) for detail in details)
    meant = [detail for detail in details if len(detail["loc"]) == furthest]
    first = next((detail for detail in meant if detail["type"] not in _TYPES), meant[0])
    if first["type"] == "extra_forbidden":
        return _unknown_key(first, schema)
    if first["type"] == "invalid_key" or first["loc"][-1:] == ("[key]",):
        parent = locate(first["loc"][: -1 if first["type"] == "invalid_key" else -2], schema)[0]
        return f"{parent or 'the job'}: a key must be a text, got {_shown(first['input'])}; write it in quotes"
    types = list(dict.fromkeys(_TYPES[detail["type"]] for detail in meant if detail["type"] in _TYPES))
    if first["type"] in _TYPES and len(types) > 1:
        return f"{place}: input should be a valid {_either(types)}, got {_shown(first['input'])}"
    return _broken_rule(first, place, locate(first["loc"], schema)[1])


def locate(location: tuple[int | str, ...], schema: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the dotted path of a pydantic location, without the tags of unions, and the schema node there."""
    node, path = schema, []
    for step in location:
        node, named = _step(_resolve(node, schema), step, schema)
        if not node:
            break
        if named:
            path.append(str(step))
    return ".".join(path), _resolve(node, schema)


def _step(node: dict[str, Any], step: int | str, schema: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return the schema node one step further, and whether the step is a key the user wrote."""
    mapping = node.get("discriminator", {}).get("mapping", {})
    if step in mapping:
        return {"$ref": mapping[step]}, False
    if step in node.get("properties", {}):
        return node["properties"][step], True
    if isinstance(step, int) and "items" in node:
        return node["items"], True
    if isinstance(node.get("additionalProperties"), dict):
        return node["additionalProperties"], True
    for branch in node.get("anyOf", []):
        found = _step(_resolve(branch, schema), step, schema)
        if found[0]:
            return found
    return {}, False


def _resolve(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref")
    return schema["$defs"][reference.rpartition("/")[2]] if reference else node


def _unknown_key(detail: ErrorDetails, schema: dict[str, Any]) -> str:
    *parents, key = detail["loc"]
    place, node = locate(tuple(parents), schema)
    nodes = [node, *(_resolve(branch, schema) for branch in node.get("anyOf", []))]
    valid = [name for branch in nodes for name in branch.get("properties", {})]
    close = get_close_matches(str(key), valid, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"unknown key {key!r} in {place or 'the job'}{hint} (valid keys: {', '.join(valid)})"


def _broken_rule(detail: ErrorDetails, place: str, node: dict[str, Any]) -> str:
    where = place or "the job"
    if detail["type"] == "missing":
        key = detail["loc"][-1]
        parent = place.rpartition(".")[0] or "the job"
        about = _first_sentence(node.get("description", ""))
        return f"{parent} needs {key}" + (f": {about}" if about else "")
    if detail["type"].startswith("union_tag"):
        key, got = detail["ctx"]["discriminator"].strip("'"), detail["ctx"].get("tag", "nothing")
        return f"{where} needs {key}: one of {', '.join(node['discriminator']['mapping'])}, got {got}"
    if detail["type"] == "value_error":  # our own rule, which names what it got
        rule = detail["msg"].removeprefix("Value error, ")
    else:
        rule = f"{_lower(detail['msg'])}, got {_shown(detail['input'])}"
    return f"{place}: {rule}" if place else rule


def _either(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _shown(value: Any) -> str:
    """Return a value as a message shows it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def _first_sentence(description: str) -> str:
    """Return the beginning of a class's docstring or a field's description, as it reads after a colon."""
    return _lower(" ".join(description.split()).partition(". ")[0].removesuffix("."))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
