"""How often each stage asks whom, and about how much. One function a stage, of the same name.

They follow ``omnidetective/stages``: what is asked there is counted here. A stage whose role is embedded asks nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from omnidetective.detective.inquiry import attributes_of
from omnidetective.forecast import investigation as detective
from omnidetective.forecast.auditing import examined, judged
from omnidetective.forecast.by_domain import asked_by_domain
from omnidetective.forecast.calls import NOTHING, Expected, Question, Size, exactly
from omnidetective.forecast.gating import gated
from omnidetective.forecast.lengths import EVENT_FACTOR, FINDING
from omnidetective.forecast.listening import by_transcriber, is_served
from omnidetective.forecast.piece import Piece
from omnidetective.forecast.routing import routed
from omnidetective.stages import auditor, ensemble, refine, split, verify
from omnidetective.stages.ensemble_answer import MergedCaption, MergedPart

_FORM_OF_ONE_ATTRIBUTE = Size(25.0, 40.0)
_REFINER_VERSIONS = 2
_SPLIT_ROUNDS = 2


def _investigate(piece: Piece) -> Iterator[Expected]:
    ground, part_s = piece.ground, piece.part_s
    for one in detective.investigation(ground, piece.facts, part_s, piece.lengths):
        yield one.times(piece.parts, piece.parts).waiting(piece.waves / piece.parts)
    if piece.detective and is_served(ground, piece.facts):
        yield by_transcriber(ground, "investigate", part_s, parts=piece.parts)


def _annotate(piece: Piece) -> Iterator[Expected]:
    if piece.has("route"):
        yield from asked_by_domain(piece)
        return
    ground, facts, settings = piece.ground, piece.facts, piece.ground.settings.annotate
    if piece.hears_words and is_served(ground, facts):
        yield by_transcriber(ground, "annotate", piece.part_s, parts=piece.parts)
    for annotator in piece.chats.values():
        role = annotator.role
        can = ground.can(role)
        shown = ground.shown(
            facts,
            role,
            annotator.shows,
            fps=settings.fps,
            max_frames=settings.max_frames,
            part_s=piece.part_s,
            tiles=settings.tiles,
        )
        reads = "transcript" in annotator.shows and can.text_prompt and piece.hears_words
        if not shown.media and not reads:
            continue
        words = NOTHING
        if can.text_prompt:
            system = ground.text(
                "annotate/system",
                modality=facts.modality,
                attributes=list(attributes_of(facts)),
                sees=shown.images > 0,
                hears=shown.sound_s > 0,
                reads=reads,
                start_s=0.0 if piece.parts > 1 else None,
                end_s=round(piece.part_s, 2),
                duration_s=round(facts.duration_s or 0.0, 2),
            )
            words = system.plus(ground.text("annotate/task"), piece.lengths.transcript if reads else NOTHING)
        question = Question(
            words.plus(exactly(shown.media)),
            piece.lengths.caption.at_most(settings.max_tokens),
            exactly(shown.sound),
        )
        least = 1 if shown.media else 0  # nobody is asked about words that nobody said
        calls = Size(least * piece.parts, piece.parts)
        # The annotators are asked side by side: what they wait is counted once.
        share = piece.waves / piece.parts / len(piece.chats)
        yield ground.expected("annotate", role, question, low=calls.low, high=calls.high).waiting(share)


def _ensemble(piece: Piece) -> Iterator[Expected]:
    ground, role, settings = piece.ground, ensemble.ROLE, piece.ground.settings.ensemble
    if not ground.asks(role):
        return
    # The detective's caption alone is the draft already, unless it was rejected.
    needless = piece.candidates.high <= 1 and piece.has("investigate") and piece.parts == 1
    look, lengths = piece.look(role, settings), piece.lengths
    system = ground.text(
        "ensemble/system",
        modality=piece.facts.modality,
        attributes=list(attributes_of(piece.facts)),
        part=piece.parts > 1,
        sees="frames" in settings.shows,
        hears="audio" in settings.shows,
        reads="transcript" in settings.shows,
        **piece.told_of_domain,
    )
    earlier = NOTHING if piece.parts == 1 else lengths.caption.times((piece.parts - 1) / 2).at_most(6000)
    prompt = system.plus(
        ground.text("ensemble/task"),
        ground.form(MergedCaption if piece.parts == 1 else MergedPart),
        look.prompt,
        lengths.told,
        lengths.observations,
        earlier,
    )
    answer = lengths.caption.plus(lengths.caption.times(EVENT_FACTOR.low, EVENT_FACTOR.high))
    once = 0 if needless and not piece.again else 1
    least = once if piece.candidates.low > 1 or not piece.has("investigate") or piece.parts > 1 else 0
    yield ground.expected(
        "ensemble",
        role,
        Question(prompt, answer.at_most(settings.max_tokens), look.sound),
        low=least * piece.parts,
        high=once * piece.parts,
        repairs=ground.settings.retry.repairs,
    )


def _verify(piece: Piece) -> Iterator[Expected]:
    ground, role, settings, lengths = piece.ground, verify.ROLE, piece.ground.settings.verify, piece.lengths
    if not ground.asks(role):
        return
    look = piece.look(role, settings)
    prompt = ground.text("verify/system", modality=piece.facts.modality).plus(
        ground.text("verify/task"),
        ground.form(verify.VerifierAnswer),
        look.prompt,
        lengths.caption,
        lengths.told,
        lengths.observations,
    )
    answer = lengths.caption.plus(Size(20.0, 300.0)).at_most(settings.max_tokens)
    yield piece.asked("verify", role, Question(prompt, answer, look.sound), 1, 1)


def _audit(piece: Piece) -> Iterator[Expected]:
    ground, facts = piece.ground, piece.facts
    if is_served(ground, facts) and not piece.hears_words:
        yield by_transcriber(ground, "audit", facts.duration_s or 0.0, parts=1)
    if not ground.settings.audit.auditor or not ground.asks(auditor.ROLE):
        return
    yield from judged(piece, "audit", least=1)
    yield from examined(piece)


def _refine(piece: Piece) -> Iterator[Expected]:
    ground, settings, lengths = piece.ground, piece.ground.settings.refine, piece.lengths
    if ground.asks(refine.ROLE):
        report = FINDING.times(1, 10)
        prompt = ground.text("refine/system", modality=piece.facts.modality).plus(
            ground.text("refine/task"), ground.form(refine.ImprovedCaption), lengths.caption, report
        )
        answer = lengths.caption.plus(Size(30.0, 400.0)).at_most(settings.max_tokens)
        yield piece.asked("refine", refine.ROLE, Question(prompt, answer), 0, _REFINER_VERSIONS)
    if settings.reaudit == "full" and ground.asks(auditor.ROLE):
        yield from judged(piece, "refine", least=0)


def _split(piece: Piece) -> Iterator[Expected]:
    ground, settings, lengths = piece.ground, piece.ground.settings.split, piece.lengths
    wanted = [a for a in attributes_of(piece.facts) if a in settings.attributes]
    if not wanted or not ground.asks(split.ROLE):
        return
    prompt = ground.text("split/system", modality=piece.facts.modality, attributes=wanted).plus(
        ground.text("split/task"), _FORM_OF_ONE_ATTRIBUTE.times(len(wanted)), lengths.caption
    )
    answer = lengths.caption.times(0.8, 2.0).plus(exactly(8.0 * len(wanted))).at_most(settings.max_tokens)
    yield piece.asked("split", split.ROLE, Question(prompt, answer), 1, _SPLIT_ROUNDS)


FORECASTS: Mapping[str, Callable[[Piece], Iterator[Expected]]] = {
    "route": routed,
    "investigate": _investigate,
    "annotate": _annotate,
    "ensemble": _ensemble,
    "verify": _verify,
    "audit": _audit,
    "refine": _refine,
    "split": _split,
    "gate": gated,
}
"""Name of a stage → what it will ask."""
