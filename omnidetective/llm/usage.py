"""Counting calls and tokens: every model call is counted in every scope that is open around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from threading import Lock

from omnidetective.llm.messages import TokenUsage
from omnidetective.records import ModelUsage, Usage


class Meter:
    """What was spent inside one scope. It can be read at any time, also after the scope has closed.

    Attributes:
        labels: what the scope is for: ``stage``, ``role``, …
    """

    def __init__(self, **labels: str) -> None:
        self.labels: Mapping[str, str] = labels
        self._by_model: dict[str, ModelUsage] = {}
        self._lock = Lock()  # an observer may call from a thread

    def usage(self) -> Usage:
        """The sum, and the same by model. The cost is ``None`` as soon as one part of it is unknown."""
        with self._lock:
            by_model = dict(self._by_model)
        total = sum(by_model.values(), ModelUsage())
        return Usage(**{name: getattr(total, name) for name in ModelUsage.model_fields}, by_model=by_model)

    def add(self, model: str, usage: ModelUsage) -> None:
        """Counts something for a model."""
        with self._lock:
            self._by_model[model] = self._by_model.get(model, ModelUsage()) + usage


_open_meters: ContextVar[tuple[Meter, ...]] = ContextVar("open_meters", default=())


@contextmanager
def usage_scope(**labels: str) -> Iterator[Meter]:
    """Counts what is called inside, in tasks started inside too. Scopes nest; each counts everything within it."""
    meter = Meter(**labels)
    token = _open_meters.set((*_open_meters.get(), meter))
    try:
        yield meter
    finally:
        _open_meters.reset(token)


def count_call(model: str, *, tokens: TokenUsage | None, cost_usd: Decimal | None, reported: bool = True) -> None:
    """Counts a call that was answered.

    Args:
        tokens: as reported; ``None`` for a call that is not counted in tokens, or that reported none.
        cost_usd: ``None`` when it is not known.
        reported: whether the provider said what the call used.
    """
    _count(
        model,
        ModelUsage(
            calls=1,
            unreported=0 if reported else 1,
            prompt_tokens=tokens.prompt_tokens if tokens else 0,
            completion_tokens=tokens.completion_tokens if tokens else 0,
            cost_usd=cost_usd,
        ),
    )


def count_failed_attempt(model: str) -> None:
    """Counts an attempt that ended without an answer, or was cancelled."""
    _count(model, ModelUsage(failed_attempts=1))


def _count(model: str, usage: ModelUsage) -> None:
    for meter in _open_meters.get():
        meter.add(model, usage)
