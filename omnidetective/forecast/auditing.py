"""The auditor's calls: its look at the draft, and the search for contradictions between observers."""

from __future__ import annotations

from collections.abc import Iterator

from omnidetective.detective.inquiry import attributes_of
from omnidetective.forecast import investigation as detective
from omnidetective.forecast.calls import Expected, Question, Size, exactly
from omnidetective.forecast.lengths import FINDING
from omnidetective.forecast.piece import Piece
from omnidetective.stages import auditor, contradictions

_USUAL_CONTRADICTIONS = 2
"""In a clip with many; at most ``contradictions.MOST`` are examined."""


def judged(piece: Piece, stage: str, *, least: int) -> Iterator[Expected]:
    """The auditor's look at the draft, all attributes at once or each by itself."""
    ground, settings, lengths = piece.ground, piece.ground.settings.audit, piece.lengths
    attributes = tuple(a for a in attributes_of(piece.facts) if a in settings.attributes)
    if not attributes:
        return
    calls = [attributes] if settings.calls == "one" else [(a,) for a in attributes]
    look = piece.look(auditor.ROLE, settings)
    modality = piece.facts.modality
    lists = ["\n\n".join(ground.prompts.get(f"audit/{a}").render(modality=modality) for a in asked) for asked in calls]
    own = exactly(0.0).plus(*(ground.text("audit/system", modality=modality, lists=text) for text in lists))
    forms = exactly(0.0).plus(*(ground.form(auditor.answer_form(asked)) for asked in calls))
    prompt = (
        own.plus(forms)
        .times(1 / len(calls))
        .plus(ground.text("audit/task"), look.prompt, lengths.caption, lengths.observations, lengths.told)
    )
    findings = FINDING.times(0, 1.5 * len(attributes))
    answer = exactly(12.0 * len(attributes)).plus(findings).times(1 / len(calls)).at_most(settings.max_tokens)
    yield piece.asked(stage, auditor.ROLE, Question(prompt, answer, look.sound), least * len(calls), len(calls))


def examined(piece: Piece) -> Iterator[Expected]:
    """The search for contradictions, and asking again about what it finds; once a clip, however long."""
    ground, settings, lengths = piece.ground, piece.ground.settings.audit, piece.lengths
    reports = lengths.observations.plus(lengths.told).times(piece.parts)
    surely = len(piece.chats) * piece.parts + piece.inquiries.low * piece.parts > 1
    possible = len(piece.chats) * piece.parts + piece.inquiries.high * piece.parts > 1
    if not possible and not piece.detective:
        return
    search = Question(
        ground.text("audit/contradictions", most=contradictions.MOST).plus(
            ground.text("audit/contradictions_task"), ground.form(contradictions.ContradictionsFound), reports
        ),
        Size(12.0, 12.0 + 150.0 * _USUAL_CONTRADICTIONS),
    )
    repairs = ground.settings.retry.repairs
    yield ground.expected("audit", auditor.ROLE, search, low=float(surely), high=1.0, repairs=repairs)
    if not settings.cross_examine:
        return
    decision = Question(
        ground.text("audit/decide").plus(
            ground.text("audit/decide_task"),
            ground.form(contradictions.Decisions),
            lengths.caption.times(piece.parts),
            reports.times(0.2, 0.6),
        ),
        Size(40.0, 120.0 * _USUAL_CONTRADICTIONS),
    )
    yield ground.expected("audit", auditor.ROLE, decision, low=0.0, high=1.0, repairs=repairs)
    count = detective.witness_count(ground, piece.facts)
    asked_again = detective.witnesses(
        ground,
        piece.facts,
        min(piece.part_s, 20.0),
        stage="audit",
        low=0.0,
        high=float(count * _USUAL_CONTRADICTIONS),
        most=float(count * contradictions.MOST),
        in_row=Size(0.0, 1.0),
    )
    if asked_again is not None:
        yield asked_again
