"""What the integrator is told: candidates that can be cited but not named, and of a long clip what stands before."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from omnidetective.captions.moments import moments
from omnidetective.case import Case
from omnidetective.detective.conversation import shortened
from omnidetective.draft import Section
from omnidetective.evidence import Span
from omnidetective.records import Candidate
from omnidetective.stages import dossier
from omnidetective.stages.ensemble_answer import Character

EARLIER_CHARS = 20_000
"""Most characters of all earlier parts together, from which each is shortened: ten minutes are told in full."""
_FEWEST_CHARS = 200
_MOST_PEOPLE = 60
_NAME_CHARS = 100
_DESCRIPTION_CHARS = 400


def candidates_of(case: Case, part: Span | None) -> tuple[Candidate, ...]:
    """The candidates for a part of the clip, those for all of it included."""
    return tuple(c for c in case.candidates if c.span is None or part is None or c.span.overlap_s(part) > 0)


def told_candidates(case: Case, part: Span | None, *, answer_chars: int) -> str:
    """The candidates by letters, as JSON. The sources are not to be named, so only the ids to cite them by are told."""
    told = []
    for n, candidate in enumerate(candidates_of(case, part)):
        shown: dict[str, Any] = {"candidate": _letters(n)}
        if (observation_id := _observation_of(candidate, case)) is not None:
            shown["id"] = observation_id
        caption = candidate.caption if candidate.span is not None else _within(candidate.caption, part)
        shown["caption"] = shortened(caption, answer_chars)
        told.append(shown)
    return dossier.said(told)


def told_observations(case: Case, part: Span | None, *, answer_chars: int) -> str:
    """The observations that are no candidates, as JSON."""
    captions = {_observation_of(candidate, case) for candidate in case.candidates}
    rest = replace(case, observations=tuple(o for o in case.observations if o.id not in captions))
    return dossier.observations(rest, span=part, answer_chars=answer_chars)


def told_earlier(sections: Sequence[Section]) -> str:
    """What is written of the parts before, as JSON; evenly shortened where it is very long."""
    most = max(_FEWEST_CHARS, EARLIER_CHARS // max(1, len(sections)))
    return dossier.said(
        [{"part_s": _times(section.span), "caption": shortened(section.text, most)} for section in sections]
    )


def told_people(people: Mapping[str, str]) -> str:
    """The people so far, as JSON."""
    return dossier.said([{"name": name, "description": description} for name, description in people.items()])


def people_with(people: Mapping[str, str], new: Iterable[Character]) -> Mapping[str, str]:
    """The people so far, completed: nobody is lost because a part does not give them back."""
    known = dict(people)
    for character in new:
        name = shortened(" ".join(character.name.split()), _NAME_CHARS)
        if name and (name in known or len(known) < _MOST_PEOPLE):
            known[name] = shortened(" ".join(character.description.split()), _DESCRIPTION_CHARS)
    return known


def _observation_of(candidate: Candidate, case: Case) -> str | None:
    """The id of the observation in which a candidate came."""
    return next(
        (
            o.id
            for o in case.answers
            if o.observer == candidate.source and o.span == candidate.span and o.answer.startswith(candidate.caption)
        ),
        None,
    )


def _within(caption: str, part: Span | None) -> str:
    """What a caption of the whole clip says of a part, by its anchors; all of it where it has none there."""
    if part is None:
        return caption
    here = [m.text for m in moments(caption) if _inside(m.second, part)]
    return " ".join(here) or caption


def _inside(second: int | None, part: Span) -> bool:
    return second is None or math.floor(part.start_s) <= second < math.ceil(part.end_s)


def _letters(n: int) -> str:
    """``A`` … ``Z``, ``AA``, ``AB``, …"""
    return "".join(reversed(list(_letters_from_last(n))))


def _letters_from_last(n: int) -> Iterator[str]:
    n += 1
    while n:
        n, rest = divmod(n - 1, 26)
        yield chr(ord("A") + rest)


def _times(span: Span | None) -> list[float]:
    return [] if span is None else [round(span.start_s, 2), round(span.end_s, 2)]
