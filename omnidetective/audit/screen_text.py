"""Check "screen_text": what a caption quotes as text on screen is held against what OCR read, and when."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz, process

from omnidetective.audit.altered import altered
from omnidetective.audit.finding import Confirmation, Finding, Inspection, clipped, quoted, verbatim
from omnidetective.audit.reading import Piece, Reading, looked_at
from omnidetective.audit.stretch import LONGEST_CHARS, best_stretch
from omnidetective.audit.transcript import Transcript, transcripts
from omnidetective.captions.alignment import plain, similarity
from omnidetective.captions.letters import is_cjk
from omnidetective.captions.quotes import Quote
from omnidetective.case import Case
from omnidetective.evidence import TextCard, TextEvidence
from omnidetective.grounding import content_words
from omnidetective.page_evidence import ChartEvidence, CodeEvidence, TableEvidence
from omnidetective.records import Observation

CHECK = "screen_text"
SAME_TEXT = 0.8
"""Similarity from which a quotation is the text that was read: OCR confuses letters."""
SURE = 0.8
"""Score from which a card must be in the caption."""
_FEWEST_LETTERS = 3
_SQUEEZED_CHARS = 6
_TOLD = 0.6
_MOST_QUOTES = 400
_MOST_CARDS = 400
_MOST_MISSING = 20
_MOST_TOGETHER = 20
_MOST_NAMED = 3
_LIKELY = 60
"""Rough likeness, 0…100, from which a card is looked at closely; no card that is alike has less."""

_LATER = re.compile(r"\b(?:then|before|after|later|eventually|finally|until|followed|changes?)\b", re.IGNORECASE)
_NOT_READ = re.compile(
    r"\b(?:blurr\w*|illegible|unreadable|partially|partly|possibly|perhaps|likely|seems?|appears?\sto|obscured|cut\soff)\b",
    re.IGNORECASE,
)

_plain = lru_cache(maxsize=4096)(plain)

Read = tuple[TextCard, str]
"""A card, and the id of its observation."""


def check(reading: Reading) -> Inspection:
    """Quotations of text that OCR did not read, or read at another time, and texts left out."""
    case = reading.case
    cards = cards_of(case)
    if cards is None:
        return Inspection()
    findings: list[Finding] = []
    confirmed: list[Confirmation] = []
    spoken = transcripts(case)
    elsewhere = tuple(_read_elsewhere(case))
    told: set[int] = set()
    piece_before: Piece | None = None
    for quote, piece in reading.quotes[:_MOST_QUOTES]:
        if quote.kind == "speech" or not _plain(quote.text):
            continue
        lead = reading.caption[piece.start : quote.start]
        at_once = piece.opens and piece is not piece_before and not _LATER.search(lead)
        piece_before = piece
        places = list(_places(quote.text, (*cards, *elsewhere)))
        told.update(id(card) for place in places for card, _ in place)
        fitting = [place for place in places if not _off(place, piece, reading, at_once=at_once)]
        if fitting and quote.kind == "screen" and (changed := _altered(quote.text, fitting)):
            findings.append(_exchanged(quote, changed, fitting[0], reading))
        elif fitting:
            where = (quote.start, quote.end)
            confirmed.append(reading.bears_out(CHECK, "objects", where, _ids(fitting[0])))
        elif quote.kind == "screen" and places:
            findings.append(_at_other_time(quote, piece, places[0], reading))
        elif quote.kind == "screen" and (finding := _unread(quote, piece, cards, spoken, reading)):
            findings.append(finding)
    return Inspection(
        (*findings, *_missing(reading, [(card, i) for card, i in cards if id(card) not in told])), tuple(confirmed)
    )


def cards_of(case: Case) -> tuple[Read, ...] | None:
    """The text on screen in order of appearance; None when nobody looked for any."""
    found: list[Read] = []
    looked = False
    for observation, evidence in case.evidence(TextEvidence):
        looked = True
        found += [(card, observation.id) for card in evidence.cards if _plain(card.text)]
    return tuple(sorted(found, key=lambda item: item[0].start_s or 0.0)) if looked else None


def _read_elsewhere(case: Case) -> Iterator[Read]:
    """What the readers of charts, tables and code have read themselves: turned, cut at a rule, or put together."""
    for observation in case.answers:
        match observation.data:
            case ChartEvidence(charts=charts):
                for chart in charts:
                    texts = {
                        chart.title,
                        chart.x_title,
                        chart.y_title,
                        *(t for p in chart.points for t in (p.label, p.series)),
                    }
                    yield from ((TextCard(text=text, page=chart.page), observation.id) for text in texts if text)
            case TableEvidence(tables=tables):
                for table in tables:
                    yield from ((TextCard(text=c.text, page=table.page), observation.id) for c in table.cells if c.text)
            case CodeEvidence(blocks=blocks):
                yield from ((TextCard(text=block.text, page=block.page), observation.id) for block in blocks)


def reads(case: Case, text: str) -> bool | None:
    """Whether OCR read a text anywhere in the clip; None where it did not look at all of it."""
    cards = cards_of(case)
    if cards is None:
        return None
    if next(_places(text, cards), None) is not None:
        return True
    return None if looked_at(_readers(case), case.span) is None or not _readable(text) else False


@dataclass(frozen=True, slots=True)
class _Shown:
    """Cards in order of appearance as one plain text; ``starts`` are where each begins in it."""

    text: str
    starts: tuple[int, ...]


@lru_cache(maxsize=64)
def _joined(texts: tuple[str, ...]) -> _Shown:
    starts, position = [], 0
    for text in texts:
        starts.append(position)
        position += len(text) + 1
    return _Shown(" ".join(texts), tuple(starts))


def _places(text: str, cards: Sequence[Read]) -> Iterator[tuple[Read, ...]]:
    """Where a text was read: on single cards first, then on several shown one with another."""
    words = _plain(text)[:LONGEST_CHARS]
    texts = tuple(_plain(card.text)[:LONGEST_CHARS] for card, _ in cards)
    squeezed = words.replace(" ", "")
    likely = process.extract(words, texts, scorer=fuzz.partial_ratio, score_cutoff=_LIKELY, limit=None)
    for n in sorted(index for _, _, index in likely):
        card_text, item = texts[n], cards[n]
        same = similarity(words, card_text) >= SAME_TEXT or best_stretch(words, card_text, at_least=SAME_TEXT)
        if same or (len(squeezed) >= _SQUEEZED_CHARS and _alike(squeezed, card_text.replace(" ", ""))):
            yield (item,)
    shown = _joined(texts)
    stretch = best_stretch(words, shown.text, at_least=SAME_TEXT)
    if stretch is not None:
        yield tuple(
            item
            for item, start, card_text in zip(cards, shown.starts, texts, strict=True)
            if start < stretch.end and stretch.start < start + len(card_text)
        )
    wanted = set(words.split())
    holding = [item for item, card_text in zip(cards, texts, strict=True) if wanted & set(card_text.split())]
    for first in holding[:_MOST_TOGETHER] if len(wanted) > 1 else ():
        together = [item for item in holding if _together(first[0], item[0])]
        if wanted <= {word for card, _ in together for word in _plain(card.text).split()}:
            yield tuple(together)  # the lines in another order


def _together(a: TextCard, b: TextCard) -> bool:
    a_s, b_s = _span_s(a), _span_s(b)
    return a_s is None or b_s is None or (a_s[0] <= b_s[1] and b_s[0] <= a_s[1])


def _alike(squeezed: str, card: str) -> bool:
    """The same letters, spaces aside: OCR loses spaces, and designers add them."""
    if len(squeezed) <= len(card):
        return fuzz.partial_ratio(squeezed, card, score_cutoff=90) > 0
    return similarity(squeezed, card) >= SAME_TEXT


def _off(place: Iterable[Read], piece: Piece, reading: Reading, *, at_once: bool) -> bool:
    spans = [_span_s(card) for card, _ in place]
    known = [span for span in spans if span is not None]
    if len(known) < len(spans):
        return False
    return reading.off(piece, min(a for a, _ in known), max(b for _, b in known), at_once=at_once)


def _span_s(card: TextCard) -> tuple[float, float] | None:
    if card.start_s is None:
        return None
    return card.start_s, card.start_s if card.end_s is None else card.end_s


def _altered(text: str, places: Sequence[Sequence[Read]]) -> tuple[str, ...]:
    """What no place has of a quotation, where all of them were read surely; of the place that has most."""
    cards = [card for place in places for card, _ in place]
    if not all(card.score is None or card.score >= SURE for card in cards):
        return ()
    return min((altered(text, [card.text for card, _ in place]) for place in places), key=len)


def _exchanged(quote: Quote, changed: Sequence[str], place: Sequence[Read], reading: Reading) -> Finding:
    words = ", ".join(quoted(word) for word in changed[:_MOST_NAMED])
    why = f"{words} is not in the text that OCR read: {quoted(' '.join(card.text for card, _ in place))}"
    return Finding(CHECK, "objects", "error", reading.caption[quote.start : quote.end], clipped(why), _ids(place))


def _at_other_time(quote: Quote, piece: Piece, place: Sequence[Read], reading: Reading) -> Finding:
    card = place[0][0]
    start_s, end_s = _span_s(card) or (0.0, 0.0)
    why = f"shown at {start_s:.1f}–{end_s:.1f} s ({quoted(card.text)}), not at {piece.second} s"
    return Finding(CHECK, "objects", "error", reading.caption[quote.start : quote.end], clipped(why), _ids(place))


def _unread(
    quote: Quote, piece: Piece, cards: Sequence[Read], spoken: Sequence[Transcript], reading: Reading
) -> Finding | None:
    """A quotation that is on no card, where that proves something."""
    looked = looked_at(_readers(reading.case), reading.window(piece))
    if looked is None or not _readable(quote.text) or _NOT_READ.search(piece.words):
        return None
    words = _plain(quote.text)
    if any(transcript.find(words, at_least=SAME_TEXT) for transcript in spoken):
        return None  # spoken: its kind was misread, or it is a subtitle
    window = reading.window(piece)
    shown = [
        card.text
        for card, _ in cards
        if window is None or (span := _span_s(card)) is None or (span[0] <= window.end_s and span[1] >= window.start_s)
    ][:_MOST_CARDS]
    nearest = max(shown, key=lambda text: similarity(words, _plain(text)), default=None)
    instead = "no text there" if nearest is None else f"{quoted(nearest)}"
    why = f"not on screen: the nearest that OCR read is {instead}"
    return Finding(CHECK, "objects", "error", reading.caption[quote.start : quote.end], clipped(why), looked)


def _missing(reading: Reading, cards: Sequence[Read]) -> Iterator[Finding]:
    """Cards that were read surely and are nowhere in the caption."""
    all_plain = plain(reading.caption)
    squeezed = all_plain.replace(" ", "")
    told = content_words(reading.caption)
    seen: set[str] = set()
    count = 0
    for card, observation in cards[:_MOST_CARDS]:
        text = _plain(card.text)
        span = _span_s(card)
        outside = (
            span is not None
            and reading.extent is not None
            and (span[0] >= reading.extent.end_s or span[1] < reading.extent.start_s)
        )
        unsure = card.score is not None and card.score < SURE
        if text in seen or outside or unsure or sum(c.isalpha() for c in text) < _FEWEST_LETTERS:
            continue
        seen.add(text)
        carrying = content_words(card.text)
        if text.replace(" ", "") in squeezed or (carrying and len(carrying & told) >= _TOLD * len(carrying)):
            continue
        if best_stretch(text, all_plain, at_least=SAME_TEXT):
            continue
        when = "" if span is None else f" at {span[0]:.1f}–{span[1]:.1f} s"
        what = f"the on-screen text {verbatim(card.text)}" + ("" if span is None else f", shown at {span[0]:.1f} s")
        why = f"OCR read it{when}; it is nowhere in the caption"
        yield Finding(CHECK, "objects", "missing", what, why, (observation,))
        count += 1
        if count == _MOST_MISSING:
            return


def _readable(text: str) -> bool:
    """Whether the text is in letters that OCR is made for: Latin, Chinese, digits."""
    letters = [c for c in text if c.isalpha()]
    return all(c < "\u0250" or is_cjk(c) for c in letters)


def _readers(case: Case) -> tuple[Observation, ...]:
    return tuple(observation for observation, _ in case.evidence(TextEvidence))


def _ids(place: Iterable[Read]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(observation for _, observation in place))
