"""The times that a question names: ``at 12.5 s``, ``between 3 and 5 s``, ``0:42``, ``the first seconds``. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from omnidetective.evidence import Span

_AROUND_S = 0.5
"""How far before and after a moment is looked."""
_EDGE_S = 3.0
"""What *the first seconds* are, where no number is named."""
_SHORTEST_S = 0.001

_NUMBER = r"\d{1,6}(?:\.\d{1,6})?"
_SECONDS = r"\s?(?:(?:seconds?|secs?|s)(?![^\W\d_])|秒)"
_MINUTES = r"\s?(?:minutes?|mins?|m)(?![^\W\d_])"
_CLOCK = r"(?:\d{1,2}:)?[0-5]?\d:[0-5]\d(?:\.\d{1,6})?"
_LONG = rf"{_NUMBER}{_MINUTES}(?:\s?(?:and\s)?{_NUMBER}{_SECONDS})?"
_TIME = rf"(?:{_CLOCK}|{_LONG}|{_NUMBER}{_SECONDS}|{_NUMBER})"
_TO = r"\s?(?:-|–|—|to|and|until|till|through|\.\.\.?|…)\s?"
_START = r"(?<![a-z0-9_.:,])"
_END = r"(?![\d:]|\.\d)"
_CLIP = r"(?:the|this)\s(?:clip|video|film|span|part|segment|recording|footage|sequence)"
_OF_SOMETHING_ELSE = rf"(?!\sof\s(?!{_CLIP}))"

_RANGE = re.compile(rf"{_START}(?P<unit>seconds?\s)?(?P<a>{_TIME}){_TO}(?P<b>{_TIME}){_END}")
_MOMENT = re.compile(
    rf"{_START}(?:(?P<unit>seconds?\s)(?P<bare>{_NUMBER})|(?P<a>{_CLOCK}|{_LONG}|{_NUMBER}{_SECONDS})){_END}"
)
_FIRST = re.compile(
    rf"\b(?:first|opening|initial)\s(?:(?:few|couple of)\s)?(?:(?P<n>{_NUMBER})\s?)?"
    rf"(?:seconds?|secs?|s|moments?|frames?|shot|scene)\b"
    rf"|\b(?:at|in|near|from|towards?)\sthe\s(?:very\s)?(?:start|beginning|opening){_OF_SOMETHING_ELSE}\b"
)
_LAST = re.compile(
    rf"\b(?:last|final|closing)\s(?:(?:few|couple of)\s)?(?:(?P<n>{_NUMBER})\s?)?"
    rf"(?:seconds?|secs?|s|moments?|frames?|shot|scene)\b"
    rf"|\b(?:at|in|near|by|towards?)\sthe\s(?:very\s)?(?:end|ending|close)\b{_OF_SOMETHING_ELSE}"
)
_MIDDLE = re.compile(rf"\b(?:at|in|near|around)\sthe\smiddle\b{_OF_SOMETHING_ELSE}|\b(?:halfway|midway)\b")
_HOW_LONG = re.compile(r"(?:\bfor|\bevery|\bper|\blasts?|\blasting|\btakes?)\s(?:about\s|some\s|around\s)?$")
_DECADE = re.compile(r"\d{3}0s")


def named_times(question: str, within: Span) -> tuple[Span, ...]:
    """The spans that a question names, as far as they lie within a span of the clip, in the order in which it does.

    A moment is half a second before and after it. Numbers without a unit are no times, and neither is how long
    something lasts (``for 3 s``). Times are those of the clip; *first*, *last* and *middle* are those of ``within``.
    """
    text = " ".join(question.lower().split())
    found: list[tuple[int, float, float]] = []
    for pattern, read in _READERS:
        for match in pattern.finditer(text):
            if (times := read(match, within)) is not None:
                found.append((match.start(), *times))
        # What was understood is not read again as something shorter.
        text = pattern.sub(lambda match: " " * len(match[0]), text)
    return tuple(_clipped(sorted(found), within))


def _clipped(found: list[tuple[int, float, float]], within: Span) -> Iterator[Span]:
    seen: set[tuple[float, float]] = set()
    for _, start_s, end_s in found:
        start_s, end_s = max(start_s, within.start_s), min(end_s, within.end_s)
        if end_s - start_s >= _SHORTEST_S and (start_s, end_s) not in seen:
            seen.add((start_s, end_s))
            yield Span(start_s=start_s, end_s=end_s)


def _range(match: re.Match[str], within: Span) -> tuple[float, float] | None:
    a, b = match["a"], match["b"]
    if not (match["unit"] or _has_unit(a) or _has_unit(b)):
        return None
    # "1 to 2 min": the unit of the second is that of the first.
    scale = 60.0 if not _has_unit(a) and re.search(_MINUTES, b) else 1.0
    start_s, end_s = scale * _seconds(a), _seconds(b)
    return (start_s, end_s) if end_s > start_s else None


def _moment(match: re.Match[str], within: Span) -> tuple[float, float] | None:
    before = match.string[: match.start()]
    if _HOW_LONG.search(before) or _DECADE.fullmatch(match[0]):
        return None
    at_s = _seconds(match["bare"] or match["a"])
    if not within.start_s <= at_s <= within.end_s:
        return None
    return at_s - _AROUND_S, at_s + _AROUND_S


def _first(match: re.Match[str], within: Span) -> tuple[float, float]:
    return within.start_s, within.start_s + (float(match["n"]) if match["n"] else _EDGE_S)


def _last(match: re.Match[str], within: Span) -> tuple[float, float]:
    return within.end_s - (float(match["n"]) if match["n"] else _EDGE_S), within.end_s


def _middle(match: re.Match[str], within: Span) -> tuple[float, float]:
    centre_s = (within.start_s + within.end_s) / 2
    return centre_s - _EDGE_S / 2, centre_s + _EDGE_S / 2


_READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], Span], tuple[float, float] | None]], ...] = (
    (_FIRST, _first),
    (_LAST, _last),
    (_MIDDLE, _middle),
    (_RANGE, _range),
    (_MOMENT, _moment),
)


def _has_unit(time: str) -> bool:
    return re.fullmatch(_NUMBER, time) is None


def _seconds(time: str) -> float:
    """The seconds of a clock time, of minutes and seconds, of seconds, or of a bare number."""
    if ":" in time:
        total_s = 0.0
        for part in time.split(":"):
            total_s = 60 * total_s + float(part)
        return total_s
    numbers = [float(number) for number in re.findall(_NUMBER, time)]
    if re.match(rf"{_NUMBER}{_MINUTES}", time):
        return 60 * numbers[0] + (numbers[1] if len(numbers) > 1 else 0.0)
    return numbers[0]
