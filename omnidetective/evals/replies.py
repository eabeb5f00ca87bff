"""What judges answer, as data. Packaging is forgiven, contents are not: nothing is guessed into a score. Pure.

Judges fence their JSON, talk around it, quote with single quotes, leave a comma at the end, or write Python instead.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from omnidetective.llm.json_text import stretches

T = TypeVar("T")

_MOST_CHARS = 200_000
_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*+"?)|,(?=\s*+[}\]])', re.DOTALL)
"""Or a string, which is left as it is."""


def objects(text: str) -> Iterator[dict[str, Any]]:
    """The objects in a reply, in their order: JSON, JSON with its slips, or Python literals."""
    if len(text) > _MOST_CHARS:
        return
    seen: list[dict[str, Any]] = []
    for value in _values(text):
        if isinstance(value, dict) and value not in seen:
            seen.append(value)
            yield {str(key): item for key, item in value.items()}


def answer_in(text: str, read: Callable[[dict[str, Any]], T | None]) -> T | None:
    """What the objects of a reply say, each read by ``read``; ``None`` where none of them says anything.

    A draft, an example that is repeated, a second thought: where two objects say different things, nobody knows which
    of them is meant, and neither is taken.
    """
    said = [answer for found in objects(text) if (answer := read(found)) is not None]
    return said[0] if said and all(answer == said[0] for answer in said) else None


def whole_number(value: Any) -> int | None:
    """An integer as judges write it (``3``, ``"3"``, ``3.0``, ``"1,200"``); ``None`` for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value == int(value) else None
    if isinstance(value, str):
        plain = value.strip().replace(",", "")
        return int(plain) if re.fullmatch(r"[+-]?\d{1,12}", plain, re.ASCII) else None
    return None


def _values(text: str) -> Iterator[Any]:
    """Outermost objects alone: what stands within one that is broken, or breaks off, was not meant for an answer."""
    for stretch in stretches(text):
        for part in _braced(stretch):
            value = next((value for read in _READERS if (value := read(part)) is not None), None)
            if value is not None:
                yield value


def _json(part: str) -> Any:
    try:
        return json.loads(part, strict=False, object_pairs_hook=_named_once)
    except (ValueError, RecursionError):
        return None


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object with a key that stands twice says nothing: nobody knows which of its values holds."""
    return dict(pairs) if len({key for key, _ in pairs}) == len(pairs) else {}


def _python(part: str) -> Any:
    try:
        return ast.literal_eval(part)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


_READERS: tuple[Callable[[str], Any], ...] = (
    _json,
    lambda part: _json(_TRAILING_COMMA.sub(lambda found: found[1] or "", part)),
    _python,
)


def _braced(text: str) -> Iterator[str]:
    """Stretches from an opening brace to the closing one that fits, the outermost ones, quotes respected."""
    depth, start, quote, escaped, before = 0, 0, "", False, ""
    for n, char in enumerate(text):
        if quote:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == quote:
                quote = ""
        elif char in "\"'" and depth and before in "{[,:":
            quote = char  # elsewhere it is an apostrophe
        elif char == "{":
            if depth == 0:
                start = n
            depth += 1
        elif char == "}" and depth:
            depth -= 1
            if depth == 0:
                yield text[start : n + 1]
        if not char.isspace():
            before = char
