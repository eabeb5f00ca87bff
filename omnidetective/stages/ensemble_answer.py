"""The integrator's answer: its form, and what is made of it without a model.

Its sentences lose markup and ids that stand in the text, anchors are put into their one form, and citations are held to
the observations that there are. Anchors outside the clip or out of order are left for the audit to find.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict, Field, field_validator

from omnidetective.captions.anchors import find_anchors
from omnidetective.captions.markup import without_marks
from omnidetective.captions.moments import canonical_anchors
from omnidetective.captions.sentences import split_sentences
from omnidetective.case import Case
from omnidetective.evidence import Span
from omnidetective.grounding import cited, sense
from omnidetective.records import Event

_MOST_TOLD = 10
"""Most adjustments of anchors that are told one by one."""
_STOPS = ".!?…。！？"
_CLOSERS = "”’»」』)]\"'"
_ID = r"[a-z0-9]{1,24}"
_OURS = re.compile(r"(?:s\d+)?[a-z]?o\d+")
"""What an id of a case looks like, whether or not there is such an observation."""
_IN_TEXT = re.compile(rf"\s?[\[(]({_ID}(?:\s?[,;]\s?{_ID}){{0,11}})[\])]")


class MergedSentence(BaseModel):
    """One sentence of the caption, with what shows it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    text: str = Field(description="The sentence as it stands in the caption, its anchor included.")
    evidence: tuple[str, ...] = Field(
        default=(), description="Ids of the observations and candidates that show it, exactly as given."
    )


class MergedCaption(BaseModel):
    """The merged caption, sentence by sentence, in the order in which it is read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sentences: tuple[MergedSentence, ...] = Field(description="All sentences of the caption.")

    @field_validator("sentences")
    @classmethod
    def _says_something(cls, sentences: tuple[MergedSentence, ...]) -> tuple[MergedSentence, ...]:
        if not any(sentence.text.strip() for sentence in sentences):
            raise ValueError("there must be at least one sentence, and it must have a text")
        return sentences


class Character(BaseModel):
    """Somebody who appears in the clip."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(description="What the text calls them, the same in all parts.")
    description: str = Field(description="What they are known by: looks, voice, what they were seen doing.")


class MergedPart(MergedCaption):
    """One part of the caption of a long clip, and the people of the clip so far."""

    characters: tuple[Character, ...] = Field(
        default=(), description="Everybody who appeared up to the end of this part, those handed over included."
    )


@dataclass(frozen=True, slots=True)
class Settled:
    """Sentences as they enter the draft, and what was corrected on the way, in words."""

    events: tuple[Event, ...]
    remarks: tuple[str, ...] = ()


def settled(sentences: Iterable[MergedSentence], case: Case, part: Span | None) -> Settled:
    """The draft that the integrator's sentences make.

    A sentence cites the observations that the integrator names for it, as far as they answered; where it names none,
    those that hold its words.

    Args:
        part: the segment that the sentences are about; its observations can be cited.
    """
    near = _about(case, part)
    known = {o.id for o in near.answers}
    taken: list[Event] = []
    texts: list[str] = []
    unknown, marked = 0, False
    second: int | None = None
    for sentence in sentences:
        plain_text = without_marks(sentence.text)
        marked = marked or plain_text.split() != sentence.text.split()
        text, in_text = _without_ids(plain_text, known)
        named = tuple(dict.fromkeys(_bare(e) for e in (*sentence.evidence, *in_text)))
        evidence = tuple(e for e in named if e in known)
        unknown += len(named) - len(evidence)
        for piece in split_sentences(text):
            texts.append(_closed(piece.text))
            anchors = find_anchors(piece.text)
            second = anchors[0].second if anchors else second
            if evidence:
                taken.append(
                    Event(
                        start_s=None if second is None else float(second),
                        text=texts[-1],
                        modality=sense(piece.text, evidence, near),
                        evidence=evidence,
                    )
                )
    remarks = [f"ensemble: {unknown} citations of the integrator name no observation"] if unknown else []
    if marked:
        remarks.append("ensemble: markup was taken out of the integrator's sentences")
    return _in_form(" ".join(texts), near, taken, remarks)


def settled_text(caption: str, case: Case, part: Span | None) -> Settled:
    """The draft that a candidate makes, where nothing could be merged."""
    return _in_form(without_marks(caption).strip(), _about(case, part), (), [])


def _in_form(text: str, case: Case, known: Sequence[Event], remarks: list[str]) -> Settled:
    canonical = canonical_anchors(text, case.clip.facts.duration_s)
    made = canonical.adjustments
    remarks += [f"ensemble: {adjustment}" for adjustment in made[:_MOST_TOLD]]
    if len(made) > _MOST_TOLD:
        remarks.append(f"ensemble: {len(made) - _MOST_TOLD} more anchors were put into form")
    return Settled(cited(canonical.text, case, known=known), tuple(remarks))


def _about(case: Case, part: Span | None) -> Case:
    """The case with the observations of one part of the clip only."""
    if part is None:
        return case
    near = tuple(o for o in case.observations if o.span is None or o.span.overlap_s(part) > 0)
    return replace(case, observations=near)


def _without_ids(text: str, known: set[str]) -> tuple[str, tuple[str, ...]]:
    """A text without the ids that stand in brackets in it, and those ids."""
    found: list[str] = []

    def taken_out(match: re.Match[str]) -> str:
        ids = list(_ids(match[1]))
        if not all(i in known or _OURS.fullmatch(i) for i in ids):
            return match[0]
        found.extend(ids)
        return ""

    return _IN_TEXT.sub(taken_out, text), tuple(found)


def _ids(listed: str) -> Iterator[str]:
    yield from (piece.strip() for piece in re.split("[,;]", listed))


def _bare(evidence_id: str) -> str:
    return evidence_id.strip(" \t\n[]()“”\"'.,")


def _closed(sentence: str) -> str:
    """A sentence with its full stop: without it, it would run into the next."""
    bare = sentence.rstrip(_CLOSERS)
    return sentence if bare.endswith(tuple(_STOPS)) else f"{sentence}."
