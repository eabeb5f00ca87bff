"""Anchors: "At 7s," opens a new moment of a caption. Finding them in every form models write, and their faults. Pure.

A time counts as an anchor at the head of a sentence ("[00:07] A man …", "7s: …") or, with a comma after it, at the
head of a clause ("…, and at 7s, he …"). A time inside a quotation is part of what was said or shown, and a duration
("for 7s", "a 7-second video") is no anchor.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from omnidetective.captions.quote_marks import inside, quotation_spans

AnchorForm = Literal["canonical", "decimal", "range", "other"]
FaultKind = Literal["range", "decimal", "malformed", "duplicate", "out_of_order", "outside"]


@dataclass(frozen=True, slots=True)
class Anchor:
    """One anchor; ``text == source[start:end]``, with the comma or other sign that ends it.

    ``time_s`` is the time it gives, of a range the start. ``form`` is "canonical" for "At 7s," and, within a
    sentence, "at 7s,".
    """

    time_s: float
    start: int
    end: int
    text: str
    form: AnchorForm

    @property
    def second(self) -> int:
        """The whole second it falls into."""
        return math.floor(self.time_s)


@dataclass(frozen=True, slots=True)
class AnchorFault:
    """What is wrong with an anchor; ``snippet`` is the anchor as it stands in the caption."""

    kind: FaultKind
    snippet: str
    time_s: float


_CLOCK = r"(?:[0-9]{1,2}:)?[0-9]{1,3}:[0-9]{2}(?:[.,][0-9]{1,3})?(?![:0-9])"
_NUMBER = r"[0-9]{1,12}(?:[.,][0-9]{1,6})?"
_UNIT = r"(?:\s?(?:seconds?|secs?|s)(?![\w’'])|-seconds?(?!\w))"
_TO = r"\s{0,2}(?:[-–—~〜−]|to|until|till|through|and)\s{0,2}"


def _time(n: int) -> str:
    """The pattern of a time, or of a range, whose first number may leave the unit to the last."""
    return rf"""
    (?: (?P<clock{n}>{_CLOCK}) (?: {_TO} (?P<clock_end{n}>{_CLOCK}) )?
      | (?P<number{n}>{_NUMBER}) (?: (?:{_UNIT})? {_TO} (?P<end{n}>{_NUMBER}) )? {_UNIT}
    )"""


_NOT_A_MOMENT = (
    r"(?!\s?[ap]\.?m\b|\s?o[’']clock|\s+(?:in\s+the\s+(?:morning|afternoon|evening)|at\s+night|in\s+length|long|later|"
    r"intervals?|remaining|left|apart|per|each|before|after|ago|away|from|or\s+(?:more|less|so))\b|-\w)"
)
_TAIL = (
    r"(?:\s(?:mark|point)\b)?(?:\s(?:onwards?|on)\b(?=\s?,))?"
    r"(?:\s(?:in|into\s(?:the|this)\s(?:video|clip|recording))\b(?=\s?,))?"
)
_STOP = r"(?:\s?[,:]|\s[-–—](?=\s))?"
_ANCHOR = re.compile(
    rf"""
    (?P<led>
      (?<![\w-]) (?: (?:starting|beginning)\s(?:at|from) | at | around | from | between )
      \s{{1,2}} (?: (?:around|about|approximately|roughly|exactly|precisely)\s | ~\s? )?
      (?: (?:the\s)?(?:time|timestamp|second|t\s?=)\s? | the\s )?
      (?: {_time(1)} | (?<=second\s)(?P<bare>{_NUMBER})(?![:\w]) )
      {_NOT_A_MOMENT} {_TAIL} {_STOP}
    )
    | (?P<bracketed> [\[(]\s? (?:at\s)? {_time(2)} \s?[\])] {_STOP} )
    | (?P<listed> (?<![\w.,:]) {_time(3)} (?: \s?: | \s?[-–—](?=\s) ) )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CANONICAL = re.compile(r"At (?:0|[1-9][0-9]*)s,")
_STOPS = ".!?…。！？\"”»」』’'"
_LINE_ENDS = "\n\r\u2028\u2029"
_CLAUSE = re.compile(r"(?:[,;:—–(]|\b(?:and|then|but|while|where|when))\s{0,4}$", re.IGNORECASE)
_LOOK_BACK = 40


