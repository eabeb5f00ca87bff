"""What a caption quotes, and whether as speech or as text on screen. Pure, linear.

The kind comes from words near the quotation: before it in its clause, else right after it. The nearest word decides;
verbs that signs and people share ("reads", "says") look for whose verb they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from omnidetective.captions.quote_marks import quotation_spans
from omnidetective.captions.sentences import split_sentences

QuoteKind = Literal["speech", "screen", "unclear"]


@dataclass(frozen=True, slots=True)
class Quote:
    """One quotation; ``text`` is what stands between the marks, ``start`` and ``end`` include the marks."""

    text: str
    start: int
    end: int
    kind: QuoteKind


AFTER_CHARS = 120
"""How far after a quotation a word can still be about it."""
GLUE_MAX_CHARS = 40
"""Quotations of one list stand no further apart than this."""

_SPEECH_VERBS = (
    r"sa(?:y|ys|id|ying)|speak(?:s|ing)?|spoke|spoken|ask(?:s|ed|ing)?|repl(?:y|ies|ied|ying)|answer(?:s|ed|ing)?|"
    r"respond(?:s|ed|ing)?|shout(?:s|ed|ing)?|yell(?:s|ed|ing)?|scream(?:s|ed|ing)?|cr(?:ies|ied|ying)|call(?:s|ed|ing)\sout|"
    r"whisper(?:s|ed|ing)?|mutter(?:s|ed|ing)?|murmur(?:s|ed|ing)?|mumbl(?:es|ed|ing)|sing(?:s|ing)?|sang|sung|"
    r"chant(?:s|ed|ing)?|rap(?:s|ping)|hum(?:s|ming)|recit(?:es|ed|ing)|announc(?:es|ed|ing)|narrat(?:es|ed|ing)|"
    r"tell(?:s|ing)?|told|explain(?:s|ed|ing)?|exclaim(?:s|ed|ing)?|remark(?:s|ed|ing)?|comment(?:s|ed|ing)?|"
    r"add(?:s|ing)|declar(?:es|ed|ing)|utter(?:s|ed|ing)?|greet(?:s|ed|ing)?|warn(?:s|ed|ing)?|insist(?:s|ed|ing)?|"
    r"jok(?:es|ed|ing)|heard|voiced|pronounc(?:es|ed|ing)|interject(?:s|ed|ing)?|conclud(?:es|ed|ing)|"
    r"introduc(?:es|ing)|urg(?:es|ed|ing)|order(?:s|ed|ing)|command(?:s|ed|ing)?"
)
_SPEECH_NOUNS = (
    r"voices?|voice-?\s?over|speech|lyrics?|dialogue|narrat(?:or|ion)|announcer|commentat(?:or|ors|ary)|vocals?|"
    r"vocalist|singers?|chorus|choir|aloud|verbally|out\sloud|presenter|interviewer|reporter"
)
_SCREEN_VERBS = (
    r"writ(?:ten|ing)|handwritten|display(?:s|ed|ing)?|show(?:s|n|ing)|print(?:ed|s)|inscri(?:bed|ption)|engraved|"
    r"label(?:s|l?ed|l?ing)?|titled|captioned|marked|emblazoned|spell(?:s|ed|ing)|appear(?:s|ed|ing)?|superimposed|overlaid|bear(?:s|ing)"
)
_SCREEN_NOUNS = (
    r"texts?|signs?|signage|signboards?|captions?|titles?|subtitles?|logos?|screens?|on-?screen|banners?|letter(?:s|ing)|"
    r"watermarks?|headlines?|posters?|billboards?|placards?|chyrons?|overlays?|tickers?|headings?|headers?|plaques?|"
    r"stickers?|credits|graphics?|cards?|placards?|nameplates?|badges?|boards?|chalkboards?|whiteboards?|inscriptions?|"
    r"slides?|pages?|covers?|monitors?|displays|scoreboards?|fonts?|typeface|capitals|lower-third|brand(?:ing)?|menus?|"
    r"buttons?|hashtags?|usernames?|handles?|line\sof\stext|lines\sof\stext"
)
# Shared verbs: whose they are depends on the noun before them.
_SHARED_SCREEN = r"reads?|reading"
_SHARED_SPEECH = (
    r"continu(?:es|ed|ing)|go(?:es|ing)\son|repeat(?:s|ed|ing)?|stat(?:es|ed|ing)|begin(?:s|ning)?|proclaim(?:s|ing)?"
)

_CUE = re.compile(
    rf"(?<![\w-])(?:(?P<speech>{_SPEECH_VERBS}|{_SPEECH_NOUNS})|(?P<shared_screen>{_SHARED_SCREEN})"
    rf"|(?P<shared_speech>{_SHARED_SPEECH})|(?P<screen>{_SCREEN_NOUNS}|{_SCREEN_VERBS}))(?!\w)",
    re.IGNORECASE,
)
# "a sign says", "a banner on the wall that says"; but "a man holding a sign says".
_SIGN_SAYS = re.compile(
    rf"(?<!\w)(?:{_SCREEN_NOUNS})(?:\s(?:on|above|behind|below|in|over)\s(?:\w+\s){{0,3}}\w+)?"
    r"(?:\s(?:that|which)|,)?\s(?P<verb>says?|saying|said)\W*$",
    re.IGNORECASE,
)
_HELD_SIGN_SAYS = re.compile(
    rf"\b(?:holding|beside|near|behind|under|with|at|by|to|toward|towards)\s(?:\w+\s){{1,3}}(?:{_SCREEN_NOUNS})\ssays\W*$",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r"[;—]|,\s+(?:and|but|while|as|then|when|where|before|after|so|yet)\b|\b(?:while|whereas)\b", re.IGNORECASE
)
_AFTER_END = re.compile(
    r"[;—.!?…]|,\s+(?:and|but|while|as|then|when|where|before|after|so|yet)\b|\b(?:while|whereas)\b"
)
_AFTER_SPEECH = re.compile(
    rf"\W*(?:(?:{_SPEECH_VERBS})\b|(?:s?he|they|it|I|we|who|one|someone|(?:a|an|the|another|his|her|their)\s(?:\w+\s){{1,6}}?|"
    rf"(?:[A-Z][\w.]*\s){{1,3}}?)\s?(?:\w+ly\s|is\s|can\sbe\s)?(?:{_SPEECH_VERBS})\b|(?:is|are|can\sbe)\s(?:\w+ly\s)?"
    r"(?:heard|said|spoken|sung|shouted|whispered|called))"
)
_AFTER_SCREEN = re.compile(
    rf"(?<!\w)(?:{_SCREEN_VERBS}|{_SCREEN_NOUNS}|visible|seen|flash(?:es|ing)?|scroll(?:s|ing)?|fades?|pops?)(?!\w)",
    re.IGNORECASE,
)
_GLUE = re.compile(r"[\s,/|•·–—:-]*(?:and|or|then|followed by|as well as|plus|&)?[\s,/|:]*(?:then)?\s*", re.IGNORECASE)


def find_quotes(caption: str) -> tuple[Quote, ...]:
    """The quotations of a caption, in order. Empty ones are left out; of nested ones the outermost is given.

    Quotations listed after one cue ("three lines are shown: “A”, “B” and “C”") share its kind.
    """
    spans = [span for span in quotation_spans(caption) if caption[span[0] + 1 : span[1] - 1].strip()]
    heads = _sentence_heads(caption, spans)
    groups: list[list[Quote]] = []
    for n, (start, end) in enumerate(spans):
        quote = Quote(caption[start + 1 : end - 1].strip(), start, end, "unclear")
        gap_start = spans[n - 1][1] if n else 0
        if n and start - gap_start <= GLUE_MAX_CHARS and _GLUE.fullmatch(caption, gap_start, start):
            groups[-1].append(quote)
        else:
            groups.append([quote])
    found: list[Quote] = []
    for group in groups:
        first, last = group[0], group[-1]
        previous_end = found[-1].end if found else 0
        kind = _before(caption[max(previous_end, heads[first.start]) : first.start])
        if kind == "unclear":
            kind = _after(last.text, caption[last.end : last.end + AFTER_CHARS].partition("\n")[0])
        found += [replace(quote, kind=kind) for quote in group]
    return tuple(found)


def _sentence_heads(caption: str, spans: list[tuple[int, int]]) -> dict[int, int]:
    """Where the sentence of each quotation begins, by where the quotation begins."""
    sentences = split_sentences(caption) if spans else ()
    heads: dict[int, int] = {}
    n = 0
    for start, _ in spans:
        while sentences[n].end <= start:
            n += 1
        heads[start] = sentences[n].start
    return heads


def _before(text: str) -> QuoteKind:
    """What the words of a clause say of the quotation after it."""
    boundary = max((match.start() for match in _CLAUSE.finditer(text)), default=0)
    clause = text[boundary:]
    cues = list(_CUE.finditer(clause))
    if not cues:
        return "unclear"
    if cues[-1][0].lower().startswith("sa"):
        return "screen" if _sign_says(clause) else "speech"
    if cues[-1]["speech"]:
        return "speech"
    if cues[-1]["screen"]:
        return "screen"
    owner = next((cue for cue in reversed(cues) if cue["speech"] or cue["screen"]), None)
    if owner is not None:
        return "speech" if owner["speech"] else "screen"
    return "screen" if cues[-1]["shared_screen"] else "speech"


def _sign_says(clause: str) -> bool:
    tail = clause[-160:]
    return _SIGN_SAYS.search(tail) is not None and _HELD_SIGN_SAYS.search(tail) is None


def _after(quoted: str, text: str) -> QuoteKind:
    """What the words right after a quotation say of it."""
    boundary = _AFTER_END.search(text)
    words = " ".join(_until_quotation(text[: boundary.start()] if boundary else text).split()[:9])
    speech = _AFTER_SPEECH.match(words)
    screen = _AFTER_SCREEN.search(words)
    if speech and (not screen or speech.end() <= screen.start() or screen.start() < speech.start()):
        direct = len(words[: speech.end()].split()) <= 3
        if direct or quoted[-1] in ",.!?…—-。！？" or words.startswith(","):
            return "speech"
    return "screen" if screen else "unclear"


def _until_quotation(text: str) -> str:
    return re.split(r"[“”„«»「」『』\"]", text, maxsplit=1)[0]
