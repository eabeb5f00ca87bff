"""The evidence in words, for the detective."""

from __future__ import annotations

from collections.abc import Sequence

from omnidetective.evidence import Span, SpeechEvidence
from omnidetective.observers.instrument import times

_UNSURE = 0.7
_UNHEARD_S = 0.5


def describe(evidence: SpeechEvidence, span: Span, *, heard_to_s: float, remarks: Sequence[str]) -> str:
    """What was said in a span, or that nothing was, and what the reader has to know besides.

    Args:
        heard_to_s: up to where words were listened to.
        remarks: sentences.
    """
    where = f"{span.start_s:.2f}–{span.end_s:.2f} s"
    lines: list[str] = []
    if evidence.segments:
        language = f", language {evidence.language}" if evidence.language else ""
        lines.append(f"Speech in {where}{language}:")
        for segment in evidence.segments:
            who = f" {segment.speaker}" if segment.speaker else ""
            other = f" [{segment.language}]" if segment.language not in (None, evidence.language) else ""
            unsure = f" (score {segment.score:.2f})" if segment.score is not None and segment.score < _UNSURE else ""
            lines.append(f"- {segment.start_s:.2f}–{segment.end_s:.2f} s{who}{other}: “{segment.text}”{unsure}")
    elif evidence.voiced:
        lines.append(f"No words could be made out in {where}, but a voice is active at {times(evidence.voiced)}.")
    else:
        lines.append(f"No speech is heard in {where}: no voice is active anywhere.")
    if evidence.segments and (unheard := _unheard(evidence)):
        lines.append(f"A voice is also active at {times(unheard)}, where no words could be made out.")
    if heard_to_s < span.end_s - 0.01:
        lines.append(f"The time was up: words were listened to only up to {heard_to_s:.2f} s. Ask about the rest.")
    return "\n".join([*lines, *remarks])


def _unheard(evidence: SpeechEvidence) -> list[Span]:
    return [
        voice
        for voice in evidence.voiced
        if voice.duration_s >= _UNHEARD_S
        and not any(s.start_s < voice.end_s and voice.start_s < s.end_s for s in evidence.segments)
    ]
