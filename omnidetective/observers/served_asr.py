"""A served recogniser behind the `asr` instrument: it is sent only what holds a voice, and kept to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from omnidetective.embedded.speech import group
from omnidetective.evidence import Span, SpeechEvidence, SpeechSegment, Word
from omnidetective.llm.messages import AudioPart
from omnidetective.llm.spoken import text_of
from omnidetective.llm.transcribe import Hearing, Transcriber
from omnidetective.media.clip import Clip

_MARGIN_S = 0.3
_AT_ONCE = 4
_BLIND_PIECE_S = 120.0
"""Length of what is sent where no voice detector is installed."""
_FAR_FROM_VOICE_S = 0.5


class ServedRecogniser:
    """Sends stretches of voice to a transcriber, and puts its times back into those of the clip.

    What holds no voice is not sent: nothing is paid for it, and nothing can be invented in it. One that tells speakers
    apart is sent all from the first voice to the last, as it must hear them side by side.
    """

    def __init__(self, transcriber: Transcriber, *, language: str | None) -> None:
        self._transcriber = transcriber
        self._language = language

    @property
    def name(self) -> str:
        return self._transcriber.name

    @property
    def hearing(self) -> Hearing:
        return self._transcriber.hearing

    async def transcribe(
        self, clip: Clip, piece: Span, voiced: Sequence[Span] | None, *, deadline: float
    ) -> tuple[SpeechEvidence, float]:
        """See ``asr.Recogniser``.

        Raises:
            ProviderError: a call failed.
        """
        stretches = self._stretches(piece, voiced)
        segments: list[SpeechSegment] = []
        dropped = 0
        for first in range(0, len(stretches), _AT_ONCE):
            if time.monotonic() > deadline:
                return SpeechEvidence(segments=tuple(segments), dropped=dropped), stretches[first].start_s
            answers = await self._send(clip, stretches[first : first + _AT_ONCE])
            for stretch, answer in zip(stretches[first : first + _AT_ONCE], answers, strict=True):
                dropped += answer.dropped
                for segment in answer.segments:
                    held = _hold(segment, stretch, voiced)
                    dropped += held is None
                    segments += () if held is None else (held,)
        return SpeechEvidence(segments=tuple(segments), dropped=dropped), piece.end_s

    def _stretches(self, piece: Span, voiced: Sequence[Span] | None) -> list[Span]:
        if self.hearing.speakers:
            return [piece if voiced is None else _around(voiced, piece)]
        return _blind(piece) if voiced is None else [_around(voices, piece) for voices in group(voiced)]

    async def _send(self, clip: Clip, stretches: Sequence[Span]) -> list[SpeechEvidence]:
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(self._ask(clip, stretch)) for stretch in stretches]
        except BaseExceptionGroup as failed:
            # One failure is told; the others of the same moment have the same cause.
            raise failed.exceptions[0] from None
        return [task.result() for task in running]

    async def _ask(self, clip: Clip, stretch: Span) -> SpeechEvidence:
        sound = await clip.audio(stretch, format="mp3")
        part = AudioPart(data=sound.data, format="mp3", duration_s=sound.duration_s)
        return await self._transcriber.transcribe(part, language=self._language)


def _around(voices: Sequence[Span], piece: Span) -> Span:
    return Span(
        start_s=max(piece.start_s, voices[0].start_s - _MARGIN_S), end_s=min(piece.end_s, voices[-1].end_s + _MARGIN_S)
    )


def _blind(piece: Span) -> list[Span]:
    count = max(1, round(piece.duration_s / _BLIND_PIECE_S))
    step_s = piece.duration_s / count
    return [Span(start_s=piece.start_s + n * step_s, end_s=piece.start_s + (n + 1) * step_s) for n in range(count)]


def _hold(segment: SpeechSegment, stretch: Span, voiced: Sequence[Span] | None) -> SpeechSegment | None:
    """The segment in the clip's times and inside the voices that it touches; ``None`` when there is none near."""
    start_s, end_s = stretch.start_s + segment.start_s, min(stretch.end_s, stretch.start_s + segment.end_s)
    words = tuple(_moved(word, stretch.start_s) for word in segment.words or ())
    text = segment.text
    if voiced is not None:
        near = _near(start_s, end_s, voiced)
        if not near:
            return None
        inside = [v for v in near if v.start_s < end_s and start_s < v.end_s] or near[:1]
        start_s, end_s = max(start_s, inside[0].start_s), min(end_s, inside[-1].end_s)
        if end_s <= start_s:
            start_s, end_s = inside[0].start_s, inside[0].end_s
        spoken = tuple(word for word in words if _near(word.start_s, word.end_s, voiced))
        if words and not spoken:
            return None
        if len(spoken) < len(words):
            text = text_of(spoken, segment.language)
        words = spoken
    start_s, end_s = round(start_s, 2), round(end_s, 2)
    held = tuple(
        word.model_copy(
            update={
                "start_s": round(min(max(word.start_s, start_s), end_s), 2),
                "end_s": round(min(max(word.end_s, start_s), end_s), 2),
            }
        )
        for word in words
    )
    return segment.model_copy(update={"start_s": start_s, "end_s": end_s, "text": text, "words": held or None})


def _moved(word: Word, by_s: float) -> Word:
    return word.model_copy(update={"start_s": word.start_s + by_s, "end_s": word.end_s + by_s})


def _near(start_s: float, end_s: float, voiced: Sequence[Span]) -> list[Span]:
    return [v for v in voiced if v.start_s - end_s <= _FAR_FROM_VOICE_S and start_s - v.end_s <= _FAR_FROM_VOICE_S]
