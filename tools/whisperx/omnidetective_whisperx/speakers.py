"""Who speaks when, as labels: diarization by pyannote, behind WhisperX. Blocking; for one thread at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from omnidetective_whisperx.heard import Utterance

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Speakers:
    """A diarization pipeline.

    Args:
        model: a repository on the hub, or a folder. The token is taken from ``HF_TOKEN`` by the hub's own client.
    """

    def __init__(self, model: str, *, device: str) -> None:
        from whisperx.diarize import DiarizationPipeline

        self._pipeline: Any = DiarizationPipeline(model, device=device)

    def turns(self, samples: NDArray[np.float32], *, at_least: int | None, at_most: int | None) -> Any:
        """WhisperX's table of turns: ``start`` and ``end`` in seconds of the samples, and ``speaker``."""
        return self._pipeline(samples, min_speakers=at_least, max_speakers=at_most)


def assign(turns: Any, utterances: Sequence[Utterance], *, offset_s: float) -> list[Utterance]:
    """The utterances with the speaker of each, and of each word, as WhisperX assigns them.

    Args:
        turns: a table like that of :meth:`Speakers.turns`.
        offset_s: time of the clip at which the table begins.
    """
    import whisperx

    segments = [
        {
            "start": said.start_s - offset_s,
            "end": said.end_s - offset_s,
            "words": [{"word": w.text, "start": w.start_s - offset_s, "end": w.end_s - offset_s} for w in said.words],
        }
        for said in utterances
    ]
    whisperx.assign_word_speakers(turns, {"segments": segments})
    return [_spoken_by(said, found) for said, found in zip(utterances, segments, strict=True)]


def _spoken_by(said: Utterance, found: dict[str, Any]) -> Utterance:
    speaker = found.get("speaker")
    words = tuple(
        # A word between two turns belongs to whoever says most of the sentence.
        replace(word, speaker=assigned.get("speaker", speaker))
        for word, assigned in zip(said.words, found["words"], strict=True)
    )
    return replace(said, speaker=speaker, words=words)
