"""What the package ``mcp`` logs by itself: bounded, and in the debug log alone."""

from __future__ import annotations

import logging

from omnidetective.observers.mcp.masking import one_line

_MAX_CHARS = 300

log = logging.getLogger(__name__)


def quieten_package() -> None:
    """What the package warns of is told by the errors that it raises; below that it logs messages with the media."""
    for name in ("mcp", "client", "httpx2"):  # The names that it uses.
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        logger.propagate = False
        if not any(isinstance(handler, _AsDebug) for handler in logger.handlers):
            logger.addHandler(_AsDebug())


class _AsDebug(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        log.debug("%s: %s", record.name, one_line(record.getMessage(), _MAX_CHARS))
