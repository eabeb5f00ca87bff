"""Talk about sources: where a caption speaks of transcripts, candidates or observers instead of the clip. Pure.

The patterns are narrow on purpose. A story has witnesses, reports, observers and frames of its own: "a witness in the
courtroom", "a frame on the wall", "according to the police report" are content.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_INSTRUMENT = (
    r"(?:ASR|OCR|(?:audio|speech)\s?transcripts?|transcript(?:ion)?s?|speech[\s-]recogni[sz](?:er|tion)"
    r"|frame\scaption(?:er|s)|(?:audio|video|visual|vision|captioning|omni|language|speech)[\s-](?:model|captioner)s?"
    r"|annotators?|(?:audio|visual|frame|candidate|source|provided|given|original)\s(?:captions?|descriptions?)"
    r"|(?:provided|input)\s(?:frames|sources|candidates|evidence|metadata|observations)|given\sframes"
    r"|shot\s(?:list|detector)|sound\s(?:classifier|detector)|ground[\s-]truth)"
)
_NUMBERED = (
    r"(?:captions?|candidates?|sources?|annotators?|observers?|descriptions?)\s"
    r"(?:(?-i:[A-HJ-Z])|#?\d{1,2}|one|two|three)(?![\w’'])"
)
_SOURCE = rf"(?:{_INSTRUMENT}|{_NUMBERED}|observers?)"
_TELLS = (
    r"(?:(?:also|both|all|only|further)\s)?(?:says?|states?|reports?|mentions?|notes?|indicates?|shows?|describes?|suggests?|"
    r"claims?|gives?|lists?|detects?|detected|hears?|reads?|records?|identif(?:y|ies|ied)|confirms?|contains?|agrees?|"
    r"disagrees?|conflicts?|differs?|provides?|reported|mentioned|noted|stated|described|does\snot|do\snot|doesn[’']t|don[’']t)"
)
_TOLD = (
    r"(?:reported|noted|described|detected|transcribed|mentioned|stated|indicated|provided|identified|confirmed|heard|"
    r"recorded|captured|supported|suggested)"
)
_TALK = re.compile(
    "|".join(
        (
            rf"\b(?:according\sto|per|based\son|judging\sby|as\sper)\s(?:the\s|our\s|an?\s)?(?:[a-z]+\s)?{_SOURCE}\b",
            rf"\b(?:as\s)?(?:not\s)?{_TOLD}\s(?:by|in)\s(?:the\s|an?\s|any\s|both\s)?(?:{_SOURCE}|witness(?:es)?|captions?)\b",
            rf"\b(?:the\s)?(?:{_INSTRUMENT}|{_NUMBERED})\s{_TELLS}\b",
            rf"\b(?:from|in|by|with|to|across|between)\s(?:the\s)?(?:{_INSTRUMENT})\b",
            rf"\b{_NUMBERED}",
            r"(?-i:\b(?:ASR|OCR)\b)",
            r"\bthe\switness(?:es)?\s(?:reports?|mentions?|notes?|reported|mentioned|noted)\b",
            # Whom a picture looks at or invites is a person, not one of our observers.
            r"(?<!ing\s)(?<!ites\s)(?<!aws\s)(?<!toward\s)(?<!towards\s)\bthe\sobservers?\b"
            r"(?![’'])(?!\s(?:of|in|on|at|from|who|with|behind|near|into|to|that|feels?|sees?)\b)",
            r"\b(?:the|these|those|all|some|sampled|extracted|individual|consecutive)\s(?:\w+\s)?frames\s"
            r"(?:also\s)?(?:show|depict|indicate|suggest|reveal|capture|contain|confirm|do\snot)\b",
            r"\b(?:both|all|neither|other|two|several|multiple|the|these|our)\s(?:of\sthe\s)?sources\s"
            r"(?:agree|disagree|mention|describe|conflict|note|differ|indicate)\b",
        )
    ),
    re.IGNORECASE,
)


def source_talk(text: str) -> Iterator[tuple[int, int]]:
    """``(start, end)`` of each phrase that speaks of a source, in order."""
    for match in _TALK.finditer(text):
        yield match.span()
