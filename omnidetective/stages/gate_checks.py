"""What the gate measures without a model, and the reasons for which it rejects. Pure.

A reason begins with a stable code: ``too_short``, ``too_long``, ``repetition``, ``timestamps``, ``errors``,
``ungrounded``; the judge's are ``incomplete`` and ``not_professional``. Statistics count codes, people read the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from omnidetective.audit import times
from omnidetective.audit.finding import Finding
from omnidetective.audit.inspection import inspect
from omnidetective.captions.anchors import anchor_faults, find_anchors
from omnidetective.captions.repetition import find_repetition, has_collapsed
from omnidetective.captions.sentences import count_tokens
from omnidetective.case import Case
from omnidetective.detective.conversation import shortened
from omnidetective.detective.writer import write
from omnidetective.draft import Draft
from omnidetective.grounding import share_cited
from omnidetective.stage_settings import GateSettings

ALWAYS_ALLOWED_TOKENS = 400
"""A caption of so many tokens is never too long for the length of its clip."""
_MOST_NAMED = 5
_QUOTED_CHARS = 100


@dataclass(frozen=True, slots=True)
class Checked:
    """What was measured, and why the caption is rejected; no reason where nothing that was measured speaks against it.

    ``scores`` holds ``tokens``, ``grounding`` (0…1) and ``errors``, those that instruments prove.
    """

    scores: dict[str, float]
    reasons: tuple[str, ...]


def checked(draft: Draft, case: Case, settings: GateSettings, *, quote_similarity: float) -> Checked:
    """Hold a caption against everything that needs no model.

    Args:
        quote_similarity: edit similarity from which a quotation counts as the words that were recognised.
    """
    tokens, errors, grounding = (
        count_tokens(draft.text),
        _errors(draft, case, quote_similarity),
        share_cited(draft.events),
    )
    return Checked(
        scores={"tokens": float(tokens), "grounding": round(grounding, 4), "errors": float(len(errors))},
        reasons=(
            *_of_length(tokens, case, settings),
            *_of_repetition(draft.text),
            *_of_timestamps(draft.text, case.clip.facts.duration_s),
            *_of_errors(errors, settings.max_errors),
            *_of_grounding(grounding, settings.grounding),
        ),
    )


def _of_length(tokens: int, case: Case, settings: GateSettings) -> Iterator[str]:
    duration_s = case.clip.facts.duration_s
    if tokens < settings.min_tokens and not _tells_all(tokens, case):
        yield f"too_short: {tokens} tokens, at least {settings.min_tokens} are wanted"
    parts = max(1, len(case.segments))
    most, limit = settings.max_tokens * parts, "at most" if parts == 1 else f"for {parts} segments at most"
    if duration_s is not None:
        by_duration = max(ALWAYS_ALLOWED_TOKENS, int(settings.max_tokens_per_s * duration_s))
        if by_duration < most:
            most, limit = by_duration, f"for {duration_s:.4g} s at most"
    if tokens > most:
        yield f"too_long: {tokens} tokens, {limit} {most} are wanted"


def _tells_all(tokens: int, case: Case) -> bool:
    """Whether nobody but instruments has said anything, and the caption is as long as what they measured.

    Of a still picture without a letter in it, or of a second of silence, there is not more to be said without a model.
    """
    if any(observation.kind == "witness" for observation in case.answers):
        return False
    return tokens >= count_tokens(write(case).caption) > 0


def _of_repetition(caption: str) -> Iterator[str]:
    if has_collapsed(caption):
        told = [
            f": “{shortened(found.snippet, _QUOTED_CHARS)}” {found.times} times" for found in find_repetition(caption)
        ]
        yield f"repetition: the caption says the same over and over{told[0] if told else ''}"


def _of_timestamps(caption: str, duration_s: float | None) -> Iterator[str]:
    faults = [f"“{fault.snippet}” ({fault.kind.replace('_', ' ')})" for fault in anchor_faults(caption, duration_s)]
    if faults:
        yield f"timestamps: {len(faults)} wrong: {_some(faults)}"


def _of_errors(errors: list[str], max_errors: int) -> Iterator[str]:
    if len(errors) > max_errors:
        yield f"errors: {len(errors)} that instruments prove, at most {max_errors} are allowed: {_some(errors)}"


def _errors(draft: Draft, case: Case, quote_similarity: float) -> list[str]:
    """The errors that instruments prove, in words, without anchors and a collapse: these have reasons of their own."""
    found = inspect(draft.text, case, quote_similarity=quote_similarity).findings
    told = {repetition.snippet for repetition in find_repetition(draft.text)} if has_collapsed(draft.text) else set()
    return [
        f"“{shortened(finding.snippet, _QUOTED_CHARS)}” ({finding.check})"
        for finding in found
        if finding.kind == "error" and finding.snippet not in told and not _is_of_anchor(finding)
    ]


def _is_of_anchor(finding: Finding) -> bool:
    anchors = find_anchors(finding.snippet)
    return finding.check == times.CHECK and bool(anchors) and anchors[0].start == 0


def _of_grounding(share: float, least: float) -> Iterator[str]:
    if share < least:
        yield f"ungrounded: {share:.0%} of the sentences cite evidence, at least {least:.0%} are wanted"


def _some(items: list[str]) -> str:
    more = len(items) - _MOST_NAMED
    return ", ".join(items[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
