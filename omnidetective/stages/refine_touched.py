"""What of a caption the findings of an audit report are about. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from omnidetective.audit import times
from omnidetective.audit.report import Report
from omnidetective.captions.alignment import plain
from omnidetective.captions.anchors import find_anchors
from omnidetective.findings import AuditError
from omnidetective.stages.caption_lines import Line, holds, lines_of, quoted_in, standing

_RUN_WORDS = 4
"""So many words in a row, found in a sentence too, cite it as well as a quotation would."""


@dataclass(frozen=True, slots=True)
class Touched:
    """What of a caption the findings of a report are about; positions of lines, and of anchors among the anchors.

    Attributes:
        wrong: lines that hold the snippet of an error.
        worded: lines whose words an expressiveness finding cites.
        anchors: anchors that a snippet takes in.
        gone: lines that may go as they are, though no finding is about their words.
    """

    wrong: frozenset[int] = frozenset()
    worded: frozenset[int] = frozenset()
    anchors: frozenset[int] = frozenset()
    gone: frozenset[int] = frozenset()

    @property
    def lines(self) -> frozenset[int]:
        """The lines whose words may change."""
        return self.wrong | self.worded


def touched(caption: str, report: Report) -> Touched:
    """Where the findings of a report stand in a caption."""
    lines, anchors = lines_of(caption), find_anchors(caption)
    wrong: set[int] = set()
    worded: set[int] = set()
    timed: set[int] = set()
    for audit in report.values():
        for error in audit.errors:
            of_time = is_of_time(error)
            for start, end in standing(caption, error.snippet):
                hit = [n for n, anchor in enumerate(anchors) if anchor.start < end and start < anchor.end]
                timed |= set(hit[:1] if of_time else hit)
                if not (hit and of_time):
                    wrong |= {n for n, line in enumerate(lines) if line.start < end and start < line.end}
        for finding in audit.expressiveness:
            worded |= set(_cited_by(finding, lines))
    return Touched(frozenset(wrong), frozenset(worded), frozenset(timed))


def _cited_by(finding: str, lines: Sequence[Line]) -> Iterator[int]:
    """The lines whose words a free text cites: in quotation marks, or else several of them in a row."""
    quotes = list(quoted_in(finding))
    if quotes:
        yield from (n for n, line in enumerate(lines) if any(holds(line.words, quote) for quote in quotes))
        return
    words = plain(finding).split()
    runs = {tuple(words[n : n + _RUN_WORDS]) for n in range(len(words) - _RUN_WORDS + 1)}
    for n, line in enumerate(lines):
        own = line.words.split()
        if any(tuple(own[k : k + _RUN_WORDS]) in runs for k in range(len(own) - _RUN_WORDS + 1)):
            yield n


def is_of_time(error: AuditError) -> bool:
    """Whether an error is about an anchor and no word: it is one, or a check of times shows where it stands."""
    anchors = find_anchors(error.snippet)
    if not anchors or anchors[0].start:
        return False
    if error.check == times.CHECK:
        return True  # the words after the anchor only tell which of several is meant
    rest, position = "", 0
    for anchor in anchors:
        rest, position = rest + error.snippet[position : anchor.start], anchor.end
    return not plain(rest + error.snippet[position:])
