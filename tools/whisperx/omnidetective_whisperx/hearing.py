"""Listening to a span of a clip: piece by piece, so that memory is bounded, and batch by batch, so that it can stop."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from omnidetective.embedded.inference import infer
from omnidetective.embedded.voice import RATE_HZ, find_voice
from omnidetective.evidence import Span
from omnidetective.media.clip import Clip
from omnidetective_whisperx.aligner import Aligner
from omnidetective_whisperx.available import aligner_problem
from omnidetective_whisperx.heard import Utterance
from omnidetective_whisperx.models import Models
from omnidetective_whisperx.recogniser import Recogniser
from omnidetective_whisperx.segments import held
from omnidetective_whisperx.speakers import assign
from omnidetective_whisperx.stretches import PIECE_S, cut_between_words, stretches

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ENOUGH_VOICE_S = 2.0
"""Voice from which a language can be told."""
_MOST_DIARIZED_S = 7200.0
"""Speakers are told apart over the whole span at once, or one voice would have two labels; this is 460 MB of sound."""


class Hearing:
    """What has been heard of one span. For one question.

    Args:
        keep_sound: for telling speakers apart.

    Attributes:
        heard_to_s: up to where words were listened to.
        remarks: what the reader of the answer has to know, in sentences.
    """

    def __init__(self, models: Models, *, keep_sound: bool) -> None:
        self.utterances: list[Utterance] = []
        self.voiced: list[Span] = []
        self.dropped = 0
        self.heard_to_s = 0.0
        self.remarks: list[str] = []
        self._models = models
        self._keep_sound = keep_sound
        self._sound: list[NDArray[np.float32]] = []
        self._amounts: dict[str, float] = {}

    @property
    def main_language(self) -> str | None:
        """The language in which most is said."""
        return max(self._amounts, key=lambda code: self._amounts[code]) if self._amounts else None

    async def listen(self, clip: Clip, span: Span, *, deadline: float) -> None:
        """Find voices in the whole span, and write down what they say as long as there is time.

        Args:
            deadline: on ``time.monotonic()``; no batch is begun after it.
        """
        keep_sound = self._keep_sound and span.duration_s <= _MOST_DIARIZED_S
        start_s = self.heard_to_s = span.start_s
        while start_s < span.end_s:
            piece = Span(start_s=start_s, end_s=min(start_s + PIECE_S, span.end_s))
            samples = await clip.pcm(piece)
            voiced = await infer(functools.partial(find_voice, samples, offset_s=piece.start_s))
            if piece.end_s < span.end_s:
                piece, voiced = cut_between_words(piece, voiced)
            samples = _own(samples, piece)
            self.voiced += voiced
            if keep_sound:
                self._sound.append(samples)
            if self.heard_to_s >= piece.start_s:
                self.heard_to_s = await self._write_down(samples, piece, voiced, deadline)
            start_s = piece.end_s

    async def tell_speakers_apart(self, span: Span) -> None:
        """Label what was heard with who says it."""
        if not self.utterances:
            return
        if span.duration_s > _MOST_DIARIZED_S:
            hours = _MOST_DIARIZED_S / 3600
            self.remarks.append(f"Speakers are told apart only in up to {hours:g} hours: ask about a shorter span.")
            return
        speakers = await self._models.speakers()
        sound, settings = self._joined_sound(), self._models.settings
        turns = await self._models.work(
            lambda: speakers.turns(sound, at_least=settings.min_speakers, at_most=settings.max_speakers)
        )
        self.utterances = await self._models.work(lambda: assign(turns, self.utterances, offset_s=span.start_s))

    async def _write_down(
        self, samples: NDArray[np.float32], piece: Span, voiced: tuple[Span, ...], deadline: float
    ) -> float:
        """Add the words of a piece; up to where there was time for them."""
        if not voiced:
            return piece.end_s
        recogniser = await self._models.recogniser()
        language, told = await self._language(recogniser, samples, piece, voiced)
        aligner = await self._aligner(language)
        waiting = list(stretches(voiced, piece, aligned=aligner is not None))
        batch_size = self._models.settings.batch_size
        for first in range(0, len(waiting), batch_size):
            if time.monotonic() > deadline:
                return waiting[first].start_s
            batch = [_moved(stretch, -piece.start_s) for stretch in waiting[first : first + batch_size]]
            hear = functools.partial(
                _hear, recogniser, aligner, samples, batch, language=language, batch_size=batch_size
            )
            takes, guesses = await self._models.work(hear)
            found = [_in_clip(said, piece.start_s, told) for said in takes]
            kept, unvoiced = held(found, voiced)
            self.utterances += kept
            self.dropped += guesses + unvoiced
            if told is not None and kept:
                spoken_s = sum(said.end_s - said.start_s for said in kept)
                self._amounts[told] = self._amounts.get(told, 0.0) + spoken_s
        return piece.end_s

    async def _language(
        self, recogniser: Recogniser, samples: NDArray[np.float32], piece: Span, voiced: tuple[Span, ...]
    ) -> tuple[str, str | None]:
        """What the recogniser is set to, and what is said of it: nothing, where it is only a guess."""
        chosen = self._models.settings.language
        if chosen is not None:
            return chosen, chosen
        little = sum(voice.duration_s for voice in voiced) < _ENOUGH_VOICE_S
        if little and self.main_language is not None:
            return self.main_language, self.main_language
        heard = [_moved(voice, -piece.start_s) for voice in voiced]
        found = await self._models.work(lambda: recogniser.language(samples, heard))
        return found, None if little else found

    async def _aligner(self, language: str) -> Aligner | None:
        settings = self._models.settings
        if not settings.align:
            return None
        problem = aligner_problem(settings, language)
        if not problem:
            return await self._models.aligner(language)
        remark = f"Words have no times of their own: {problem}."
        if remark not in self.remarks:
            self.remarks.append(remark)
        return None

    def _joined_sound(self) -> NDArray[np.float32]:
        import numpy as np

        joined = np.concatenate(self._sound)
        self._sound.clear()
        return joined


def _hear(
    recogniser: Recogniser,
    aligner: Aligner | None,
    samples: NDArray[np.float32],
    batch: Sequence[Span],
    *,
    language: str,
    batch_size: int,
) -> tuple[list[Utterance], int]:
    """What is said in a batch of stretches, all in seconds of the samples, and how many takes were guesses."""
    takes = recogniser.transcribe(samples, batch, language=language, batch_size=batch_size)
    sure = [take for take in takes if not take.is_a_guess]
    said = [u for take in sure for u in (aligner.align(samples, take) if aligner is not None else [take.whole()])]
    return said, len(takes) - len(sure)


def _in_clip(said: Utterance, offset_s: float, language: str | None) -> Utterance:
    words = tuple(replace(w, start_s=w.start_s + offset_s, end_s=w.end_s + offset_s) for w in said.words)
    return replace(said, start_s=said.start_s + offset_s, end_s=said.end_s + offset_s, words=words, language=language)


def _moved(span: Span, by_s: float) -> Span:
    return Span(start_s=max(0.0, span.start_s + by_s), end_s=span.end_s + by_s)


def _own(samples: NDArray[np.float32], piece: Span) -> NDArray[np.float32]:
    """The samples of a piece as a copy: those of a clip are read-only, which torch does not know."""
    import numpy as np

    return np.array(samples[: round(piece.duration_s * RATE_HZ)])
