"""The input file, read as a stream: never more than one line of it in memory."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Protocol, Self

from pydantic import JsonValue

from omnidetective.errors import ConfigError, RowError
from omnidetective.records import FailureDetail, FailureRecord, InputRow
from omnidetective.rows import MAX_ID_CHARS, content_id, decode, given_id, understand

MAX_LINE_BYTES: Final = 64 * 2**20
"""Longest line that is taken; a ``data:`` URI may bring that much."""

_SHOWN_CHARS: Final = 2000
"""How much is kept of a line that is no JSON object."""
_COUNTED_BYTES: Final = 2 * 2**30
"""Up to this size the lines of an input are counted, so that progress can show a total."""
_BOM: Final = b"\xef\xbb\xbf"
_HEAD: Final = re.compile(
    rb'[ \t]*\{[ \t]*"id"[ \t]*:[ \t]*(?:"([^"\\\x00-\x1f]*)"|(-?(?:0|[1-9][0-9]{0,300})))[ \t]*[,}]'
)
"""How rows usually begin: with an id that needs no unescaping."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Part ``number`` of ``count``, from 1. A clip belongs to a part by the hash of its id, whatever its line."""

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ConfigError(
                f"--shard {self.number}/{self.count}: K goes from 1 to N", hint="--shard 1/4 is the first of four parts"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``K/N``.

        Raises:
            ConfigError: it is something else.
        """
        number, slash, count = text.partition("/")
        if not (slash and number.isdecimal() and count.isdecimal() and len(text) < 20):
            raise ConfigError(f"--shard takes K/N, not {text!r}", hint="--shard 1/4 is the first of four parts")
        return cls(int(number), int(count))

    def holds(self, clip_id: str) -> bool:
        """Whether a clip belongs to this part."""
        digest = hashlib.blake2b(clip_id.encode(), digest_size=8).digest()
        return int.from_bytes(digest) % self.count == self.number - 1


class Part(Protocol):
    """Some of the clips of an input, told by their ids: a shard, or a choice."""

    def holds(self, clip_id: str) -> bool: ...


WHOLE: Final = Shard(1, 1)


class InputLine(NamedTuple):
    """A line of the input that belongs to the shard.

    Attributes:
        number: from 1.
        id: of its clip, or of its failure where it cannot be used.
        content: the line; of one that is too long only its beginning.
        row: what it says, where that had to be found out to know the id.
    """

    number: int
    id: str
    content: bytes
    row: InputRow | FailureRecord | None

    def understood(self) -> InputRow | FailureRecord:
        """What it says; a line that cannot be used as a failure."""
        return self.row or _read_line(self.content, self.number)


def read_lines(path: Path, *, shard: Part = WHOLE, max_line_bytes: int = MAX_LINE_BYTES) -> Iterator[InputLine]:
    """Every line of the input that belongs to the shard, in order, not yet understood where its id can be seen.

    Blank lines are skipped; a UTF-8 byte order mark, CRLF and a last line without a line break are fine.

    Raises:
        ConfigError: the file cannot be read.
    """
    whole = shard == WHOLE
    try:
        with path.open("rb") as file:
            for number, line in _lines(file, max_line_bytes):
                clip_id = seen_id(line)
                row: InputRow | FailureRecord | None = None
                if len(line) > max_line_bytes and not line.endswith(b"\n"):
                    row = _too_long(line, number, max_line_bytes)
                elif clip_id is None:
                    row = _read_line(line, number)
                # An id that can be seen is that of the row, whatever the row is.
                clip_id = clip_id or (row.id if row is not None else "")
                if whole or shard.holds(clip_id):
                    yield InputLine(number, clip_id, line, row)
    except OSError as error:
        raise ConfigError(f"cannot read the input {path}: {error.strerror}") from error


def seen_id(line: bytes) -> str | None:
    """The id that a line begins with, without reading the rest of it; ``None`` where that takes reading all of it.

    It is the id of the row whatever else stands there, as long as no second ``id`` follows, not even one in disguise.
    """
    head = _HEAD.match(line)
    if head is None or line.count(b'"id"') != 1 or b"\\u0069" in line or b"\\u0064" in line:
        return None
    text, number = head.groups()
    if number is not None:
        return "0" if number == b"-0" else str(number, "ascii")
    try:
        clip_id = str(text, "utf-8")
    except UnicodeDecodeError:
        return None
    return clip_id if clip_id.strip() and len(clip_id) <= MAX_ID_CHARS else None


def identity(path: Path) -> str:
    """What tells an input from another one, and from itself once it was changed."""
    stat = path.stat()
    return f"{stat.st_dev}:{stat.st_ino}:{stat.st_size}:{stat.st_mtime_ns}"


def duplicate(row: InputRow) -> FailureRecord:
    """The failure of a row whose id an earlier row has."""
    derived = row.raw.get("id") is None
    error = RowError(
        "an earlier line says exactly the same" if derived else f"an earlier line has the id {row.id!r}",
        reason="duplicate_id",
        hint="the first one counts; give each row its own id",
    )
    return _failure(error, row.id, row.raw, b"", row.line_number)


def count_lines(path: Path) -> int | None:
    """How many lines the input has, for progress; ``None`` where counting would take long."""
    if path.stat().st_size > _COUNTED_BYTES:
        return None
    count = 0
    last = b"\n"
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            count += chunk.count(b"\n")
            last = chunk[-1:]
    return count + (last != b"\n")


def check_input(path: Path) -> None:
    """Refuse what can never be an input.

    Raises:
        ConfigError: it is missing, is no regular file, cannot be read or is compressed.
    """
    if not path.exists():
        raise ConfigError(f"there is no input {path}")
    if not path.is_file():
        raise ConfigError(
            f"the input {path} is not a regular file",
            hint="an interrupted run reads it again, so it must be a file that stays",
        )
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise ConfigError(f"cannot read the input {path}: {error.strerror}") from error
    if head.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")):
        raise ConfigError(f"the input {path} is compressed", hint="unpack it first")


def _lines(file: BinaryIO, max_line_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Line numbers, from 1, and lines that are not blank; of a longer line only the first ``max_line_bytes + 1``."""
    line_number = 0
    while piece := file.readline(max_line_bytes + 1):
        line_number += 1
        line = piece.removeprefix(_BOM) if line_number == 1 else piece
        while not piece.endswith(b"\n") and (piece := file.readline(2**20)):
            pass
        if line.strip():
            yield line_number, line


def _too_long(line: bytes, line_number: int, max_line_bytes: int) -> FailureRecord:
    error = RowError(
        f"the line is longer than {max_line_bytes:,} bytes",
        reason="line_too_long",
        hint="name media by path instead of inline",
    )
    return _failure(error, _id_of(None, line), None, line, line_number)


def _read_line(line: bytes, line_number: int) -> InputRow | FailureRecord:
    raw: dict[str, JsonValue] | None = None
    try:
        raw = decode(line)
        return understand(raw, line_number)
    except RowError as error:
        return _failure(error, _id_of(raw, line), raw, line, line_number)


def _id_of(raw: dict[str, JsonValue] | None, line: bytes) -> str:
    if raw is None:
        return seen_id(line) or content_id(line.strip())
    try:
        return given_id(raw) or content_id(raw)
    except RowError:
        return content_id(raw)


def _failure(
    error: RowError, clip_id: str, raw: dict[str, JsonValue] | None, line: bytes, line_number: int
) -> FailureRecord:
    text = line[: 4 * _SHOWN_CHARS].decode("utf-8", "backslashreplace").rstrip("\r\n")
    shown = text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
    return FailureRecord(
        id=clip_id,
        outcome=error.outcome,
        error=FailureDetail(
            type=type(error).__name__,
            message=error.message,
            stage="input",
            attempts=1,
            reason=error.reason,
            retryable=error.retryable,
            hint=error.hint,
        ),
        input=shown if raw is None else raw,
        line_number=line_number,
    )
