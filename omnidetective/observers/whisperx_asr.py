"""WhisperX behind the `asr` instrument: the observer of the package `omnidetective-whisperx`, asked piece by piece."""

from __future__ import annotations

import time
from collections.abc import Sequence

from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import Span, SpeechEvidence
from omnidetective.media.clip import Clip
from omnidetective.observers.base import Observer, ObserverContext

_QUESTION = "What is said?"


class WhisperxRecogniser:
    """Asks the plugin, which finds voices by the same detector and keeps its words inside them.

    Args:
        plugin: set up by ``observers.whisperx.*``.
        longest_piece_s: longer clips are asked about in several pieces. Each has speakers of its own, so that labels
            are handed on only of clips that are one piece.
    """

    def __init__(self, plugin: Observer, *, longest_piece_s: float) -> None:
        self._plugin = plugin
        self._longest_piece_s = longest_piece_s
        self._name = "whisperx"

    @property
    def name(self) -> str:
        """With the name of its model, as soon as it has answered."""
        return self._name

    async def transcribe(
        self, clip: Clip, piece: Span, voiced: Sequence[Span] | None, *, deadline: float
    ) -> tuple[SpeechEvidence, float]:
        """See ``asr.Recogniser``.

        Raises:
            ObserverUnavailableError: the plugin could not answer, with its own reason and hint.
        """
        if time.monotonic() > deadline:
            return SpeechEvidence(segments=()), piece.start_s
        answer = await self._plugin.observe(clip, _QUESTION, piece)
        if answer.error is not None:
            raise ObserverUnavailableError(answer.error.message, reason=answer.error.reason)
        if not isinstance(answer.data, SpeechEvidence):
            raise ObserverUnavailableError("whisperx answered without a transcript", reason="bad_observation")
        self._name = answer.model or self._name
        heard = answer.data
        if clip.duration_s > self._longest_piece_s:
            unlabelled = tuple(segment.model_copy(update={"speaker": None}) for segment in heard.segments)
            heard = heard.model_copy(update={"segments": unlabelled})
        return heard, piece.end_s if heard.heard_to_s is None else heard.heard_to_s


def whisperx_recogniser(
    context: ObserverContext, *, language: str | None, longest_piece_s: float
) -> WhisperxRecogniser:
    """The recogniser of the installed package.

    Args:
        language: of ``observers.asr``: it would not reach the plugin.

    Raises:
        ObserverUnavailableError: the package is not installed, or cannot work here, with the reason and a hint.
    """
    if language is not None:
        raise ObserverUnavailableError(
            "WhisperX takes the language from its own settings",
            reason="configuration",
            hint=f"--set observers.whisperx.language={language} in place of observers.asr.language",
        )
    return WhisperxRecogniser(context.plugin("whisperx"), longest_piece_s=longest_piece_s)
