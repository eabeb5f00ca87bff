"""Finding the JSON in what a model said. Pure.

Only packaging is forgiven: code fences, words around the JSON, thinking tags, a line break inside a string, JSON
written as a JSON string. Nothing is completed, corrected or guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_THINKING = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_UNOPENED_THINKING = re.compile(r"^.*?</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```[\w+-]*[ \t]*\r?\n?(.*?)```", re.DOTALL)


def json_values(text: str) -> tuple[Any, ...]:
    """The objects and arrays in a text, each once, in their order; empty when there are none."""
    bare = without_thinking(text)
    whole = _parse(bare)
    if isinstance(whole, str):
        whole = _parse(whole.strip())
    if isinstance(whole, (dict, list)):
        return (whole,)
    fenced = [value for block in _FENCE.findall(bare) for value in _scan(block)]
    return tuple(_distinct(fenced or _scan(bare)))


def stretches(text: str) -> tuple[str, ...]:
    """Where in a text objects may stand: in its code fences, or anywhere in it if no fence holds any."""
    bare = without_thinking(text)
    whole = _parse(bare) if bare.startswith('"') else None
    bare = whole if isinstance(whole, str) else bare
    return tuple(block for block in _FENCE.findall(bare) if "{" in block) or (bare,)


def without_thinking(text: str) -> str:
    """A text without what its model thought aloud in tags, the closing one of which may be all that is left."""
    return _UNOPENED_THINKING.sub("", _THINKING.sub("", text), count=1).strip().removeprefix("\ufeff")


_decoder = json.JSONDecoder(strict=False, parse_constant=lambda name: _refuse(name))


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _parse(text: str) -> Any:
    try:
        return _decoder.decode(text)
    except (ValueError, RecursionError):
        return None


def _scan(text: str) -> Iterator[Any]:
    position = 0
    while (start := _next_bracket(text, position)) >= 0:
        try:
            value, position = _decoder.raw_decode(text, start)
        except RecursionError:
            return  # nested beyond all sense, and the next bracket would be nearly as deep
        except ValueError:
            position = start + 1
        else:
            yield value


def _next_bracket(text: str, position: int) -> int:
    found = [at for at in (text.find("{", position), text.find("[", position)) if at >= 0]
    return min(found, default=-1)


def _distinct(values: Iterator[Any] | list[Any]) -> Iterator[Any]:
    seen: list[Any] = []
    for value in values:
        if value not in seen:
            seen.append(value)
            yield value
