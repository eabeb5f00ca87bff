"""What is heard together: pieces of a clip that fit into memory, and stretches of voice that fit into a window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from omnidetective.evidence import Span

PIECE_S = 600.0
"""Sound that is held in memory at a time (38 MB)."""
_LEAST_PIECE_S = 1.0
_BEFORE_VOICE_S = 0.15

# Whisper sees windows of 30 s.
_WINDOW_S = 28.0
_MARGIN_S = 0.3
"""Sound around a stretch that is heard with it, as Whisper cuts off words at the very edge."""
# Voices that lie close together share a window, for the sake of context. Where no alignment model gives the words
# their times, the times of a stretch are all there is: then only what is spoken without a pause is heard together.
_PAUSE_S = 2.0
_PAUSE_WITHOUT_WORD_TIMES_S = 0.6


def cut_between_words(piece: Span, voiced: tuple[Span, ...]) -> tuple[Span, tuple[Span, ...]]:
    """End a piece before a voice that goes on beyond it; the next piece begins with that voice."""
    if not voiced:
        return piece, voiced
    last = voiced[-1]
    if last.end_s < piece.end_s - 0.1 or last.start_s - piece.start_s < _LEAST_PIECE_S:
        return piece, voiced
    return Span(start_s=piece.start_s, end_s=last.start_s - _BEFORE_VOICE_S), voiced[:-1]


def stretches(voiced: Sequence[Span], piece: Span, *, aligned: bool) -> Iterator[Span]:
    """The stretches of a piece that hold a voice, each short enough for one window.

    Args:
        aligned: whether the words will get times of their own.
    """
    pause_s = _PAUSE_S if aligned else _PAUSE_WITHOUT_WORD_TIMES_S
    current: Span | None = None
    for voice in _no_longer_than(voiced, _WINDOW_S):
        fits = current is not None and voice.end_s - current.start_s <= _WINDOW_S
        if current is not None and fits and voice.start_s - current.end_s <= pause_s:
            current = Span(start_s=current.start_s, end_s=voice.end_s)
            continue
        if current is not None:
            yield _with_margins(current, piece)
        current = voice
    if current is not None:
        yield _with_margins(current, piece)


def _no_longer_than(voiced: Sequence[Span], longest_s: float) -> Iterator[Span]:
    for voice in voiced:
        parts = max(1, -(-int(voice.duration_s * 1000) // int(longest_s * 1000)))
        step_s = voice.duration_s / parts
        for n in range(parts):
            start_s = voice.start_s + n * step_s
            yield Span(start_s=start_s, end_s=voice.end_s if n == parts - 1 else start_s + step_s)


def _with_margins(stretch: Span, piece: Span) -> Span:
    return Span(
        start_s=max(piece.start_s, stretch.start_s - _MARGIN_S), end_s=min(piece.end_s, stretch.end_s + _MARGIN_S)
    )
