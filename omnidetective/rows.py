"""One line of the input, understood or refused with a reason (DESIGN §4, "Input row").

What a row may say:

* ``id``: a string or an integer. An integer becomes its decimal text, so ``7`` and ``"7"`` are the same id. Absent or
  null: the id is derived from the content of the row, the same on every run and wherever the row stands in the file.
* exactly one of ``video``, ``audio``, ``image``, ``path``, ``url`` that is not null: where the media are.
* anything else is the user's, and reaches the record untouched under ``input``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ConfigDict, JsonValue, TypeAdapter, ValidationError
from pydantic_core import from_json

from omnidetective.errors import RowError
from omnidetective.records import InputRow, Modality

MAX_ID_CHARS: Final = 1024
"""Longest id that is taken: ids are kept in memory and stand in logs."""

MEDIA_KEYS: Final[Mapping[str, Modality | None]] = {
    "video": "video",
    "audio": "audio",
    "image": "image",
    "path": None,
    "url": None,
}
"""Key of a row that names media → the modality that it declares."""

_ONE_OF = "give exactly one of video, audio, image, path, url"
_RAW: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(
    dict[str, JsonValue], config=ConfigDict(strict=True, allow_inf_nan=False)
)


class _NotFiniteError(ValueError):
    """Python's JSON reader met NaN or Infinity."""


def parse_row(line: bytes | Mapping[str, Any], line_number: int = 0) -> InputRow:
    """Understand one row.

    Args:
        line: a line of the input, or the row itself.
        line_number: where it stands in the input, from 1; 0 for a row that came from no file.

    Raises:
        RowError: with ``reason`` one of ``invalid_utf8``, ``invalid_json``, ``invalid_number``, ``lone_surrogate``,
            ``too_deep``, ``not_an_object``, ``invalid_id``, ``no_media``, ``ambiguous_media``, ``invalid_media``.
    """
    return understand(decode(line) if isinstance(line, bytes) else checked(line), line_number)


def decode(line: bytes) -> dict[str, JsonValue]:
    """The JSON object that a line holds.

    Raises:
        RowError: the line is no UTF-8, no JSON, or no object.
    """
    try:
        value = from_json(line, allow_inf_nan=False)
    except ValueError as error:
        raise _why_not_json(line, error) from None
    if not isinstance(value, dict):
        raise RowError(
            f"the line holds {_kind(value)}, not an object",
            reason="not_an_object",
            hint='the input is JSON Lines: one object a line, such as {"id": "a", "video": "a.mp4"}',
        )
    return checked(value)


def checked(raw: Mapping[str, Any]) -> dict[str, JsonValue]:
    """The row, if it can be written as JSON: no NaN, no lone surrogates, no other types, not nested without end.

    Raises:
        RowError: it cannot.
    """
    try:
        row = _RAW.validate_python(dict(raw))
        _RAW.dump_json(row)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"][:3] if part not in ("float", "dict", "list", "[key]"))
        reason = {"finite_number": "invalid_number", "recursion_loop": "too_deep"}.get(first["type"], "invalid_json")
        raise RowError(f"the value of {where!r} cannot be kept: {first['msg']}", reason=reason) from None
    except (RecursionError, ValueError) as error:
        # PydanticSerializationError is a ValueError; surrogates are the one thing that validates and cannot be written.
        if isinstance(error, RecursionError) or "recursion" in str(error).lower():
            raise RowError("the row is nested too deeply", reason="too_deep") from None
        raise _lone_surrogate() from None
    return row


def understand(raw: Mapping[str, JsonValue], line_number: int = 0) -> InputRow:
    """Id and media of a decoded row.

    Raises:
        RowError: as in :func:`parse_row`.
    """
    row = dict(raw)
    given = given_id(row)
    named = [key for key in MEDIA_KEYS if row.get(key) is not None]
    if not named:
        raise RowError("the row names no media", reason="no_media", hint=_ONE_OF)
    if len(named) > 1:
        raise RowError(
            f"the row names media more than once: {', '.join(named)}", reason="ambiguous_media", hint=_ONE_OF
        )
    key = named[0]
    media = row[key]
    if not isinstance(media, str) or not media.strip() or "\0" in media:
        what = "text with a NUL character" if isinstance(media, str) and media.strip() else _kind(media)
        raise RowError(
            f"the value of {key!r} is {what}, not a path, a URL or a data: URI", reason="invalid_media", hint=_ONE_OF
        )
    return InputRow(
        id=content_id(row) if given is None else given,
        media=media,
        declared=MEDIA_KEYS[key],
        raw=row,
        line_number=line_number,
    )


def given_id(raw: Mapping[str, JsonValue]) -> str | None:
    """The id that the user gave, as text; ``None`` where there is none.

    Raises:
        RowError: it is neither a string nor an integer, is blank, or is too long.
    """
    value = raw.get("id")
    if value is None:
        return None
    hint = "an id is a string or an integer; leave it out to have one derived from the row"
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RowError(f"the id is {_kind(value)}", reason="invalid_id", hint=hint)
    if isinstance(value, int):
        # A number of more bits has more digits than an id may have, and more than Python turns into text.
        if value.bit_length() > 3 * MAX_ID_CHARS:
            raise RowError("the id has too many digits", reason="invalid_id", hint=hint)
        return str(value)
    if not value.strip():
        raise RowError("the id is blank", reason="invalid_id", hint=hint)
    if len(value) > MAX_ID_CHARS:
        raise RowError(
            f"the id has {len(value):,} characters; {MAX_ID_CHARS:,} are taken", reason="invalid_id", hint=hint
        )
    return value


def content_id(content: Mapping[str, JsonValue] | bytes) -> str:
    """An id from what a row says (its canonical JSON), or from the bytes of a line that says nothing."""
    if not isinstance(content, bytes):
        content = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    return f"row-{hashlib.sha256(content).hexdigest()[:24]}"


def _why_not_json(line: bytes, error: ValueError) -> RowError:
    """The fast reader says where a line breaks but not always why; the slower one of Python tells the cases apart."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as undecodable:
        return RowError(
            f"the line is not UTF-8: byte {undecodable.start + 1} is 0x{line[undecodable.start]:02x}",
            reason="invalid_utf8",
            hint="save the input as UTF-8",
        )
    broken = RowError(f"the line is not JSON: {error}", reason="invalid_json", hint="one JSON object a line")
    too_deep = RowError("the row is nested too deeply", reason="too_deep")
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except _NotFiniteError as constant:
        return RowError(
            f"the line holds {constant}, which is not JSON", reason="invalid_number", hint="write null instead"
        )
    except RecursionError:
        return too_deep
    except ValueError:
        return broken
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return _lone_surrogate()
    return too_deep


def _refuse_constant(name: str) -> None:
    raise _NotFiniteError(name)


def _lone_surrogate() -> RowError:
    return RowError(
        "the row holds half of a surrogate pair, which is no character",
        reason="lone_surrogate",
        hint=r"look for \ud800 … \udfff in the line",
    )


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "text" if value.strip() else "blank"
        case int() | float():
            return f"the number {value}" if -1e15 < value < 1e15 else "a number"
        case list():
            return "a list"
        case dict():
            return "an object"
    return f"a {type(value).__name__}"
