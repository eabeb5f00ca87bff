"""Calls to models, as the log and traces tell of them: each has an id, all its attempts together."""

from __future__ import annotations

import itertools
import logging
import secrets
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final, Literal

from omnidetective.llm.messages import TokenUsage
from omnidetective.llm.usage import payer
from omnidetective.telemetry import Step

log = logging.getLogger(__name__)

_PROCESS: Final = secrets.token_hex(3)
_count = itertools.count(1)


class Call(Step):
    """A call while it goes on. It stands around the retry layer: waits and further attempts are part of it.

    What is logged meanwhile carries its ``id``.
    """

    __slots__ = ("_token", "_what", "attempts", "id")

    def __init__(self, model: str, operation: Literal["chat", "transcription"], what: Callable[[], str]) -> None:
        """
        Args:
            model: ``provider:model``.
            what: a digest of the request; asked only where the call is told.
        """
        self.id = f"{_PROCESS}-{next(_count)}"
        self.attempts = 0
        self._what = what
        super().__init__("call", log, {"model": model, "call": self.id, "operation": operation})

    def answered(self, outcome: str, tokens: TokenUsage | None) -> None:
        """Say how the call ended and what it took."""
        self.outcome = outcome
        if tokens is not None:
            self.facts["prompt_tokens"] = tokens.prompt_tokens
            self.facts["completion_tokens"] = tokens.completion_tokens

    def __enter__(self) -> Call:
        super().__enter__()
        self._token = current_call.set(self)
        return self

    def __exit__(self, *error: object) -> None:
        if self.is_told:
            stage, role = payer()
            self.facts |= {"stage": stage, "role": role, "attempt": self.attempts, "digest": self._what()}
        super().__exit__(*error)  # type: ignore[arg-type]
        current_call.reset(self._token)


current_call: ContextVar[Call | None] = ContextVar("current_call", default=None)
"""The call that this task is making."""
