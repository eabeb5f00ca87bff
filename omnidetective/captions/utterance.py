"""What somebody says in a clip. Pure."""

from __future__ import annotations

from typing import NamedTuple


class Utterance(NamedTuple):
    """What somebody says; ``speaker`` is whatever the caption calls them."""

    speaker: str
    content: str
