"""Logs of a run: workers send theirs to the parent, which shows them and writes them with the id of the clip."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from omnidetective.engine.wire import LogLine
from omnidetective.errors import ConfigError
from omnidetective.llm.calls import current_call
from omnidetective.llm.usage import payer

PACKAGE: Final = "omnidetective"

FACTS: Final = (
    "event",
    "stage",
    "role",
    "call",
    "model",
    "operation",
    "outcome",
    "reason",
    "seconds",
    "wait_s",
    "attempt",
    "calls",
    "prompt_tokens",
    "completion_tokens",
    "digest",
)
"""What a line of the log file says besides its message, where it applies (docs/guides/logs.md)."""

current_clip: ContextVar[str] = ContextVar("current_clip", default="")
"""Id of the clip that this task works on; what it logs carries it."""


class SendingHandler(logging.Handler):
    """In a worker: gives each log record to ``send``. May be called from any thread."""

    def __init__(self, send: Callable[[LogLine], None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        try:
            clip = getattr(record, "clip", None) or current_clip.get()
            said, traceback_text = record.getMessage(), _traceback(record)
            self._send(LogLine(record.name, record.levelno, said, traceback_text, str(clip), _facts(record)))
        except Exception:  # noqa: BLE001 - logging must never fail the clip that logs
            self.handleError(record)


def send_logs(send: Callable[[LogLine], None], level: int) -> None:
    """In a worker: send this program's log from ``level`` on, and warnings of everybody else."""
    root = logging.getLogger()
    root.handlers[:] = [SendingHandler(send)]
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger(PACKAGE).setLevel(level)
    logging.captureWarnings(True)


def log_from_worker(line: LogLine) -> None:
    """In the parent: log what a worker sent, as if it had been logged here."""
    logger = logging.getLogger(line.logger)
    if logger.isEnabledFor(line.level):
        extra = {**dict(line.facts), "clip": line.clip, "worker_traceback": line.traceback}
        logger.handle(logger.makeRecord(line.logger, line.level, "", 0, line.message, (), None, extra=extra))


def _facts(record: logging.LogRecord) -> tuple[tuple[str, str | int | float], ...]:
    """What the line says of itself; the stage, the role and the call that it belongs to are known here otherwise."""
    stage, role = payer()
    call = current_call.get()
    here = {"stage": stage, "role": role, "call": call.id if call else ""}
    facts = ((name, getattr(record, name, here.get(name, ""))) for name in FACTS)
    return tuple((name, fact) for name, fact in facts if fact != "")


def _traceback(record: logging.LogRecord) -> str:
    if record.exc_info and record.exc_info[0] is not None:
        return "".join(traceback.format_exception(*record.exc_info))
    return str(getattr(record, "worker_traceback", ""))


class _ConsoleHandler(logging.Handler):
    """One line a record; tracebacks are for the log file."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        clip = getattr(record, "clip", "")
        where = f"[{clip}] " if clip else ""
        self._write(printable(f"{record.levelname.lower()}: {where}{record.getMessage()}"))


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "clip": getattr(record, "clip", ""),
            **{name: getattr(record, name, "") for name in FACTS},
            "message": record.getMessage(),
            "traceback": _traceback(record),
        }
        return json.dumps({key: value for key, value in entry.items() if value != ""})


@contextlib.contextmanager
def logging_to(write: Callable[[str], None], *, quiet: bool, log_file: Path | None) -> Iterator[None]:
    """Show this program's warnings through ``write`` (errors only when quiet), and write its log to a file.

    The file is appended to: one JSON object a line, with ``time``, ``level``, ``logger``, ``clip``, :data:`FACTS`,
    ``message`` and ``traceback``; what is empty is absent.

    Raises:
        ConfigError: the file cannot be written.
    """
    console = _ConsoleHandler(write)
    console.setLevel(logging.ERROR if quiet else logging.WARNING)
    handlers: list[logging.Handler] = [console]
    if log_file is not None:
        try:
            to_file = logging.FileHandler(log_file, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise ConfigError(f"cannot write the log file {log_file}: {error.strerror}") from error
        to_file.setFormatter(_JsonFormatter())
        to_file.setLevel(logging.INFO)
        handlers.append(to_file)
    logger = logging.getLogger(PACKAGE)
    before = logger.level, logger.propagate
    logger.setLevel(logging.WARNING if log_file is None else logging.INFO)
    logger.propagate = False
    others = logging.getLogger()
    for handler in handlers:
        logger.addHandler(handler)
        others.addHandler(handler)
    try:
        yield
    finally:
        logger.setLevel(before[0])
        logger.propagate = before[1]
        for handler in handlers:
            logger.removeHandler(handler)
            others.removeHandler(handler)
            handler.close()


def printable(text: str) -> str:
    """Text as it may be shown on a terminal: control characters, which clips can bring, are spelled out."""
    encoding = sys.stderr.encoding or "utf-8"
    spelled = "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
    return spelled.encode(encoding, "backslashreplace").decode(encoding)
