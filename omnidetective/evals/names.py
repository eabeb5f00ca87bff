"""How benchmarks and prediction files call a clip, and when two names mean the same one."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

_SUFFIXES = frozenset({"mp4", "mkv", "webm", "mov", "avi", "wav", "mp3", "flac", "ogg", "m4a", "jpg", "jpeg", "png"})
_ADDED = "_video"
"""What Daily-Omni's files add to an id."""


def forms_of(name: str) -> Iterator[str]:
    """The forms of a name, from the one that says most to the one that says least; each of them may be what fits.

    ``/data/video/0.mp4`` → itself, ``video/0.mp4``, ``0.mp4``, ``0``. Only known suffixes are taken off: an id may
    have dots in it. File systems spell accents in two ways, which are one here.
    """
    whole = unicodedata.normalize("NFC", name).strip().replace("\\", "/").rstrip("/")
    parts = [part for part in whole.split("/") if part not in ("", ".")]
    if not parts:
        return
    forms = [whole, "/".join(parts), "/".join(parts[-2:]), parts[-1]]
    stem, dot, suffix = parts[-1].rpartition(".")
    if dot and suffix.lower() in _SUFFIXES:
        forms.append(stem)
    if forms[-1].endswith(_ADDED):
        forms.append(forms[-1].removesuffix(_ADDED))
    yield from dict.fromkeys(forms)
