"""What `sound` answers in words, for a detective."""

from __future__ import annotations

from collections.abc import Sequence

from omnidetective.evidence import Level, SoundEvidence, Span
from omnidetective.observers.instrument import times

_MOST_TOLD = 40
_MOST_ONSETS_TOLD = 12
_APART_DB = 6.0
"""Less difference than this is not worth a word."""
_CHANGE_DB = 8.0
_CHANGE_SHARE = 0.15


def describe(evidence: SoundEvidence, span: Span, why_not: str) -> str:
    """How loud it is, where it changes, and what is heard.

    Args:
        span: what was listened to.
        why_not: why kinds of sound were not told apart; empty where they were.
    """
    where = f"{span.start_s:.2f}–{span.end_s:.2f} s"
    quiet_s = sum(s.duration_s for s in evidence.silent)
    if quiet_s >= span.duration_s - 0.1:
        lines = [f"The sound track is silent throughout, {where}."]
    else:
        lines = [_loudness(evidence, where)]
        lines.append(f"Silent: {times(evidence.silent)}." if evidence.silent else "Nowhere silent.")
        if (change := lasting_change(evidence.levels)) is not None:
            at_s, by_db = change
            lines.append(
                f"From about {at_s:.1f} s on it is {'louder' if by_db > 0 else 'softer'} by {abs(by_db):.0f} dB."
            )
        if evidence.onsets_s:
            lines.append(_onsets(evidence.onsets_s))
    if why_not:
        lines.append(f"Kinds of sound were not told apart: {why_not}.")
    elif not evidence.events:
        lines.append("No kind of sound was recognised.")
    else:
        told = sorted(sorted(evidence.events, key=lambda e: -e.score)[:_MOST_TOLD], key=lambda e: e.start_s)
        lines.append("Sounds:")
        lines += [f"- {e.start_s:.2f}–{e.end_s:.2f} s: {e.label} (score {e.score:.2f})" for e in told]
        if len(evidence.events) > len(told):
            lines.append(f"- and {len(evidence.events) - len(told)} less sure ones")
    return "\n".join(lines)


def lasting_change(levels: Sequence[Level]) -> tuple[float, float] | None:
    """When the sound gets louder or softer for good, and by how many dB; ``None`` where it does not.

    Silent steps say nothing: pauses are told as silence.
    """
    heard = [(level.start_s, level.lufs) for level in levels if level.lufs is not None]
    least = max(3, round(len(heard) * _CHANGE_SHARE))
    total = sum(lufs for _, lufs in heard)
    best: tuple[float, float, int] | None = None
    before = 0.0
    for count in range(1, len(heard)):
        before += heard[count - 1][1]
        rest = len(heard) - count
        if count >= least and rest >= least:
            by_db = (total - before) / rest - before / count
            # The split that explains most: as far apart as can be, and of as many as can be.
            weight = by_db * by_db * count * rest
            if best is None or weight > best[0]:
                best = weight, by_db, count
    if best is None or abs(best[1]) < _CHANGE_DB:
        return None
    _, by_db, count = best
    inside = [lufs for _, lufs in heard]
    spread = max(_spread(inside[:count]), _spread(inside[count:]))
    return (heard[count][0], by_db) if abs(by_db) > 1.5 * spread else None


def _spread(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return float((sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5)


def _loudness(evidence: SoundEvidence, where: str) -> str:
    if evidence.loudness_lufs is None:
        return f"Too short to tell loudness, {where}."
    line = f"Loudness {evidence.loudness_lufs:.1f} LUFS over {where}"
    heard = [level for level in evidence.levels if level.lufs is not None and not _in_silence(level, evidence.silent)]
    if len(heard) < 3:
        return f"{line}."
    loud, soft = max(heard, key=_lufs), min(heard, key=_lufs)
    if _lufs(loud) - _lufs(soft) < _APART_DB:
        return f"{line}, even throughout."
    return f"{line}; loudest {_at(loud)}, softest where it is not silent {_at(soft)}."


def _in_silence(level: Level, silent: Sequence[Span]) -> bool:
    return any(span.start_s < level.end_s and level.start_s < span.end_s for span in silent)


def _lufs(level: Level) -> float:
    assert level.lufs is not None
    return level.lufs


def _at(level: Level) -> str:
    return f"at {level.start_s:.1f}–{level.end_s:.1f} s ({_lufs(level):.0f} LUFS)"


def _onsets(onsets_s: Sequence[float]) -> str:
    told = ", ".join(f"{time_s:.2f}" for time_s in onsets_s[:_MOST_ONSETS_TOLD])
    more = len(onsets_s) - _MOST_ONSETS_TOLD
    return f"It sets in or jumps up at {told} s" + (f", and {more} times more." if more > 0 else ".")
