"""Words: Whisper in batches, by WhisperX. Blocking; for one thread at a time."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omnidetective.embedded.voice import RATE_HZ
from omnidetective.evidence import Span
from omnidetective_whisperx.heard import Utterance

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HEARD_FOR_LANGUAGE_S = 30.0

# Whisper's own limits for a window that it was guessing at (openai/whisper, transcribe.py).
_LEAST_LOGPROB = -1.0
_MOST_COMPRESSION = 2.4


@dataclass(frozen=True, slots=True)
class Take:
    """What was written down of one stretch.

    Attributes:
        start_s, end_s: in seconds of the samples.
        logprob: mean log probability of its tokens.
    """

    start_s: float
    end_s: float
    text: str
    logprob: float

    @property
    def is_a_guess(self) -> bool:
        """Whether the recogniser was inventing: unsure of every word, or in a loop."""
        data = self.text.encode()
        return self.logprob < _LEAST_LOGPROB or len(data) / len(zlib.compress(data)) > _MOST_COMPRESSION

    @property
    def score(self) -> float:
        """Mean probability of its tokens, 0…1."""
        return round(min(1.0, math.exp(self.logprob)), 3)

    def whole(self) -> Utterance:
        """The take as one utterance, without times of words."""
        return Utterance(start_s=self.start_s, end_s=self.end_s, text=self.text, score=self.score)


class Recogniser:
    """A Whisper model behind ``whisperx.load_model``.

    WhisperX would look for voices by itself, each time anew and without telling where; it is given those that
    omnidetective's own detector found, which are also what its words are held to.
    """

    def __init__(self, model: str, *, device: str, compute_type: str, threads: int, download: bool) -> None:
        import torch
        import whisperx

        torch.set_num_threads(threads)
        self._stretches = _given_stretches()
        self._pipeline: Any = whisperx.load_model(
            model,
            device,
            compute_type=compute_type,
            vad_model=self._stretches,
            threads=threads,
            local_files_only=not download,
        )

    def language(self, samples: NDArray[np.float32], voiced: Sequence[Span]) -> str:
        """The language of the first half minute of voice.

        Args:
            samples: mono, 16 kHz, -1…1.
            voiced: where a voice is active, in seconds of the samples; at least one.
        """
        if not self._pipeline.model.model.is_multilingual:
            return "en"
        heard = _voices_only(samples, voiced)
        return str(self._pipeline.detect_language(heard))

    def transcribe(
        self, samples: NDArray[np.float32], stretches: Sequence[Span], *, language: str, batch_size: int
    ) -> list[Take]:
        """Write down what is said in these stretches, each at most 30 s, in seconds of the samples."""
        self._stretches.found = [{"start": s.start_s, "end": s.end_s, "segments": []} for s in stretches]
        result = self._pipeline.transcribe(samples, batch_size=batch_size, language=language, task="transcribe")
        return list(_takes(result["segments"]))


def _takes(segments: Sequence[dict[str, Any]]) -> Iterator[Take]:
    for found in segments:
        text = str(found["text"]).strip()
        if any(c.isalnum() for c in text):
            yield Take(float(found["start"]), float(found["end"]), text, float(found["avg_logprob"]))


def _voices_only(samples: NDArray[np.float32], voiced: Sequence[Span]) -> NDArray[np.float32]:
    import numpy as np

    parts = [samples[round(v.start_s * RATE_HZ) : round(v.end_s * RATE_HZ)] for v in voiced]
    return np.concatenate(parts)[: round(_HEARD_FOR_LANGUAGE_S * RATE_HZ)]


def _given_stretches() -> Any:
    """A voice detector for ``whisperx.load_model`` that says what it was told."""
    from whisperx.vads import Vad

    class GivenStretches(Vad):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(vad_onset=0.5)
            self.found: list[dict[str, Any]] = []

        @staticmethod
        def preprocess_audio(audio: Any) -> Any:
            return audio

        def __call__(self, audio: Any) -> list[dict[str, Any]]:
            return self.found

        @staticmethod
        def merge_chunks(segments: Any, chunk_size: float, onset: float, offset: float | None) -> Any:
            return segments

    return GivenStretches()
