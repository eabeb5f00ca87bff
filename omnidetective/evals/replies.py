"""What judges answer, as data. Packaging is forgiven, contents are not: nothing is guessed into a score. Pure.

Judges fence their JSON, talk around it, quote with single quotes, leave a comma at the end, or write Python instead.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator
from typing import Any

from omnidetective.llm.json_text import json_values

_MOST_CHARS = 200_000
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")


def objects(text: str) -> Iterator[dict[str, Any]]:
    """The objects in a reply, the likeliest first: strict JSON, then JSON with its slips, then a Python literal."""
    if len(text) > _MOST_CHARS:
        return
    seen: list[dict[str, Any]] = []
    for value in _values(text):
        if isinstance(value, dict) and value not in seen:
            seen.append(value)
            yield {str(key): item for key, item in value.items()}


def first_object(text: str, *keys: str) -> dict[str, Any] | None:
    """The first object in a reply that has all of these keys; ``None`` where there is none."""
    return next((value for value in objects(text) if all(key in value for key in keys)), None)


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
    yield from json_values(text)
    for part in _braced(text):
        repaired = _TRAILING_COMMA.sub(r"\1", part)
        try:
            yield json.loads(repaired)
            continue
        except (ValueError, RecursionError):
            pass
        try:
            yield ast.literal_eval(part)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue


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
