"""What `asr` answers in words, for a detective."""

from __future__ import annotations

from omnidetective.evidence import Span, SpeechEvidence, SpeechSegment
from omnidetective.observers.instrument import times

_UNHEARD_S = 0.5
_SURE = 0.7


def describe(evidence: SpeechEvidence, span: Span, *, heard_to_s: float, apart: bool = False) -> str:
    """Every segment with its times, and what may be missing.

    Args:
        span: what was asked about.
        heard_to_s: up to where there was time to listen.
        apart: speakers were told apart in each of several parts, and cannot be matched between them.
    """
    where = f"{span.start_s:.2f}–{span.end_s:.2f} s"
    lines: list[str] = []
    if evidence.segments:
        language = f", language {evidence.language}" if evidence.language else ""
        speakers = len({s.speaker for s in evidence.segments if s.speaker})
        voices = f", {speakers} {'voice' if speakers == 1 else 'voices'}" if speakers else ""
        lines.append(f"Speech in {where}{language}{voices}:")
        lines += [_line(segment, evidence.language) for segment in evidence.segments]
    elif evidence.voiced:
        lines.append(f"No words could be made out in {where}, but a voice is active at {times(evidence.voiced)}.")
    elif evidence.gated:
        lines.append(f"No speech is heard in {where}: no voice is active anywhere.")
    else:
        lines.append(f"No speech is heard in {where}.")
    if evidence.segments and (unheard := _unheard(evidence)):
        lines.append(f"A voice is also active at {times(unheard)}, where no words could be made out.")
    if apart:
        lines.append("Who speaks is not told: the sound was too long to hear in one piece. Ask about shorter spans.")
    if heard_to_s < span.end_s - 0.01:
        lines.append(f"The time was up: words were listened to only up to {heard_to_s:.2f} s. Ask about the rest.")
    return "\n".join(lines)


def _line(segment: SpeechSegment, main_language: str | None) -> str:
    speaker = f", {segment.speaker}" if segment.speaker else ""
    other = f" [{segment.language}]" if segment.language not in (None, main_language) else ""
    unsure = f" (score {segment.score:.2f})" if segment.score is not None and segment.score < _SURE else ""
    return f"- {segment.start_s:.2f}–{segment.end_s:.2f} s{speaker}{other}: “{segment.text}”{unsure}"


def _unheard(evidence: SpeechEvidence) -> list[Span]:
    return [
        voice
        for voice in evidence.voiced
        if voice.duration_s >= _UNHEARD_S
        and not any(s.start_s < voice.end_s and voice.start_s < s.end_s for s in evidence.segments)
    ]
