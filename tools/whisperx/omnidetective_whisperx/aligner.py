"""Times of words: forced alignment by WhisperX. Blocking; for one thread at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from omnidetective_whisperx.heard import HeardWord, Utterance
from omnidetective_whisperx.recogniser import Take

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WITHOUT_SPACES = frozenset({"ja", "zh"})
"""Languages whose characters WhisperX aligns one by one."""


class Aligner:
    """An alignment model for one language, behind ``whisperx.load_align_model``.

    Args:
        name: model; WhisperX's own choice for the language where it is ``None``.
    """

    def __init__(self, language: str, *, name: str | None, device: str, download: bool) -> None:
        import whisperx

        self._joint = "" if language in _WITHOUT_SPACES else " "
        self._device = device
        self._model, self._metadata = whisperx.load_align_model(
            language, device, model_name=name, model_cache_only=not download
        )

    def align(self, samples: NDArray[np.float32], take: Take) -> list[Utterance]:
        """The sentences of a take with the times of their words, in seconds of the samples.

        Args:
            samples: mono, 16 kHz, -1…1; those that ``take`` was written down from.
        """
        import whisperx

        written = [{"text": take.text, "start": take.start_s, "end": take.end_s}]
        result = whisperx.align(written, self._model, self._metadata, samples, self._device)
        found: Sequence[dict[str, Any]] = result["segments"]
        # Where nothing of it could be aligned, its text must not be lost.
        return list(self._utterances(found, take)) or [take.whole()]

    def _utterances(self, segments: Sequence[dict[str, Any]], take: Take) -> Iterator[Utterance]:
        for segment in segments:
            start_s, end_s = _time(segment, "start"), _time(segment, "end")
            if start_s is None or end_s is None or end_s <= start_s:
                start_s, end_s = take.start_s, take.end_s
            yield Utterance(
                start_s=start_s,
                end_s=end_s,
                text=str(segment["text"]).strip(),
                words=tuple(_words(segment["words"], start_s, end_s)),
                joint=self._joint,
                score=take.score,
            )


def _words(words: Sequence[dict[str, Any]], start_s: float, end_s: float) -> Iterator[HeardWord]:
    at_s = start_s
    for word in words:
        # A word that could not be aligned stands where the one before it ended.
        from_s = _time(word, "start")
        from_s = at_s if from_s is None else from_s
        to_s = _time(word, "end")
        to_s = min(from_s, end_s) if to_s is None else to_s
        at_s = max(from_s, to_s)
        score = _time(word, "score")
        yield HeardWord(
            start_s=from_s,
            end_s=at_s,
            text=str(word["word"]),
            score=None if score is None else round(min(1.0, max(0.0, score)), 3),
        )


def _time(found: dict[str, Any], key: str) -> float | None:
    """A number of WhisperX's: absent or not a number where it has none, and often of numpy's types."""
    value = found.get(key)
    return None if value is None or math.isnan(value) else float(value)
