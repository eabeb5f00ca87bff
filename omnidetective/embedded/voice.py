"""Where a voice is active: Silero VAD, the ONNX model that faster-whisper carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omnidetective.embedded.inference import load_once
from omnidetective.evidence import Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RATE_HZ = 16_000
PACKAGES = ("faster_whisper", "onnxruntime")

_THRESHOLD = 0.5
_LENIENT_THRESHOLD = 0.3
_SHORTEST_VOICE_MS = 150
_SHORTEST_PAUSE_MS = 300
_MARGIN_MS = 60
"""Soft beginnings and ends of words lie below the threshold."""


def find_voice(samples: NDArray[np.float32], *, offset_s: float = 0.0, lenient: bool = False) -> tuple[Span, ...]:
    """Spans in which somebody speaks (or sings with words), in order, apart from each other.

    Args:
        samples: mono, 16 kHz, -1…1.
        offset_s: time of the first sample.
        lenient: take for a voice also what only may be one.

    Returns:
        Spans shifted by ``offset_s``; pauses shorter than 0.3 s belong to the speech.
    """
    from faster_whisper.vad import VadOptions, get_speech_timestamps, get_vad_model

    load_once("silero-vad", get_vad_model)
    options = VadOptions(
        threshold=_LENIENT_THRESHOLD if lenient else _THRESHOLD,
        min_speech_duration_ms=_SHORTEST_VOICE_MS,
        min_silence_duration_ms=_SHORTEST_PAUSE_MS,
        speech_pad_ms=_MARGIN_MS,
    )
    if samples.size == 0:
        return ()
    found = get_speech_timestamps(samples, options)
    return tuple(
        Span(start_s=round(offset_s + v["start"] / RATE_HZ, 3), end_s=round(offset_s + v["end"] / RATE_HZ, 3))
        for v in found
        if v["end"] > v["start"]
    )
