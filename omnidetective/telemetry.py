"""How work is told while it is done: a clip, a stage of it, a call to a model, each a line in the log and a span.

``with Step("stage", log, {"stage": "refine"}) as step:`` measures, and tells when it is over. What is told are names,
numbers and outcomes, never what a clip shows or what is said to a model.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Literal, Protocol, Self

from omnidetective.errors import OmnidetectiveError

Event = Literal["clip", "stage", "call"]
Fact = str | int | float

OK = "ok"
"""The outcome of what went well."""


class Tracer(Protocol):
    """Makes a span of a step."""

    def open(self, event: Event, facts: Mapping[str, Fact]) -> Callable[[str, str, Mapping[str, Fact]], None]:
        """Begin a span within the one that is open here. What is returned ends it: it is given the outcome, the reason
        of the error (empty where there is none), and all facts."""
        ...


current_tracer: ContextVar[Tracer | None] = ContextVar("current_tracer", default=None)
"""Who makes spans of what is done here; nobody by default."""


class Step:
    """Something that takes time, has an outcome and is told when it is over.

    Attributes:
        facts: what is told of it: the names of fields in the log (docs/guides/logs.md). May be added to meanwhile.
        outcome: ``ok``, unless something else is set or it ends in an error: then the error's reason.
        error: reason of the error that it ended in; empty where it did not.
    """

    __slots__ = ("_close", "_event", "_log", "_since", "error", "facts", "outcome")

    def __init__(self, event: Event, log: logging.Logger, facts: dict[str, Fact]) -> None:
        self._event: Event = event
        self._log = log
        self._close: Callable[[str, str, Mapping[str, Fact]], None] | None = None
        self.facts = facts
        self.outcome = OK
        self.error = ""

    @property
    def is_told(self) -> bool:
        """Whether anybody wants to know: facts that are dear to find out need not be found out for nobody."""
        return self._close is not None or self._log.isEnabledFor(logging.INFO)

    def __enter__(self) -> Self:
        self._since = time.monotonic()
        tracer = current_tracer.get()
        if tracer is not None:
            try:
                self._close = tracer.open(self._event, self.facts)
            except Exception:  # noqa: BLE001 - what cannot be told is still to be done
                self._log.debug("no span", exc_info=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self.outcome = self.error = _name(error)
        if not self.is_told:
            return
        seconds = round(time.monotonic() - self._since, 3)
        if self._close is not None:
            try:
                self._close(self.outcome, self.error, self.facts)
            except Exception:  # noqa: BLE001 - as above
                self._log.debug("no span", exc_info=True)
        if self._log.isEnabledFor(logging.INFO):
            what = self.facts.get("model" if self._event == "call" else self._event, "")
            facts = {**self.facts, "event": self._event, "outcome": self.outcome, "seconds": seconds}
            self._log.info("%s %s: %s in %.3g s", self._event, what, self.outcome, seconds, extra=facts)


def _name(error: BaseException) -> str:
    """A short name for what went wrong, of a small set."""
    if isinstance(error, OmnidetectiveError):
        return error.reason
    return "cancelled" if isinstance(error, asyncio.CancelledError) else type(error).__name__
