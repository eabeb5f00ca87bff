"""How a tool's parameters are filled from a clip and a question: by the user's templates, else by their names."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import JsonValue

from omnidetective.errors import ObserverUnavailableError
from omnidetective.nearest import nearest
from omnidetective.observers.mcp.placeholders import FILES, TIMES, Placeholder, fill, in_digits, names_in
from omnidetective.observers.mcp.schema import Parameter, parameters_of, takes_unlisted
from omnidetective.records import Modality

_USUAL: Final[Mapping[Placeholder, str]] = {
    "path": "path file filename file_name file_path filepath media media_path media_file clip clip_path input_path"
    " input_file video video_path video_file",
    "audio_path": "audio audio_path audio_file",
    "frame_path": "image image_path image_file",
    "question": "question query prompt text instruction",
    "start_s": "start start_s start_sec start_seconds start_time begin begin_s begin_time",
    "end_s": "end end_s end_sec end_seconds end_time",
    "duration_s": "duration duration_s duration_sec duration_seconds",
    "url": "url video_url audio_url image_url media_url file_url",
}
_BY_NAME: Final[Mapping[str, Placeholder]] = {
    name: placeholder for placeholder, names in _USUAL.items() for name in names.split()
}
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Filling:
    """What one parameter is given. ``chosen``: by the user, so that it is never left out."""

    parameter: Parameter
    template: JsonValue
    chosen: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """How a tool is called."""

    fillings: tuple[Filling, ...]

    @property
    def uses(self) -> frozenset[str]:
        """The placeholders that occur in it."""
        return frozenset().union(*(names_in(filling.template) for filling in self.fillings))

    @property
    def demands(self) -> frozenset[str]:
        """The placeholders without whose value the tool cannot be called."""
        needed = [f for f in self.fillings if f.chosen or f.parameter.required]
        return frozenset().union(*(names_in(filling.template) for filling in needed))

    @property
    def takes_times(self) -> bool:
        """Whether the tool can be told which part of the clip is meant."""
        return not self.uses.isdisjoint({"start_s", "end_s"})

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The kinds of clip that its parameters take."""
        for_video = any(f.parameter.required and _plain(f.parameter.name).startswith("video") for f in self.fillings)
        if for_video:
            return ("video",)
        if self.demands & {"audio_path", "audio_base64"}:
            return ("video", "audio")
        if self.demands & {"frame_path", "frame_base64"}:
            return ("video", "image")
        return ("video", "audio", "image")

    @property
    def stream(self) -> str:
        """The stream that it needs, as ``ObserverSpec.needs`` says it."""
        hears = bool(self.demands & {"audio_path", "audio_base64"})
        sees = bool(self.demands & {"frame_path", "frame_base64"})
        return "any" if hears == sees else "audio" if hears else "video"

    def arguments(self, values: Mapping[str, str | float], *, whole: bool) -> dict[str, JsonValue]:
        """The arguments of a call.

        Args:
            values: of the placeholders; those that the clip does not have are absent.
            whole: whether the whole clip is asked about: then optional times are left to the tool.
        """
        filled = {}
        for filling in self.fillings:
            names = names_in(filling.template)
            by_choice = filling.chosen or filling.parameter.required
            if not by_choice and (not names <= values.keys() or (whole and names & TIMES)):
                continue
            value = fill(filling.template, values)
            filled[filling.parameter.name] = _as_taken(value, filling.parameter, up="start_s" not in names)
        return filled


def plan_call(
    tool: str, schema: Mapping[str, Any], templates: Mapping[str, JsonValue], *, setting: str, shares_files: bool
) -> Plan:
    """Decide how the parameters of a tool are filled.

    Args:
        tool: its name at the server.
        schema: its input schema.
        templates: what the user wrote for it: parameter to template.
        setting: name of the setting that holds the templates of all tools, for hints.
        shares_files: whether the server sees the files of this machine for certain.

    Raises:
        ObserverUnavailableError: ``bad_schema``; ``unknown_parameter``, a template is for one that the tool does not
            have; ``unfilled_parameter``, nothing fills one that it requires. The hint is the setting to write.
    """
    parameters = parameters_of(schema)
    known = {parameter.name for parameter in parameters}
    for name in templates:
        if name not in known and not takes_unlisted(schema):
            close = nearest(name, known)
            raise ObserverUnavailableError(
                f"it has no parameter {name!r}, which {setting} gives it",
                reason="unknown_parameter",
                hint=f"did you mean {close}?" if close else f"it has {', '.join(sorted(known)) or 'none'}",
            )
    fillings = []
    for parameter in parameters:
        if parameter.name in templates:
            fillings.append(Filling(parameter, templates[parameter.name], chosen=True))
        elif (found := _usual(parameter, shares_files=shares_files)) is not None:
            fillings.append(Filling(parameter, f"{{{found}}}", chosen=False))
        elif parameter.required:
            raise _unfilled(tool, parameter, setting, shares_files=shares_files)
    extra = (Parameter(name, frozenset(), False, True) for name in templates if name not in known)
    fillings += [Filling(parameter, templates[parameter.name], chosen=True) for parameter in extra]
    return Plan(tuple(fillings))


def _usual(parameter: Parameter, *, shares_files: bool) -> Placeholder | None:
    found = _BY_NAME.get(_plain(parameter.name))
    if found is None or (found in FILES and not shares_files):
        return None
    fits = parameter.takes("number", "integer") if found in TIMES else parameter.takes("string")
    return found if fits else None


def _unfilled(tool: str, parameter: Parameter, setting: str, *, shares_files: bool) -> ObserverUnavailableError:
    meant = _BY_NAME.get(_plain(parameter.name))
    if meant in FILES and not shares_files:
        why, value = ": a server with a url may not see the files of this machine; if it does, say so", f'"{{{meant}}}"'
    else:
        why, value = "", "VALUE"
    return ObserverUnavailableError(
        f"nothing fills its required parameter {parameter.name!r}{why}",
        reason="unfilled_parameter",
        hint=f"--set '{setting}={{{tool}: {{{parameter.name}: {value}}}}}'",
    )


def _as_taken(value: JsonValue, parameter: Parameter, *, up: bool) -> JsonValue:
    """A number as the type that the parameter takes: whole seconds around the span, or digits."""
    if not isinstance(value, float) or not parameter.types or "number" in parameter.types:
        return value
    if "integer" in parameter.types:
        return math.ceil(value) if up else math.floor(value)
    return in_digits(value) if "string" in parameter.types else value


def _plain(name: str) -> str:
    return _HUMP.sub("_", name).replace("-", "_").lower()
