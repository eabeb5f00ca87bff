"""The transcriber protocol: all that the rest of the house knows of a recogniser of speech."""

from __future__ import annotations

from typing import Protocol

from omnidetective.evidence import SpeechEvidence
from omnidetective.frozen import Frozen
from omnidetective.llm.messages import AudioPart


class Hearing(Frozen):
    """How a recogniser listens.

    Attributes:
        speakers: it tells speakers apart, so it wants to hear a conversation in one piece.
        longest_s: the longest piece that it hears at once.
        scores: it says how sure it is of each segment.
    """

    speakers: bool = False
    longest_s: float = 600.0
    scores: bool = False


class Transcriber(Protocol):
    """Something that writes down what is said."""

    @property
    def name(self) -> str:
        """``provider:model``."""
        ...

    @property
    def hearing(self) -> Hearing: ...

    async def transcribe(self, audio: AudioPart, *, language: str | None = None) -> SpeechEvidence:
        """What is said in a piece of sound; times count from its start.

        Raises:
            ProviderError: the call failed.
        """
        ...

    async def aclose(self) -> None:
        """Gives back connections. Safe to call twice."""
        ...
