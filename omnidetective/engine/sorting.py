"""What is to be done with each line of an input: nothing, since its clip is done, or reading and doing it.

Clips are looked up many at a time by the ids that their lines begin with; what is done is not read any further, so
passing over a million clips that are done takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Literal, Protocol

from omnidetective.engine.source import InputLine, duplicate
from omnidetective.engine.state import Known
from omnidetective.records import FailureRecord, InputRow

_LINES: Final = 900
_BYTES: Final = 2**22

Left = Literal["done", "failed"]


class Clips(Protocol):
    """What is known of clips, and where the input names them."""

    def known(self, ids: Iterable[str]) -> dict[str, Known]:
        """What is known of some clips; those of which nothing is known are left out."""
        ...

    def meet(self, passed: Sequence[tuple[str, int]], to_do: Sequence[tuple[str, int]]) -> None:
        """Note ids and lines: of clips that are left alone and of which the line was not known, and of clips to do."""
        ...


def sort_lines(
    lines: Iterable[InputLine], clips: Clips, *, again: Callable[[str, str], bool]
) -> Iterator[tuple[int, Left | InputRow | FailureRecord]]:
    """Each line's number, and its row if it is to be done, what is wrong with it, or as what its clip is left alone.

    Of usable rows with the same id the first one counts, the others are failures. A row whose clip is done counts
    as usable without being read.

    Args:
        again: whether a clip that failed, by its id and the reason, is to be done.
    """
    for some in _groups(lines):
        known = clips.known(line.id for line in some)
        here: dict[str, int] = {}
        passed: list[tuple[str, int]] = []
        to_do: list[tuple[str, int]] = []
        found: list[tuple[int, Left | InputRow | FailureRecord]] = []
        for line in some:
            clip = known.get(line.id)
            at = here.get(line.id) or (None if clip is None else clip.line)
            if at is not None and at != line.number:
                row = line.understood()
                found.append((line.number, duplicate(row) if isinstance(row, InputRow) else row))
                continue
            if clip is not None and (left := _left(line.id, clip, again)) is not None:
                found.append((line.number, left))
                if at is None:
                    passed.append((line.id, line.number))
            else:
                row = line.understood()
                found.append((line.number, row))
                if isinstance(row, FailureRecord):
                    continue
                to_do.append((line.id, line.number))
            here[line.id] = line.number
        if passed or to_do:
            clips.meet(passed, to_do)
        yield from found


def _left(clip_id: str, clip: Known, again: Callable[[str, str], bool]) -> Left | None:
    match clip.status:
        case "done":
            return "done"
        case "failed":
            return None if again(clip_id, clip.reason or "") else "failed"
    return None


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
