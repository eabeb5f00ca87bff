"""What a check of an observer has found, for programs and for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_MOST_CHARS: Final = 500


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        check: which check found it: ``spec``, ``settings``, ``set-up``, ``answer``, ``span``, ``repeat``, ``together``,
            ``cancel``, ``error`` or ``surroundings``.
        what: what is wrong, and what would be right.
        where: the clip and the span that were asked about; empty where it is about neither.
    """

    check: str
    what: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.check} ({self.where}): {self.what}" if self.where else f"{self.check}: {self.what}"


@dataclass(frozen=True, slots=True)
class Report:
    """How an observer did.

    Attributes:
        observer: its name, or that of its class where it has none.
        problems: what is wrong; each thing is told once for each place where it was seen.
        unavailable: why it cannot work here, so that only its spec could be looked at; empty where it can.
        asked: names of the clips that it was asked about.
        not_asked: the clips that its spec does not claim.
    """

    observer: str
    problems: tuple[Problem, ...]
    unavailable: str = ""
    asked: tuple[str, ...] = ()
    not_asked: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, as far as could be checked: see ``unavailable``."""
        return not self.problems

    def _told(self) -> Iterator[str]:
        """Each thing that is wrong once, with all places where it was seen."""
        places: dict[tuple[str, str], list[str]] = {}
        for problem in self.problems:
            places.setdefault((problem.check, problem.what), []).append(problem.where)
        for (check, what), where in places.items():
            yield str(Problem(check, " ".join(what.split())[:_MOST_CHARS], "; ".join(filter(None, where))))

    def __str__(self) -> str:
        told = list(self._told())
        lines = [f"observer {self.observer}: {len(told) or 'no'} problem{'s' * (len(told) != 1)}"]
        lines += [f"- {line}" for line in told]
        if self.unavailable:
            lines.append(f"It cannot work here, so only its spec was checked: {self.unavailable}")
        elif self.asked:
            lines.append(f"It was asked about: {', '.join(self.asked)}.")
        if self.not_asked:
            lines.append(f"Not about what its spec does not claim: {', '.join(self.not_asked)}.")
        return "\n".join(lines)
