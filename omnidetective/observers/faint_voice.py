"""Where somebody may speak though the voice detector heard nobody: what is too quiet for it, made louder.

The detector finds voices deep in noise and music, but not far below its usual level: speech at -80 dB of full scale is
nothing to it, and clear words to the recogniser (measured: the same sentence, 55 dB down). So the sound is evened out,
what is quiet made as loud as the rest, and the detector listens once more, with less proof. What it finds there beside
a voice that it heard before is more of that voice. Whether words of the rest count is for the recogniser to prove: see
:func:`is_sure`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from omnidetective.embedded.models import EmbeddedModels
from omnidetective.embedded.voice import RATE_HZ
from omnidetective.evidence import Span, SpeechSegment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LEAST_SCORE = 0.6
_LEAST_WORDS = 2
_SHORTEST_S = 0.6
_BESIDE_S = 0.1
_MOST_S = 60.0
"""Of faint voice that is listened to in one piece of a clip, which is up to ten minutes."""
_FRAME_S = 0.1
_AROUND_FRAMES = 6
"""So long before and after something loud nothing is made louder: the room still rings."""
_SILENT_DB = -88.0
"""The last two bits of 16: nothing can be told from what is below."""
_LEVEL_DB = -20.0
_MOST_GAIN_DB = 60.0
_QUIET_DB = -40.0
"""What is louder than this is not too quiet for the detector."""


class Voices(NamedTuple):
    """Where somebody speaks, and where somebody may: apart from each other, each in order."""

    sure: tuple[Span, ...]
    faint: tuple[Span, ...]


async def with_faint_voices(
    models: EmbeddedModels, samples: NDArray[np.float32], piece: Span, voiced: Sequence[Span]
) -> Voices:
    """The voices of a piece with what is quiet of them, and faint voices apart from them.

    Args:
        samples: the sound of the piece, mono, 16 kHz.
        voiced: where the voice detector heard somebody, in order.
    """
    louder, quiet = _evened_out(samples, piece.start_s)
    if not quiet:
        return Voices(tuple(voiced), ())
    heard = await models.voice(louder, offset_s=piece.start_s, lenient=True)
    pieces = [part for voice in heard for stretch in quiet if (part := _shared(voice, stretch)) is not None]
    return _sorted_out(voiced, pieces)


def is_sure(segment: SpeechSegment) -> bool:
    """Whether a recogniser is sure enough of words where only a faint voice was heard: of two or more, with a score."""
    words = len(segment.words) if segment.words is not None else len(segment.text.split())
    return segment.score is not None and segment.score >= _LEAST_SCORE and words >= _LEAST_WORDS


def _sorted_out(voiced: Iterable[Span], faint: Iterable[Span]) -> Voices:
    """Faint voices beside a sure one are part of it; of the others those that are long enough, the longest first."""
    tagged = sorted([(v.start_s, v.end_s, True) for v in voiced] + [(f.start_s, f.end_s, False) for f in faint])
    joined: list[tuple[float, float, bool]] = []
    for start_s, end_s, sure in tagged:
        # Two sure voices are told apart by a pause, unless a faint one fills it.
        if joined and start_s - joined[-1][1] <= (0.0 if sure and joined[-1][2] else _BESIDE_S):
            before = joined.pop()
            start_s, end_s, sure = before[0], max(before[1], end_s), sure or before[2]
        joined.append((start_s, end_s, sure))
    spans = [(Span(start_s=start_s, end_s=end_s), sure) for start_s, end_s, sure in joined]
    apart = [span for span, sure in spans if not sure and span.duration_s >= _SHORTEST_S]
    return Voices(tuple(span for span, sure in spans if sure), _within_time(apart))


def _within_time(voices: Iterable[Span]) -> tuple[Span, ...]:
    """As many as there is time for, the longest first."""
    kept: list[Span] = []
    left_s = _MOST_S
    for voice in sorted(voices, key=lambda voice: -voice.duration_s):
        if voice.duration_s <= left_s:
            kept.append(voice)
            left_s -= voice.duration_s
    return tuple(sorted(kept, key=lambda voice: voice.start_s))


def _evened_out(sound: NDArray[np.float32], offset_s: float) -> tuple[NDArray[np.float32], list[Span]]:
    """The sound with what is quiet brought to the usual level, and where it was quiet and yet something is there."""
    import numpy as np

    frame = round(_FRAME_S * RATE_HZ)
    count = sound.size // frame
    if count == 0:
        return sound, []
    power = np.mean(np.square(sound[: count * frame].reshape(count, frame)), axis=1)
    around = np.pad(10 * np.log10(power + 1e-12), _AROUND_FRAMES, mode="edge")
    level_db = np.lib.stride_tricks.sliding_window_view(around, 2 * _AROUND_FRAMES + 1).max(axis=1)
    quiet = (level_db < _QUIET_DB) & (level_db >= _SILENT_DB)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(np.int8)))
    spans = [
        Span(start_s=offset_s + first * _FRAME_S, end_s=offset_s + last * _FRAME_S)
        for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
        if (last - first) * _FRAME_S >= _SHORTEST_S
    ]
    if not spans:
        return sound, []
    gain_db = np.where(level_db < _SILENT_DB, 0.0, np.clip(_LEVEL_DB - level_db, 0.0, _MOST_GAIN_DB))
    gain = np.interp(np.arange(sound.size), (np.arange(count) + 0.5) * frame, gain_db).astype(np.float32)
    louder: NDArray[np.float32] = np.clip(sound * np.power(np.float32(10.0), gain / 20), -1.0, 1.0)
    return louder, spans


def _shared(voice: Span, stretch: Span) -> Span | None:
    start_s, end_s = max(voice.start_s, stretch.start_s), min(voice.end_s, stretch.end_s)
    return Span(start_s=round(start_s, 3), end_s=round(end_s, 3)) if end_s - start_s > 0.01 else None
