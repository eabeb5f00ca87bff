"""How the checks read a caption: in pieces that each belong to one moment, with quotations apart from the rest."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from omnidetective.audit.finding import Confirmation
from omnidetective.captions.anchors import find_anchors
from omnidetective.captions.moments import moments
from omnidetective.captions.quote_marks import quotation_spans
from omnidetective.captions.quotes import Quote, find_quotes
from omnidetective.captions.sentences import split_sentences
from omnidetective.case import Case
from omnidetective.evidence import Span, SpeechEvidence, TextEvidence
from omnidetective.records import Attribute, Observation

OFF_S = 2.0
"""How far from its anchor something may be and still be told at the right time."""
_LONGEST_PIECE_CHARS = 2000
_COVERED_SLACK_S = 0.5


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence, or the part of one that belongs to one anchor; ``text == caption[start:end]``.

    Attributes:
        words: the text with every quotation blanked out, position by position; of an overlong piece the beginning.
        second: of the anchor that it stands under; None before the first.
        until_s: up to where its moment lasts: the next anchor, or the end.
        opens: whether it begins with the anchor.
    """

    text: str
    words: str
    start: int
    end: int
    second: int | None
    until_s: float
    opens: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """A caption, taken apart.

    Attributes:
        extent: the seconds that the caption is about: of the segment, or of the whole clip.
        quotes: every quotation with the piece that it stands in.
        veiled: the caption with those quotations veiled that an instrument bears out sign by sign: a text on screen
            can hold anchors and marks. As long as the caption.
        verbatim: where a quotation is, sign by sign, what an instrument heard or read.
        anchored: whether the caption has any anchor.
        confirmed: what the checks before this one have borne out.
    """

    caption: str
    veiled: str
    case: Case
    quote_similarity: float
    extent: Span | None
    pieces: tuple[Piece, ...]
    quotes: tuple[tuple[Quote, Piece], ...]
    verbatim: tuple[tuple[int, int], ...]
    anchored: bool
    confirmed: tuple[Confirmation, ...] = ()

    @classmethod
    def of(cls, caption: str, case: Case, *, quote_similarity: float) -> Reading:
        """Takes a caption apart; time grows in step with its length."""
        verbatim = _outermost(_verbatim(caption, case))
        veiled = _veiled(caption, verbatim)
        blanked = _blanked(caption, quotation_spans(veiled))
        end_s = case.span.end_s if case.span is not None else 0.0
        pieces = tuple(_pieces(caption, veiled, blanked, end_s))
        return cls(
            caption=caption,
            case=case,
            quote_similarity=quote_similarity,
            extent=case.span,
            pieces=pieces,
            veiled=veiled,
            quotes=tuple(_placed(_quotes(caption, veiled), pieces)),
            verbatim=verbatim,
            anchored=any(piece.second is not None for piece in pieces),
        )

    def knowing(self, confirmed: Iterable[Confirmation]) -> Reading:
        """The same reading for a later check."""
        return replace(self, confirmed=(*self.confirmed, *confirmed))

    def window(self, piece: Piece) -> Span | None:
        """The seconds that a piece is about; None for an image."""
        if piece.second is None or self.extent is None:
            return self.extent
        return Span(start_s=piece.second, end_s=max(piece.second + 1.0, piece.until_s))

    def bears_out(
        self, check: str, attribute: Attribute, where: tuple[int, int], evidence: tuple[str, ...]
    ) -> Confirmation:
        """A confirmation of ``caption[start:end]``."""
        return Confirmation(check, attribute, *where, self.caption[slice(*where)], evidence)

    def only_verbatim(self, snippet: str) -> bool:
        """Whether some words stand nowhere but in what an instrument heard or read just so."""
        at = self.caption.find(snippet)
        while at >= 0:
            n = bisect_right(self.verbatim, (at, len(self.caption))) - 1
            if n < 0 or self.verbatim[n][1] < at + len(snippet):
                return False
            at = self.caption.find(snippet, at + 1)
        return True

    def off(self, piece: Piece, start_s: float, end_s: float, *, at_once: bool) -> bool:
        """Whether what happens in a span is told at a clearly other time: more than 2 s off.

        Args:
            at_once: the anchor of the piece is that of this very thing; otherwise it may come at any time up to the
                next anchor.
        """
        if piece.second is None:
            return False
        latest_s = piece.second if at_once else max(piece.second, piece.until_s)
        return math.floor(start_s) - latest_s > OFF_S or piece.second - end_s > OFF_S


