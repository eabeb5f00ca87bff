"""Instrument: what is said, by whom, and when to the word, by WhisperX."""

from __future__ import annotations

import time
from typing import ClassVar

from omnidetective.evidence import Span, SpeechEvidence
from omnidetective.media.clip import Clip
from omnidetective.observers.asr_answer import describe
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec, observation
from omnidetective.observers.instrument import span_of, time_to_answer_s
from omnidetective.records import Observation
from omnidetective_whisperx.available import check
from omnidetective_whisperx.hearing import Hearing
from omnidetective_whisperx.models import Models
from omnidetective_whisperx.segments import segments
from omnidetective_whisperx.settings import WhisperXSettings


class WhisperX:
    """Writes down what is said, with the time of every word, and tells speakers apart where that is switched on."""

    spec: ClassVar[ObserverSpec] = ObserverSpec(
        name="whisperx",
        kind="instrument",
        modalities=("video", "audio"),
        needs="audio",
        description=(
            "Transcribes speech word for word, with the time of every word, the language, and the speaker as a label "
            "(S1, S2) where that is switched on; it measures where a voice is active at all. It transcribes everything "
            "in the span, whatever is asked. It knows no names and no tone of voice, and misses words under loud music."
        ),
        attributes=("speech", "narrative"),
        settings=WhisperXSettings,
        cost="with Whisper base 0.3 s of one processor for a second of speech; larger models take more, a GPU less",
    )

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        """Check what can be checked before a run. No model library is imported.

        Raises:
            ObserverUnavailableError: see :func:`~omnidetective_whisperx.available.check`.
        """
        assert isinstance(settings, WhisperXSettings)
        check(settings)
        self._settings = settings
        self._limit_s = settings.timeout_s or context.settings.investigate.observer_timeout_s
        self._models = Models(settings)

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        """See :class:`~omnidetective.observers.base.Observer`.

        Raises:
            ObserverUnavailableError: see :class:`~omnidetective_whisperx.models.Models`.
            MediaError: the sound cannot be read.
        """
        wanted = span_of(clip, span)
        deadline = time.monotonic() + time_to_answer_s(self._limit_s, clip, span)
        hearing = Hearing(self._models, keep_sound=self._settings.diarize)
        await hearing.listen(clip, wanted, deadline=deadline)
        if self._settings.diarize:
            await hearing.tell_speakers_apart(wanted)
        spoken = tuple(segments(hearing.utterances))
        evidence = SpeechEvidence(
            segments=spoken,
            voiced=tuple(hearing.voiced),
            language=hearing.main_language,
            gated=True,
            dropped=hearing.dropped,
            heard_to_s=None if hearing.heard_to_s >= wanted.end_s - 0.01 else round(hearing.heard_to_s, 2),
        )
        answer = "\n".join([describe(evidence, wanted, heard_to_s=hearing.heard_to_s), *hearing.remarks])
        return observation(
            self.spec, question, span, answer=answer, data=evidence, model=f"whisperx:{self._settings.model}"
        )
