"""The placeholders of argument templates: ``{path}``, ``{question}``, ``{start_s}`` and the others."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from typing import Final, Literal, get_args

from pydantic import JsonValue

from omnidetective.nearest import nearest

Placeholder = Literal[
    "path",  # the clip's file, or a cut of it where only a span is asked about
    "audio_path",  # a file of its sound
    "frame_path",  # a JPEG file of the picture in the middle
    "question",
    "start_s",  # seconds of the clip; 0 where the whole clip is asked about
    "end_s",
    "duration_s",
    "url",  # where the clip was fetched from
    "frame_base64",  # the picture in the middle, JPEG
    "audio_base64",  # the sound, MP3
]
PLACEHOLDERS: Final[tuple[str, ...]] = get_args(Placeholder)
FILES: Final = frozenset({"path", "audio_path", "frame_path"})
TIMES: Final = frozenset({"start_s", "end_s", "duration_s"})


def names_in(template: JsonValue) -> frozenset[str]:
    """The placeholders that occur in a template, which may be any JSON value.

    Raises:
        ValueError: braces that do not close, or with anything but a name in them.
    """
    return frozenset(_names(template))


def check_template(template: JsonValue) -> None:
    """Refuse what cannot be filled.

    Raises:
        ValueError: naming the nearest placeholder.
    """
    if isinstance(template, dict) and len(template) == 1:
        [(key, value)] = template.items()
        if key in PLACEHOLDERS and value is None:
            raise ValueError(f'write "{{{key}}}" in quotes: without them YAML reads a mapping')
    for name in names_in(template):
        if name not in PLACEHOLDERS:
            close = nearest(name, PLACEHOLDERS)
            raise ValueError(f"unknown placeholder {{{name}}}" + (f"; did you mean {{{close}}}?" if close else ""))


def fill(template: JsonValue, values: Mapping[str, str | float]) -> JsonValue:
    """The template with its placeholders replaced; a template that is one placeholder keeps the type of its value."""
    if isinstance(template, list):
        return [fill(item, values) for item in template]
    if isinstance(template, dict):
        return {key: fill(item, values) for key, item in template.items()}
    if not isinstance(template, str):
        return template
    if template[:1] == "{" and template[1:-1] in values and template[-1:] == "}":
        return values[template[1:-1]]
    pieces = []
    for literal, name, _, _ in string.Formatter().parse(template):
        pieces.append(literal)
        if name is not None:
            value = values[name]
            pieces.append(in_digits(value) if isinstance(value, float) else value)
    return "".join(pieces)


def in_digits(number: float) -> str:
    """A number of seconds as people write it: ``3``, ``3.25``."""
    return f"{number:.10g}"


def _names(template: JsonValue) -> Iterator[str]:
    if isinstance(template, list):
        for item in template:
            yield from _names(item)
    elif isinstance(template, dict):
        for item in template.values():
            yield from _names(item)
    elif isinstance(template, str):
        for _, name, spec, conversion in string.Formatter().parse(template):
            if name is None:
                continue
            if spec or conversion:
                raise ValueError(f"{{{name}}} takes neither a format nor a conversion")
            yield name
