"""What is to be done with each line of an input: nothing, since its clip is done, or reading and doing it.

Clips are looked up many at a time by the ids that their lines begin with; what is done is not read any further, so
passing over a million clips that are done takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from omnidetective.engine.source import InputLine, duplicate
from omnidetective.engine.state_schema import Known
from omnidetective.records import FailureRecord, InputRow

_LINES: Final = 900
_BYTES: Final = 2**22

_UNKNOWN: Final = Known("", "met", None, None)


class Clips(Protocol):
    """What is known of clips, and where the input names them."""

    def known(self, ids: Iterable[str]) -> dict[str, Known]:
        """What is known of some clips; those of which nothing is known are left out."""
        ...

    def meet(self, passed: Sequence[tuple[str, int]], to_do: Sequence[tuple[str, int]]) -> None:
        """Note ids and lines: of clips that are left alone and of which the line was not known, and of clips to do."""
        ...


@dataclass(slots=True)
class Stretch:
    """Some lines that follow each other.

    Attributes:
        rows: those that are to be done, and what is wrong with those that cannot be.
        done: how many clips are left alone since they have a record.
        failed: how many are left alone since they have failed.
        last_line: number of the last line.
    """

    rows: list[InputRow | FailureRecord] = field(default_factory=list)
    done: int = 0
    failed: int = 0
    last_line: int = 0


def sort_lines(lines: Iterable[InputLine], clips: Clips, *, again: Callable[[str, str], bool]) -> Iterator[Stretch]:
    """All lines, some hundreds at a time.

    Of usable rows with the same id the first one counts, the others are failures. A row whose clip is done counts
    as usable without being read.

    Args:
        again: whether a clip that failed, by its id and the reason, is to be done.
    """
    for some in _groups(lines):
        known = clips.known([line.id for line in some])
        stretch = Stretch(last_line=some[-1].number)
        here: dict[str, int] = {}
        passed: list[tuple[str, int]] = []
        to_do: list[tuple[str, int]] = []
        for line in some:
            number, clip_id = line.number, line.id
            _, status, reason, at = known.get(clip_id, _UNKNOWN)
            if at is None:
                at = here.get(clip_id)
            if at is not None and at != number:
                row = line.understood()
                stretch.rows.append(duplicate(row) if isinstance(row, InputRow) else row)
                continue
            if status == "done":
                stretch.done += 1
            elif status == "failed" and not again(clip_id, reason or ""):
                stretch.failed += 1
            else:
                row = line.understood()
                stretch.rows.append(row)
                if isinstance(row, InputRow):
                    here[clip_id] = number
                    to_do.append((clip_id, number))
                continue
            if at is None:
                here[clip_id] = number
                passed.append((clip_id, number))
        if passed or to_do:
            clips.meet(passed, to_do)
        yield stretch


def _groups(lines: Iterable[InputLine]) -> Iterator[list[InputLine]]:
    some: list[InputLine] = []
    size = 0
    for line in lines:
        some.append(line)
        size += len(line.content)
        if len(some) >= _LINES or size >= _BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some
