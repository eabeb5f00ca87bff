"""What the gate asks its judge, by either rubric, and how many captions may be drawn before it accepts one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from omnidetective.forecast.calls import NOTHING, Expected, Question, Size
from omnidetective.forecast.ground import Ground
from omnidetective.forecast.piece import Piece
from omnidetective.rubric import DIMENSIONS
from omnidetective.stages import ensemble, gate
from omnidetective.stages.gate_rubric import ROLE, form_of


def gated(piece: Piece) -> Iterator[Expected]:
    """The judge's call, about the whole clip."""
    ground, settings = piece.ground, piece.ground.settings.gate
    if not settings.judge or not ground.asks(ROLE):
        return
    if settings.rubric == "completeness" and piece.candidates.high < gate.MERGED:
        return
    # What costs nothing rejects first; then nobody is asked.
    yield ground.expected(
        "gate",
        ROLE,
        _professional(piece) if settings.rubric == "professional" else _complete(piece),
        low=0.0,
        high=1.0,
        repairs=ground.settings.retry.repairs,
    )


def most_draws(ground: Ground) -> int:
    """The most captions of one clip that are drawn, without those that it is sent back for."""
    return 1 if ground.cast.is_embedded(ensemble.ROLE) else ground.settings.gate.samples


def _complete(piece: Piece) -> Question:
    ground, lengths = piece.ground, piece.lengths
    prompt = ground.text("gate/judge", modality=piece.facts.modality).plus(
        ground.text("gate/task"),
        ground.form(gate.Judgement),
        lengths.told.plus(lengths.caption).times(piece.parts),
    )
    return Question(prompt, Size(15.0, 200.0))


def _professional(piece: Piece) -> Question:
    ground, facts, settings = piece.ground, piece.facts, piece.ground.settings.gate
    look = replace(piece, parts=1, part_s=facts.duration_s or 0.0).look(ROLE, settings)
    dimensions, lengths = DIMENSIONS[facts.modality], piece.lengths
    measured = Size(0.0, lengths.observations.high)
    system = ground.text(
        "gate/professional", modality=facts.modality, dimensions=dimensions, media="frames" in settings.shows
    )
    prompt = system.plus(
        ground.text("gate/professional_task"),
        ground.form(form_of(facts.modality)),
        look.prompt,
        lengths.caption.plus(measured).times(piece.parts),
        Size(0.0, 300.0) if piece.has("route") else NOTHING,
    )
    return Question(prompt, Size(12.0, 120.0).times(len(dimensions)), look.sound)
