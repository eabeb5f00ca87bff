"""WhisperX behind the `asr` instrument: the observer of the package `omnidetective-whisperx`."""

from __future__ import annotations

import time
from collections.abc import Sequence

from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import Span, SpeechEvidence
from omnidetective.llm.transcriber import Hearing
from omnidetective.media.clip import Clip
from omnidetective.observers.base import Observer, ObserverContext

_QUESTION = "What is said?"
_LONGEST_S = 7200.0
"""As much as it tells speakers apart in."""


class WhisperxRecogniser:
    """Asks the plugin, which finds voices by the same detector and keeps its words inside them.

    Args:
        plugin: set up by ``observers.whisperx.*``.
    """

    def __init__(self, plugin: Observer) -> None:
        self._plugin = plugin
        self._name = "whisperx"

    @property
    def name(self) -> str:
        """With the name of its model, as soon as it has answered."""
        return self._name

    @property
    def hearing(self) -> Hearing:
        """It holds little of a long clip at a time by itself, so it is asked about all of it, for the speakers' sake.

        Its scores are of no use to `asr`: which stretches it hears cannot be chosen.
        """
        return Hearing(speakers=True, longest_s=_LONGEST_S)

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
        evidence = SpeechEvidence(segments=heard.segments, dropped=heard.dropped)
        return evidence, piece.end_s if heard.heard_to_s is None else heard.heard_to_s


def whisperx_recogniser(context: ObserverContext, *, language: str | None) -> WhisperxRecogniser:
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
    return WhisperxRecogniser(context.plugin("whisperx"))
