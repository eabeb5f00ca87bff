"""What a tool's JSON schema says of its parameters, and whether arguments fit it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from omnidetective.errors import ObserverUnavailableError

_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a tool.

    Attributes:
        name: as the tool calls it.
        types: the JSON types that it takes; empty for any.
        required: whether the tool cannot be called without it.
        free: whether it takes any value of its types, and not one of a list.
    """

    name: str
    types: frozenset[str]
    required: bool
    free: bool

    def takes(self, *types: str) -> bool:
        return self.free and (not self.types or not self.types.isdisjoint(types))


def parameters_of(schema: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """The parameters in the schema's own order.

    Raises:
        ObserverUnavailableError: ``bad_schema``: it is no JSON schema of an object.
    """
    from jsonschema.exceptions import SchemaError

    try:
        _validator_of(schema).check_schema(dict(schema))
    except SchemaError as error:
        raise ObserverUnavailableError(
            f"its input schema is no JSON schema: {error.message[:200]}", reason="bad_schema"
        ) from None
    properties = schema.get("properties", {})
    required = frozenset(schema.get("required", ()))
    if "object" not in _types(schema, schema, 0):
        raise ObserverUnavailableError("its input schema describes no object", reason="bad_schema")
    known = [
        Parameter(name, _types(part, schema, 0), name in required, not isinstance(part, dict) or _free(part))
        for name, part in properties.items()
    ]
    # What is required and not described takes anything.
    known += [Parameter(name, frozenset(), True, True) for name in sorted(required - properties.keys())]
    return tuple(known)


def takes_unlisted(schema: Mapping[str, Any]) -> bool:
    """Whether parameters may be given that the schema does not name."""
    return schema.get("additionalProperties", True) is not False


def check_arguments(schema: Mapping[str, Any], arguments: Mapping[str, JsonValue]) -> None:
    """Refuse arguments that the tool's own schema refuses.

    Raises:
        ObserverUnavailableError: ``bad_arguments``.
    """
    from jsonschema.exceptions import best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    # An own registry, which is empty: by default a $ref to an address would be fetched from there.
    validator = _validator_of(schema)(dict(schema), registry=Registry())
    try:
        error = best_match(validator.iter_errors(dict(arguments)))
    except Unresolvable as unresolvable:
        raise ObserverUnavailableError(
            f"its input schema refers to what is not in it: {str(unresolvable)[:200]}", reason="bad_schema"
        ) from None
    if error is not None:
        where = ".".join(str(part) for part in error.absolute_path) or "the arguments"
        raise ObserverUnavailableError(
            f"{where} does not fit the tool's input schema: {error.message[:200]}", reason="bad_arguments"
        )


def _validator_of(schema: Mapping[str, Any]) -> Any:
    """The validator of the draft that the schema names; of 2020-12, as the protocol has it, where it names none."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    return validator_for(dict(schema), default=Draft202012Validator)


def _types(part: Any, root: Mapping[str, Any], depth: int) -> frozenset[str]:
    if not isinstance(part, dict) or depth > _DEEPEST:
        return frozenset()
    named = part.get("type")
    if isinstance(named, str):
        return frozenset({named})
    if isinstance(named, list):
        return frozenset(named)
    choices = part.get("anyOf") or part.get("oneOf")
    if choices:
        found = [_types(choice, root, depth + 1) for choice in choices]
        return frozenset().union(*found) if all(found) else frozenset()
    reference = part.get("$ref")
    for place in ("$defs", "definitions"):
        if isinstance(reference, str) and reference.startswith(f"#/{place}/"):
            return _types(root.get(place, {}).get(reference.removeprefix(f"#/{place}/")), root, depth + 1)
    return frozenset()


def _free(part: dict[str, Any]) -> bool:
    return "enum" not in part and "const" not in part
