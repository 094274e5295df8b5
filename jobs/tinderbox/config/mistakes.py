"""Turns a failed check into one sentence: the key, its place, the rule, the value got and the valid keys."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """Return one sentence for the first mistake, with the number of further ones."""
    schema, found = model.model_json_schema(), dict[str, ErrorDetails]()
    for detail in error.errors(include_url=False):
        place, _ = locate(detail["loc"], schema)
        # Where several types are possible, the one that fits furthest is the one that was meant.
        found[place] = max(found.get(place, detail), detail, key=lambda one: len(one["loc"]))
    place, first = next(iter(found.items()))
    _, node = locate(first["loc"], schema)
    sentence = _unknown_key(first, schema) if first["type"] == "extra_forbidden" else _broken_rule(first, place, node)
    return sentence if len(found) == 1 else f"{sentence} (and {len(found) - 1} more)"


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
    valid = list(node.get("properties", {}))
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
        rule = f"{_lower(detail['msg'])}, got {detail['input']!r}"
    return f"{place}: {rule}" if place else rule


def _first_sentence(description: str) -> str:
    """Return the beginning of a class's docstring or a field's description, as it reads after a colon."""
    return _lower(" ".join(description.split()).partition(". ")[0].removesuffix("."))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
