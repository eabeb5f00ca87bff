"""What the state keeps of a line of the output or of the failures, read without reading all of it.

A record may hold a whole investigation; whose it is stands in its first bytes and what it cost in its last ones. Lines
that another program has written anew are read in full.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from omnidetective.errors import FailureOutcome, RowError
from omnidetective.records import Outcome

HEAD: Final = re.compile(
    rb'\s*\{\s*"schema_version":\s*1,\s*"id":\s*("(?:[^"\\\x00-\x1f]|\\.)*")(?:,"outcome":"([a-z_]{1,40})")?'
)
"""How lines of this program begin."""
_USAGE: Final = b',"usage":{'
_SCHEMA_VERSION: Final = 1
_TAIL_BYTES: Final = 4096
_ROW_ERROR: Final = RowError.__name__

Kind = Literal["record", "failure", "fault", "damaged"]
_Count = Annotated[int, Field(ge=0, le=2**53)]
_Dollars = Annotated[Decimal, Field(ge=0, le=10**12)]


class _View(BaseModel):
    """Lines may come from older or newer versions of this program: what is not known is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class _Cost(_View):
    cost_usd: _Dollars | None = None


class LineUsage(_View):
    """What a line says that its clip took; ``cost_usd`` is ``None`` where a part of it is unknown."""

    calls: _Count = 0
    cached_calls: _Count = 0
    failed_attempts: _Count = 0
    unreported: _Count = 0
    prompt_tokens: _Count = 0
    completion_tokens: _Count = 0
    cost_usd: _Dollars | None = None
    by_model: dict[str, _Cost] = Field(default_factory=dict)

    @property
    def known_usd(self) -> Decimal:
        """What is known of the cost."""
        if self.cost_usd is not None:
            return self.cost_usd
        return sum((part.cost_usd or Decimal(0) for part in self.by_model.values()), Decimal(0))


class _Tail(_View):
    usage: LineUsage | None = None


class _Record(_Tail):
    id: str
    outcome: str = ""


class _Error(_View):
    type: str = ""
    reason: str = ""
    retryable: bool = False


class _Failure(_Record):
    error: _Error = _Error()
    line_number: _Count = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One line.

    Attributes:
        kind: ``fault`` is a failure that is about a row of the input; ``damaged`` says nothing that can be used.
        offset, length: where it stands in its file, in bytes, its line break included.
        tail: its last bytes, to recognise it by.
        line_number: of the row, for a fault.
    """

    kind: Kind
    offset: int
    length: int
    tail: bytes
    id: str = ""
    outcome: str = ""
    reason: str = ""
    retryable: bool = False
    line_number: int = 0
    usage: LineUsage | None = None


def record_entry(line: bytes, offset: int) -> Entry:
    """A line of the output, with its line break, that stands at ``offset``."""
    place = (offset, len(line), line[-_TAIL_BYTES:])
    head = HEAD.match(line)
    try:
        if head is not None and head.group(2) is not None and line.rstrip().endswith(b"}"):
            clip_id = from_json(head.group(1))
            at = line.rfind(_USAGE)
            tail = _Tail() if at < 0 else _Tail.model_validate_json(b"{" + line[at + 1 :])
            return Entry("record", *place, id=clip_id, outcome=head.group(2).decode(), usage=tail.usage)
    except ValueError:
        pass  # It begins like ours and ends otherwise: all of it is read.
    raw = json_object(line)
    if raw is None or not isinstance(clip_id := raw.get("id"), str) or raw.get("schema_version") != _SCHEMA_VERSION:
        return Entry("damaged", *place)
    try:
        clip_id.encode()
        record = _Record.model_validate(raw)
    except UnicodeEncodeError:
        return Entry("damaged", *place)
    except ValidationError:
        return Entry("record", *place, id=clip_id)
    return Entry("record", *place, id=clip_id, outcome=record.outcome, usage=record.usage)


def failure_entry(line: bytes, offset: int) -> Entry:
    """A line of the failures, with its line break, that stands at ``offset``."""
    place = (offset, len(line), line[-_TAIL_BYTES:])
    try:
        failure = _Failure.model_validate_json(line)
    except ValidationError:
        return Entry("damaged", *place)
    return Entry(
        "fault" if failure.error.type == _ROW_ERROR else "failure",
        *place,
        id=failure.id,
        outcome=failure.outcome,
        reason=failure.error.reason,
        retryable=failure.error.retryable,
        line_number=failure.line_number,
        usage=failure.usage,
    )


def json_object(line: bytes) -> dict[str, Any] | None:
    """The JSON object that a line holds; ``None`` where it holds none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


@dataclass(slots=True)
class Covered:
    """How much of a file the state knows, and the sums over those lines.

    Attributes:
        size: bytes.
        tail_size, tail_sha: the last bytes of them, as they were when this was written down.
        recent: the last bytes of a line that came since.
        lines: lines of any kind.
        damaged, first_damaged: lines that say nothing usable, and the number of the first one.
        repeated: records of a clip that has one, or the same fault of a row once more: another program wrote them.
        outcomes: outcome → lines; an outcome that is no word of this program counts as empty.
        calls … completion_tokens: sums over lines that say what their clip took; ``told`` is their number.
        known_usd: the cost, as far as it is known; ``unknown`` lines do not know theirs.
    """

    size: int = 0
    tail_size: int = 0
    tail_sha: str = ""
    recent: bytes = b""
    lines: int = 0
    damaged: int = 0
    first_damaged: int = 0
    repeated: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    told: int = 0
    calls: int = 0
    cached_calls: int = 0
    failed_attempts: int = 0
    unreported: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    known_usd: Decimal = Decimal(0)
    unknown: int = 0

    def add(self, entry: Entry) -> None:
        """One line more."""
        self.size = entry.offset + entry.length
        self.recent = entry.tail
        self.lines += 1
        if entry.kind == "damaged":
            self.damaged += 1
            self.first_damaged = self.first_damaged or self.lines
            return
        outcome = entry.outcome if entry.outcome in _OUTCOMES else ""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        if (usage := entry.usage) is not None:
            self.told += 1
            self.calls += usage.calls
            self.cached_calls += usage.cached_calls
            self.failed_attempts += usage.failed_attempts
            self.unreported += usage.unreported
            self.prompt_tokens += usage.prompt_tokens
            self.completion_tokens += usage.completion_tokens
            self.known_usd += usage.known_usd
            self.unknown += usage.cost_usd is None

    def to_json(self) -> str:
        """For the state file."""
        if self.recent:
            self.tail_size, self.tail_sha = len(self.recent), _digest(self.recent)
        return _COVERED.dump_json(self, exclude={"recent"}).decode()

    def begins(self, fd: int) -> bool:
        """Whether an open file begins with what is covered, by its size and by the last line that is covered.

        Asked of what was read back only.
        """
        if os.fstat(fd).st_size < self.size:
            return False
        return not self.size or _digest(os.pread(fd, self.tail_size, self.size - self.tail_size)) == self.tail_sha

    @staticmethod
    def from_json(text: str) -> Covered:
        """Read back.

        Raises:
            ValueError: it is something else.
        """
        return _COVERED.validate_json(text)


def _digest(tail: bytes) -> str:
    return hashlib.blake2b(tail, digest_size=16).hexdigest()


_OUTCOMES: Final = frozenset((*get_args(Outcome), *get_args(FailureOutcome)))
_COVERED: TypeAdapter[Covered] = TypeAdapter(Covered)
