"""The failures that stand: of each clip without a record the last one, and every fault of a row.

Lines are read leniently, in one pass, while a run may be adding to them. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from typing import Annotated, Final, Generic, TypeVar

from pydantic import Field, ValidationError

from omnidetective.errors import RowError
from omnidetective.report.reading import Count, UsageView, View

_ROW_ERROR: Final = RowError.__name__

ValueT = TypeVar("ValueT")
ViewT = TypeVar("ViewT", bound=View)


class RecordLine(View):
    """Of a line of the output, whose it is, what came of it and what it took."""

    id: str
    outcome: str
    usage: UsageView | None = None


class FailureDetailLine(View):
    """Why a clip has no record; ``type`` is the class of the error."""

    type: str = ""
    reason: str = ""
    message: str = ""
    stage: str = ""
    attempts: Count = 0
    retryable: bool = False


class FailureLine(View):
    """One line of the failures."""

    id: str
    outcome: str
    error: Annotated[FailureDetailLine, Field(default_factory=FailureDetailLine)]
    usage: UsageView | None = None

    @property
    def about_row(self) -> bool:
        """Whether the row is at fault, not its clip: found anew by every run until the row is mended."""
        return self.error.type == _ROW_ERROR


class Standing(Generic[ValueT]):
    """Keeps a value for each failure until the record of the same clip, or a later failure of it, turns up.

    A fault of a row is about the row, and stands even where a clip of the same id has a record.
    """

    def __init__(self) -> None:
        self._rows: list[ValueT] = []
        self._clips: dict[int, ValueT] = {}  # by the hash of the id: a few bytes, however long ids are

    def add(self, failure: FailureLine, value: ValueT) -> None:
        """A failure; the one that the same clip had before gives way to it."""
        if failure.about_row:
            self._rows.append(value)
        else:
            self._clips[hash(failure.id)] = value

    def recovered(self, clip_id: str) -> None:
        """The clip has a record."""
        self._clips.pop(hash(clip_id), None)

    def values(self) -> Iterator[ValueT]:
        """What is kept, faults of rows first."""
        yield from self._rows
        yield from self._clips.values()


def views(lines: Iterable[bytes], kind: type[ViewT]) -> Iterator[tuple[int, bytes, ViewT | ValidationError]]:
    """Each line with its number, from 1, and read, or what is wrong with it.

    Empty lines are left out. A last line without a line break is being written, or was torn off: it is given where it
    is whole, and left out where it is not.
    """
    for number, line in enumerate(lines, start=1):
        if line.isspace():
            continue
        try:
            yield number, line, kind.model_validate_json(line)
        except ValidationError as error:
            if line.endswith(b"\n"):
                yield number, line, error


def standing(failure_lines: Iterable[bytes], lines: Iterable[bytes]) -> frozenset[int]:
    """Which lines of the failures stand, by their numbers.

    Args:
        failure_lines: the failures. They are read first, so that a clip which is done meanwhile is not among them.
        lines: the output; it is not read where nothing failed.
    """
    failures: Standing[int] = Standing()
    failed = False
    for number, _, failure in views(failure_lines, FailureLine):
        if isinstance(failure, FailureLine):
            failures.add(failure, number)
            failed = True
    if failed:
        for _, _, record in views(lines, RecordLine):
            if isinstance(record, RecordLine):
                failures.recovered(record.id)
    return frozenset(failures.values())


def chosen(
    lines: Iterable[bytes], *, reasons: Set[str] = frozenset(), retryable: bool = False
) -> Iterator[tuple[bytes, FailureLine]]:
    """Failures in the order of their lines, the newest last; each with its line.

    Args:
        lines: those of the failures that stand (:func:`standing`).
        reasons: only failures with one of these codes; all, where there are none.
        retryable: only failures that can be tried again without a change by the user.
    """
    for _, line, failure in views(lines, FailureLine):
        if not isinstance(failure, FailureLine):
            continue
        if (not reasons or failure.error.reason in reasons) and (failure.error.retryable or not retryable):
            yield line, failure
