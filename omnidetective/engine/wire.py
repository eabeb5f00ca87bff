"""What the parent and a worker say to each other: typed messages, each with its length before it.

Both ends are this program, started by the same user on the same machine, over a socket pair that nobody else can open;
that is why pickle is enough.
"""

from __future__ import annotations

import asyncio
import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

from omnidetective.config import Config
from omnidetective.engine.permit_talk import PermitTalk
from omnidetective.errors import BudgetReachedError, FailureOutcome
from omnidetective.llm.permits import Permits
from omnidetective.records import CaptionRecord, FailureDetail, FailureRecord, InputRow, ModelUsage, Outcome, Usage

_LENGTH: Final = struct.Struct(">Q")


class ClipPipeline(Protocol):
    """What a worker needs of :class:`omnidetective.pipeline.Pipeline`."""

    async def process(self, row: InputRow) -> CaptionRecord | FailureRecord: ...

    async def aclose(self) -> None: ...


PipelineFactory = Callable[[Config, Path, Permits], ClipPipeline]
"""Makes a worker's pipeline from the configuration, the input file's folder, and who gives leave for model calls.

It crosses to the worker by name, so it is a function at the top of a module.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSetup:
    """All that a worker is told when it starts.

    ``scratch`` is where it puts temporary files; by default in the system's folder. ``model_service`` is the address of
    the process that runs the embedded models; without one it runs them itself. ``observer_hosts`` is the folder of the
    processes that run the observers of packages; without one it starts them itself.
    """

    config: Config
    base_dir: Path
    factory: PipelineFactory
    clip_timeout_s: float
    log_level: int
    parent_pid: int
    scratch: Path | None = None
    model_service: Path | None = None
    observer_hosts: Path | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """To the worker: do this clip."""

    row: InputRow


@dataclass(frozen=True, slots=True)
class Finish:
    """To the worker: nothing more will come; leave."""


@dataclass(frozen=True, slots=True)
class Ready:
    """From the worker: the pipeline is built."""


@dataclass(frozen=True, slots=True)
class StartFailed:
    """From the worker: the pipeline cannot be built, and no other worker could build it either."""

    message: str
    reason: str
    hint: str
    by_user: bool


@dataclass(frozen=True, slots=True)
class LogLine:
    """From the worker: something for the log, with what else is to stand in its line; ``traceback`` is empty where
    there is none."""

    logger: str
    level: int
    message: str
    traceback: str
    clip: str
    facts: tuple[tuple[str, str | int | float], ...] = ()


@dataclass(frozen=True, slots=True)
class Spending:
    """From the worker: ids of clips in flight, each with all that it has spent so far. What it spends in the end is in
    its :class:`Finished`."""

    clips: tuple[tuple[str, ModelUsage], ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """From the worker: a clip's line as it is to be written, with what the parent counts.

    ``failure`` is ``None`` for a record. A clip that is ``left_out`` was refused money: nothing is to be written.
    """

    id: str
    outcome: Outcome | FailureOutcome
    line: bytes
    usage: Usage | None
    failure: FailureDetail | None
    left_out: bool = False

    @classmethod
    def not_started(cls, row: InputRow, usage: Usage) -> Self:
        """A clip that is left for the next run; ``usage`` is what was spent on it."""
        return cls(row.id, BudgetReachedError.outcome, b"", usage, None, left_out=True)

    @classmethod
    def of(cls, result: CaptionRecord | FailureRecord) -> Self:
        """What a pipeline returned, made ready to be written.

        Raises:
            ValueError: it cannot be written as JSON.
        """
        failure = result.error if isinstance(result, FailureRecord) else None
        return cls(result.id, result.outcome, result.to_line().encode(), result.usage, failure)

    @classmethod
    def without_record(
        cls,
        row: InputRow,
        *,
        outcome: FailureOutcome,
        error_type: str,
        reason: str,
        message: str,
        hint: str = "",
        attempts: int = 1,
        usage: Usage | None = None,
    ) -> Self:
        """A clip that the engine had to give up."""
        return cls.of(
            FailureRecord(
                id=row.id,
                outcome=outcome,
                error=FailureDetail(
                    type=error_type,
                    message=message.encode("utf-8", "backslashreplace").decode(),
                    stage="engine",
                    attempts=attempts,
                    reason=reason,
                    retryable=outcome != "internal",
                    hint=hint,
                ),
                input=row.raw,
                line_number=row.line_number,
                usage=usage,
            )
        )


Message = Assignment | Finish | Ready | StartFailed | LogLine | Spending | Finished | PermitTalk


def pack(message: Message) -> bytes:
    """A message as bytes."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


async def receive(reader: asyncio.StreamReader) -> Message | None:
    """The next message; ``None`` when the other end is gone, even in the middle of one."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        message: Message = pickle.loads(await reader.readexactly(length))  # noqa: S301 - see the module's first lines
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return message
