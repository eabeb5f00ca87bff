"""What is known of a server while it is connected: whether the connection has ended, and its last words."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from omnidetective.observers.mcp.masking import Mask, one_line

_MAX_LINE_CHARS = 500
_LAST_LINES = 3

log = logging.getLogger(__name__)


class Lifeline:
    """One connection to one server.

    Attributes:
        ended: set when the server has closed its side.
    """

    def __init__(self, name: str, mask: Mask) -> None:
        self.ended = asyncio.Event()
        self._name = name
        self._mask = mask
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)

    def heard(self, line: str) -> None:
        """A line of the server's standard error, or of its log: goes to the debug log."""
        text = self._mask(one_line(line, _MAX_LINE_CHARS))
        if text:
            self._lines.append(text)
            log.debug("MCP server %s: %s", self._name, text)

    @property
    def last_words(self) -> str:
        """How it may have come to its end, as an addition to a message."""
        return f"; it said last: {self._lines[-1]}" if self._lines else ""
