"""The circuit breaker: when clip after clip fails for one cause that no further clip can escape, the run stops.

A wrong key, an empty account or a model that is not there fails every clip in the same way. Only people can mend that,
and until they have, each clip more costs time, and a line of failure that says nothing new. Pure: it is told how clips
end, and says whether the next one should be begun.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from omnidetective.errors import AuthError, MissingModelError, QuotaError
from omnidetective.records import FailureDetail

_STOPPING: Final = frozenset({AuthError.__name__, QuotaError.__name__, MissingModelError.__name__})


@dataclass(frozen=True, slots=True)
class Cause:
    """What clips fail from, as far as two of them fail from the same.

    Attributes:
        type: the class in :mod:`omnidetective.errors`.
        model: the model and its endpoint, as error messages name them: ``openai:gpt-4.1 at api.openai.com``.
    """

    type: str
    model: str

    @classmethod
    def of(cls, failure: FailureDetail) -> Cause | None:
        """The cause of a failure, where it is one that stops runs.

        Each message of these errors begins with the model and its endpoint, and a colon; that part is written by
        :mod:`omnidetective.llm`. What comes after it are the provider's words, which may differ from call to call.
        """
        if failure.type not in _STOPPING:
            return None
        return cls(failure.type, failure.message.partition(": ")[0])


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a run was stopped early.

    Attributes:
        cause: what the clips failed from.
        in_a_row: how many of them, with no record in between, when the breaker opened.
        example: the last of these failures.
    """

    cause: Cause
    in_a_row: int
    example: FailureDetail

    def message(self, *, not_started: int) -> str:
        """What happened, at which model, and what to do next, for the user.

        Args:
            not_started: clips of the input that were not begun.
        """
        hint = f" ({self.example.hint})" if self.example.hint else ""
        failed = f"{self.in_a_row:,} clips in a row" if self.in_a_row > 1 else "1 clip"
        why = f"stopped early: {failed} failed with {self.cause.type}: {self.example.message}{hint}. "
        if not not_started:
            return f"{why}No clip was left to start. When that is mended, --retry-failed does those that failed."
        left = f"{not_started:,} clips were" if not_started > 1 else "1 clip was"
        return (
            f"{why}{left} not started. When that is mended, the same command goes on with the clips that were not "
            "started, and with --retry-failed also does those that failed."
        )


class Breaker:
    """Counts failures of one cause in a row, and stays open once it has opened.

    A record ends every row: whatever was wrong, clips can be done. Failures that say nothing about keys, quotas and
    models (broken media, time-outs) neither count nor end a row.

    Attributes:
        stop: why the run has to stop; ``None`` for as long as it may go on.
    """

    def __init__(self, most_in_a_row: int) -> None:
        """
        Args:
            most_in_a_row: so many failures of one cause open it; 0: it never opens.
        """
        self._most = most_in_a_row
        self._rows: Counter[Cause] = Counter()
        self.stop: Stop | None = None

    def saw_record(self) -> None:
        """A clip got its record."""
        self._rows.clear()

    def saw_failure(self, failure: FailureDetail) -> None:
        """A clip failed."""
        cause = Cause.of(failure)
        if cause is None:
            return
        self._rows[cause] += 1
        if self.stop is None and self._most and self._rows[cause] >= self._most:
            self.stop = Stop(cause, self._rows[cause], failure)

    def explains(self, failure: FailureDetail) -> bool:
        """Whether it is open, and for the cause of this failure: there is nothing more to be said about it."""
        return self.stop is not None and Cause.of(failure) == self.stop.cause
