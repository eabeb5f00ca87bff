"""Where somebody may speak though the voice detector heard nobody: what is too quiet for it, made louder.

The detector finds voices deep in noise and music, but not far below its usual level: speech at -80 dB of full scale is
nothing to it, and clear words to the recogniser (measured: the same sentence, 55 dB down). So stretches without voice
are evened out, the quiet made as loud as the rest, and the detector listens once more, with less proof. Whether words
found there count is for the recogniser to prove: see :data:`LEAST_SCORE`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from omnidetective.embedded.models import EmbeddedModels
from omnidetective.embedded.voice import RATE_HZ
from omnidetective.evidence import Span, SpeechSegment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_SCORE = 0.6
"""Mean probability of the words of a segment that a faint voice is believed to say."""
_LEAST_WORDS = 2

_SHORTEST_STRETCH_S = 0.6
_AFTER_VOICE_S = 0.3
"""The room still rings with what was said."""
_LEADS_IN_S = 0.1
_MOST_S = 60.0
"""Of faint voice that is listened to in one piece of a clip, which is up to ten minutes."""
_FRAME_S = 0.1
_AROUND_FRAMES = 15
_SILENT_DB = -88.0
"""The last two bits of 16: nothing can be told from what is below."""
_LEVEL_DB = -20.0
_MOST_GAIN_DB = 60.0


async def faint_voice(
    models: EmbeddedModels, samples: NDArray[np.float32], piece: Span, voiced: Sequence[Span]
) -> tuple[Span, ...]:
    """Spans of a piece in which somebody may speak too quietly, apart from where a voice is active.

    Args:
        samples: the sound of the piece, mono, 16 kHz.
        voiced: where the voice detector heard somebody.
    """
    found: list[Span] = []
    for stretch in _between(piece, voiced):
        first = round((stretch.start_s - piece.start_s) * RATE_HZ)
        sound = samples[first : first + round(stretch.duration_s * RATE_HZ)]
        louder = _evened_out(sound)
        if louder is not None:
            voices = await models.voice(louder, offset_s=stretch.start_s, lenient=True)
            found += [voice for voice in voices if voice.duration_s >= _SHORTEST_STRETCH_S]
    return tuple(sorted(_longest(found), key=lambda voice: voice.start_s))


def is_sure(segment: SpeechSegment) -> bool:
    """Whether a recogniser is sure enough of words where only a faint voice was heard."""
    words = len(segment.words) if segment.words is not None else len(segment.text.split())
    return segment.score is not None and segment.score >= LEAST_SCORE and words >= _LEAST_WORDS


def _between(piece: Span, voiced: Sequence[Span]) -> Iterator[Span]:
    """The stretches without voice, as far as they are long enough to hold words."""
    start_s = piece.start_s
    for end_s, after_s in (*((voice.start_s, voice.end_s + _AFTER_VOICE_S) for voice in voiced), (piece.end_s, 0.0)):
        if end_s - start_s >= _SHORTEST_STRETCH_S:
            yield Span(start_s=start_s, end_s=end_s)
        start_s = max(start_s, after_s)


def _evened_out(sound: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """The sound with each second or so brought to the same level; ``None`` where there is nothing to bring up."""
    import numpy as np

    frame = round(_FRAME_S * RATE_HZ)
    count = sound.size // frame
    if count == 0:
        return None
    power = np.mean(np.square(sound[: count * frame].reshape(count, frame), dtype=np.float32), axis=1)
    level_db = 10 * np.log10(power + 1e-12)
    around = np.pad(level_db, _AROUND_FRAMES, mode="edge")
    loudest_db = np.lib.stride_tricks.sliding_window_view(around, 2 * _AROUND_FRAMES + 1).max(axis=1)
    gain_db = np.where(loudest_db < _SILENT_DB, 0.0, np.clip(_LEVEL_DB - loudest_db, 0.0, _MOST_GAIN_DB))
    if not (loudest_db >= _SILENT_DB).any():
        return None
    centres = (np.arange(count) + 0.5) * frame
    gain = np.interp(np.arange(sound.size), centres, gain_db).astype(np.float32)
    louder: NDArray[np.float32] = np.clip(sound * np.power(np.float32(10.0), gain / 20), -1.0, 1.0)
    return louder


def _longest(voices: Iterable[Span]) -> list[Span]:
    """As many as there is time for, the longest first."""
    kept: list[Span] = []
    left_s = _MOST_S
    for voice in sorted(voices, key=lambda voice: -voice.duration_s):
        if voice.duration_s <= left_s:
            kept.append(voice)
            left_s -= voice.duration_s
    return kept


def with_beginnings(voiced: Sequence[Span], faint: Iterable[Span]) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Voices that begin where a faint one leads into them, and the faint ones that are apart from all others."""
    begins = {voice.start_s: voice for voice in voiced}
    apart: list[Span] = []
    for quiet in faint:
        into = next((start_s for start_s in begins if 0 <= start_s - quiet.end_s <= _LEADS_IN_S), None)
        if into is None:
            apart.append(quiet)
        else:
            begins[into] = Span(start_s=quiet.start_s, end_s=begins[into].end_s)
    return tuple(begins.values()), tuple(apart)
