"""Is a spec complete and well formed, and do the settings have defaults and help?"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, Final, get_args

from pydantic import ValidationError

from omnidetective.captions.sentences import split_sentences
from omnidetective.observers.base import ObserverSettings, ObserverSpec
from omnidetective.records import ATTRIBUTES, Kind, Modality
from omnidetective.testing.report import Problem

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_CHARS: Final = (40, 900)
_SENTENCES: Final = (2, 4)
_NEEDS: Final[dict[str, frozenset[Modality]]] = {
    "audio": frozenset({"video", "audio"}),
    "video": frozenset({"video", "image"}),
    "any": frozenset({"video", "audio", "image"}),
}


def form_problems(observer: Any) -> Iterator[Problem]:
    """What keeps it from being an observer at all."""
    if not isinstance(getattr(observer, "spec", None), ObserverSpec):
        yield Problem("spec", "there is none: the class needs an attribute `spec`, an ObserverSpec")
    observe = getattr(observer, "observe", None)
    if not inspect.iscoroutinefunction(observe):
        yield Problem("spec", "`observe` is missing or is no `async def`")


def spec_problems(spec: ObserverSpec) -> Iterator[Problem]:
    """What is wrong with a spec."""
    for what in (*_identity(spec), *_description(spec), *_claims(spec)):
        yield Problem("spec", what)


def _identity(spec: ObserverSpec) -> Iterator[str]:
    if not isinstance(spec.name, str) or not _NAME.fullmatch(spec.name):
        yield f"the name {spec.name!r} is not lower_snake_case"
    if spec.kind not in get_args(Kind):
        yield f"the kind {spec.kind!r} is neither witness nor instrument"
    if not isinstance(spec.cost, str) or not spec.cost.strip():
        yield "`cost` says nothing: what does one question cost, in words?"
    if spec.role is not None and not (isinstance(spec.role, str) and spec.role.strip()):
        yield f"the role {spec.role!r} is no name of a role"


def _description(spec: ObserverSpec) -> Iterator[str]:
    text = spec.description if isinstance(spec.description, str) else ""
    sentences, (fewest, most) = len(split_sentences(text)), _SENTENCES
    if not fewest <= sentences <= most:
        yield f"the description has {sentences} sentences, not {fewest} to {most}: what it tells, how to ask, what not"
    shortest, longest = _CHARS
    if not shortest <= len(text) <= longest:
        yield f"the description has {len(text)} characters, not {shortest} to {longest}"


def _claims(spec: ObserverSpec) -> Iterator[str]:
    known = set(get_args(Modality))
    if not spec.modalities or len(set(spec.modalities)) != len(spec.modalities):
        yield "the modalities are missing, or one is named twice"
    if unknown := [m for m in spec.modalities if m not in known]:
        yield f"unknown modalities {unknown}: there are {', '.join(get_args(Modality))}"
    if spec.needs not in _NEEDS:
        yield f"it needs {spec.needs!r}, which is not audio, video or any"
    elif impossible := [m for m in spec.modalities if m in known and m not in _NEEDS[spec.needs]]:
        yield f"it needs {spec.needs}, and claims {', '.join(impossible)}, which has none"
    if strange := [a for a in spec.attributes if a not in ATTRIBUTES]:
        yield f"unknown attributes {strange}: there are {', '.join(ATTRIBUTES)}"


def settings_problems(spec: ObserverSpec) -> Iterator[Problem]:
    """What is wrong with the settings model."""
    kind = spec.settings
    if not (isinstance(kind, type) and issubclass(kind, ObserverSettings)):
        yield Problem("settings", f"{kind!r} is no subclass of ObserverSettings")
        return
    for name, field in kind.model_fields.items():
        if not (field.description or "").strip():
            yield Problem("settings", f"{name} has no docstring: a text under the field, which is its help")
        if field.is_required():
            yield Problem("settings", f"{name} has no default: installing the package must be enough")
    if any(field.is_required() for field in kind.model_fields.values()):
        return
    try:
        defaults = kind()
        again = kind.model_validate_json(defaults.model_dump_json())
    except (ValidationError, ValueError, TypeError) as error:
        yield Problem("settings", f"the defaults cannot be written as JSON and read again: {error}")
        return
    if again != defaults:
        changed = [name for name in kind.model_fields if getattr(again, name) != getattr(defaults, name)]
        yield Problem("settings", f"defaults that JSON does not keep: {', '.join(changed)}")
