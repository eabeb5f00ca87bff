"""JSON Schemas in the narrow form that constrained decoding takes.

OpenAI's strict mode wants every property required, no additional ones, and knows only part of the vocabulary
(https://developers.openai.com/api/docs/guides/structured-outputs, supported schemas). What is dropped here is still
held against the answer afterwards, by the model that the schema was made from.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

_DROPPED = frozenset({"default", "title", "minLength", "maxLength", "uniqueItems", "discriminator", "examples"})


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a model, made strict where it can be."""
    schema = model.model_json_schema()
    tight = _tighten(schema, schema.get("$defs", {}))
    assert isinstance(tight, dict)
    return tight


def is_strict(schema: object) -> bool:
    """Whether every object in a schema closes its properties and requires them all."""
    if isinstance(schema, list):
        return all(is_strict(item) for item in schema)
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        names = schema.get("properties", {})
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(names):
            return False
        return all(is_strict(value) for value in names.values()) and all(
            is_strict(value) for key, value in schema.items() if key not in ("properties", "required")
        )
    return all(is_strict(value) for value in schema.values())


def _tighten(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_tighten(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node and len(node) > 1:
        # A reference may have no neighbours in strict mode: write out what it refers to.
        target = definitions.get(str(node["$ref"]).removeprefix("#/$defs/"), {})
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    if len(node.get("allOf", ())) == 1:
        node = {**node["allOf"][0], **{key: value for key, value in node.items() if key != "allOf"}}
    tight: dict[str, Any] = {}
    for key, value in node.items():
        if key in ("properties", "$defs"):
            tight[key] = {name: _tighten(inner, definitions) for name, inner in value.items()}
        elif key == "oneOf":
            tight["anyOf"] = _tighten(value, definitions)
        elif key in ("enum", "const", "required"):
            tight[key] = value
        elif key not in _DROPPED:
            tight[key] = _tighten(value, definitions)
    if "properties" in tight and tight.get("additionalProperties", False) is False:
        tight["additionalProperties"] = False
        tight["required"] = list(tight["properties"])
    return tight