def looked_at(observations: Iterable[Observation], window: Span | None) -> tuple[str, ...] | None:
    """The ids of the observations that together looked at all of a window; None where they left some of it out."""
    ids: list[str] = []
    gap_start_s = 0.0 if window is None else window.start_s
    for observation in sorted(observations, key=lambda o: -1.0 if o.span is None else o.span.start_s):
        if observation.span is None or window is None:
            return (observation.id,) if not ids else (*ids, observation.id)
        if observation.span.overlap_s(window) <= 0:
            continue
        ids.append(observation.id)
        if observation.span.start_s <= gap_start_s + _COVERED_SLACK_S:
            gap_start_s = max(gap_start_s, observation.span.end_s)
    return tuple(ids) if ids and window is not None and gap_start_s >= window.end_s - _COVERED_SLACK_S else None


def _outermost(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    kept: list[tuple[int, int]] = []
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not kept or end > kept[-1][1]:
            kept.append((start, end))
    return tuple(kept)


def _verbatim(caption: str, case: Case) -> Iterator[tuple[int, int]]:
    heard = (segment.text.strip() for _, evidence in case.evidence(SpeechEvidence) for segment in evidence.segments)
    read = (card.text for _, evidence in case.evidence(TextEvidence) for card in evidence.cards)
    for words in {*heard, *read} - {""}:
        marked = f"“{words}”"
        at = caption.find(marked)
        while at >= 0:
            yield at, at + len(marked)
            at = caption.find(marked, at + len(marked))


def _veiled(caption: str, spans: Iterable[tuple[int, int]]) -> str:
    parts: list[str] = []
    position = 0
    for start, end in spans:
        if start < position:
            continue
        # The last sign stays: a stop there ends the sentence.
        parts += (caption[position : start + 1], "x" * (end - start - 3), caption[end - 2 : end])
        position = end
    return "".join((*parts, caption[position:]))


def _quotes(caption: str, veiled: str) -> Iterator[Quote]:
    for quote in find_quotes(veiled):
        yield replace(quote, text=caption[quote.start + 1 : quote.end - 1].strip())


def _blanked(caption: str, spans: Iterable[tuple[int, int]]) -> str:
    parts: list[str] = []
    position = 0
    for start, end in sorted(spans):
        if end <= position:
            continue
        start = max(start, position)
        parts += (caption[position:start], " " * (end - start))
        position = end
    return "".join((*parts, caption[position:]))


def _pieces(caption: str, veiled: str, blanked: str, end_s: float) -> Iterator[Piece]:
    """Sentences cut at the anchors within them."""
    parts = moments(veiled)
    anchor_starts = {anchor.start for anchor in find_anchors(veiled)}
    until = _until([part.second for part in parts], end_s)
    n = 0
    for sentence in split_sentences(veiled):
        while n < len(parts) and parts[n].end <= sentence.start:
            n += 1
        m = n
        while m < len(parts) and parts[m].start < sentence.end:
            start, end = max(sentence.start, parts[m].start), min(sentence.end, parts[m].end)
            yield Piece(
                text=caption[start:end],
                words=blanked[start : min(end, start + _LONGEST_PIECE_CHARS)],
                start=start,
                end=end,
                second=parts[m].second,
                until_s=until[m],
                opens=start in anchor_starts,
            )
            m += 1


def _until(seconds: list[int | None], end_s: float) -> list[float]:
    """For each moment the next later second that an anchor names right after it, else the end."""
    until: list[float] = []
    following: int | None = None
    for second in reversed(seconds):
        if following is None or second is None or following < second:
            until.append(end_s)
        else:
            until.append(until[-1] if following == second else float(following))
        following = second
    return until[::-1]


def _placed(quotes: Iterable[Quote], pieces: tuple[Piece, ...]) -> Iterator[tuple[Quote, Piece]]:
    n = 0
    for quote in quotes:
        while n + 1 < len(pieces) and pieces[n].end <= quote.start:
            n += 1
        if n < len(pieces):
            yield quote, pieces[n]
