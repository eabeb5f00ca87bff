"""The embedded recogniser behind the `asr` instrument: Whisper on this machine's processor."""

from __future__ import annotations

from collections.abc import Sequence

from omnidetective.embedded.models import EmbeddedModels
from omnidetective.evidence import Span, SpeechEvidence
from omnidetective.llm.transcribe import Hearing
from omnidetective.media.clip import Clip


class EmbeddedRecogniser:
    """See ``asr.Recogniser``.

    Args:
        weights: name of the weights.
        language: that is spoken; ``None``: found out.
    """

    def __init__(self, weights: str, models: EmbeddedModels, *, language: str | None) -> None:
        self._weights = weights
        self._models = models
        self._language = language

    @property
    def name(self) -> str:
        return f"embedded:{self._weights}"

    @property
    def hearing(self) -> Hearing:
        return Hearing(scores=True)

    async def transcribe(
        self, clip: Clip, piece: Span, voiced: Sequence[Span] | None, *, deadline: float
    ) -> tuple[SpeechEvidence, float]:
        """See ``asr.Recogniser``."""
        assert voiced is not None, "the voice detector comes with the recogniser"
        samples = await clip.pcm(piece)
        heard = await self._models.transcribe(
            self._weights,
            samples,
            voiced,
            language=self._language,
            offset_s=piece.start_s,
            deadline=deadline,
        )
        return SpeechEvidence(segments=heard.segments, dropped=heard.dropped), heard.heard_to_s
