"""Sets of ids that stay small: millions of them are held while a run goes on."""

from __future__ import annotations

import hashlib
from typing import Final

_AS_IT_IS: Final = 40
"""Up to this many characters an id costs less memory than its digest."""


class IdSet:
    """A set of ids. Long ids are kept as 128-bit digests."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: set[str | bytes] = set()

    def add(self, clip_id: str) -> bool:
        """Add an id; whether it was new."""
        key = _key(clip_id)
        if key in self._keys:
            return False
        self._keys.add(key)
        return True

    def __contains__(self, clip_id: str) -> bool:
        return _key(clip_id) in self._keys

    def __len__(self) -> int:
        return len(self._keys)


def _key(clip_id: str) -> str | bytes:
    if len(clip_id) <= _AS_IT_IS:
        return clip_id
    return hashlib.blake2b(clip_id.encode(), digest_size=16).digest()