def anchor_text(second: int) -> str:
    """The one way to write an anchor: ``"At 7s,"``."""
    return f"At {second}s,"


def find_anchors(text: str) -> tuple[Anchor, ...]:
    """The anchors of a caption, in the order of the text."""
    spans = quotation_spans(text)
    found: list[Anchor] = []
    for match in _ANCHOR.finditer(text):
        if inside(spans, match.start()):
            continue
        follows = bool(found) and not text[found[-1].end : match.start()].strip()
        at_head = opens_sentence(text, match.start())
        canonical = _CANONICAL.fullmatch(match[0]) is not None
        if at_head or follows or canonical or _opens_clause(text, match):
            found.append(_anchor(match, capital=at_head))
    return tuple(found)


def anchor_faults(text: str, duration_s: float | None) -> tuple[AnchorFault, ...]:
    """What is wrong with the anchors of a caption, in the order of the text.

    Args:
        text: the caption.
        duration_s: length of the clip; None for an image, which has no time, so that every anchor is outside.

    An anchor can have two faults, one of form and one of place. Order and repetition are judged among the anchors
    inside the clip.
    """
    faults: list[AnchorFault] = []
    seen: set[int] = set()
    last = -1
    for anchor in find_anchors(text):
        kinds: list[FaultKind] = []
        if anchor.form != "canonical" and duration_s is not None:
            kinds.append("malformed" if anchor.form == "other" else anchor.form)
        if not is_inside(anchor, duration_s):
            kinds.append("outside")
        else:
            if anchor.second in seen:
                kinds.append("duplicate")
            elif anchor.second < last:
                kinds.append("out_of_order")
            seen.add(anchor.second)
            last = max(last, anchor.second)
        faults += [AnchorFault(kind, anchor.text, anchor.time_s) for kind in kinds]
    return tuple(faults)


def is_inside(anchor: Anchor, duration_s: float | None) -> bool:
    """Whether an anchor names a second of the clip: 0 ≤ second < max(1, ⌈duration⌉). An image has none."""
    return duration_s is not None and 0 <= anchor.second < max(1, math.ceil(duration_s))


def opens_sentence(text: str, start: int) -> bool:
    """Whether a sentence begins at a position: after a stop or a line break; markup between is looked through."""
    head = text[max(0, start - _LOOK_BACK) : start]
    bare = head.rstrip(" \t\u00a0*_#>•·")
    if bare.endswith(("-", "+")):
        bare = bare[:-1].rstrip(" \t")
        return not bare or bare[-1] in _LINE_ENDS
    bare = bare.rstrip(")]") or bare
    return not bare or bare[-1] in _STOPS or bare[-1] in _LINE_ENDS


def _opens_clause(text: str, match: re.Match[str]) -> bool:
    head = text[max(0, match.start() - _LOOK_BACK) : match.start()]
    if match["led"]:
        return match[0].endswith(",") and _CLAUSE.search(head) is not None
    return match["bracketed"] is not None and head.rstrip().endswith(";")


def _anchor(match: re.Match[str], *, capital: bool) -> Anchor:
    text = match[0]
    n = next(n for n in "123" if match[f"clock{n}"] or match[f"number{n}"]) if not match["bare"] else ""
    clock = match[f"clock{n}"] if n else None
    number = match["bare"] or match[f"number{n}"]
    ranged = bool(n) and bool(match[f"clock_end{n}"] or match[f"end{n}"])
    time_s = _clock_s(clock) if clock else float(number.replace(",", "."))
    plain = anchor_text(math.floor(time_s))
    form: AnchorForm = "other"
    if ranged:
        form = "range"
    elif re.search(r"[0-9][.,][0-9]", text):
        form = "decimal"
    elif text == plain or (not capital and text == plain.lower()):
        form = "canonical"
    return Anchor(time_s, match.start(), match.end(), text, form)


def _clock_s(clock: str) -> float:
    total_s = 0.0
    for part in clock.replace(",", ".").split(":"):
        total_s = total_s * 60 + float(part)
    return total_s
