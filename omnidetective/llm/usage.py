"""Counting calls and tokens: every model call is counted in every scope that is open around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from threading import Lock

from omnidetective.llm.messages import TokenUsage
from omnidetective.records import ModelUsage, Usage


@dataclass(frozen=True, slots=True)
class _Payer:
    """On whose account a call goes."""

    model: str
    stage: str
    role: str


class Meter:
    """What was spent inside one scope. It can be read at any time, also after the scope has closed."""

    def __init__(self) -> None:
        self._by_payer: dict[_Payer, ModelUsage] = {}
        self._counted: list[tuple[_Payer, ModelUsage]] = []  # not added up yet: a scope is seldom looked at
        self._lock = Lock()  # an observer may call from a thread

    def usage(self) -> Usage:
        """The sum, and the same by model, stage and role. A cost is ``None`` as soon as one part of it is unknown."""
        by_payer = self._added_up()
        total = self.total()
        return Usage(
            **{name: getattr(total, name) for name in ModelUsage.model_fields},
            by_model=_summed((payer.model, usage) for payer, usage in by_payer.items()),
            by_stage=_summed((payer.stage, usage) for payer, usage in by_payer.items() if payer.stage),
            by_role=_summed((payer.role, usage) for payer, usage in by_payer.items() if payer.role),
        )

    def total(self) -> ModelUsage:
        """The sum alone."""
        return sum(self._added_up().values(), ModelUsage())

    def add(self, payer: _Payer, usage: ModelUsage) -> None:
        """Counts something on an account."""
        with self._lock:
            self._counted.append((payer, usage))

    def _added_up(self) -> dict[_Payer, ModelUsage]:
        with self._lock:
            for payer, usage in self._counted:
                earlier = self._by_payer.get(payer)
                self._by_payer[payer] = usage if earlier is None else earlier + usage
            self._counted.clear()
            return dict(self._by_payer)


_open_meters: ContextVar[tuple[Meter, ...]] = ContextVar("open_meters", default=())
_stage: ContextVar[str] = ContextVar("paying_stage", default="")
_role: ContextVar[str] = ContextVar("paying_role", default="")


@contextmanager
def usage_scope() -> Iterator[Meter]:
    """Counts what is called inside, in tasks started inside too. Scopes nest; each counts everything within it."""
    meter = Meter()
    token = _open_meters.set((*_open_meters.get(), meter))
    try:
        yield meter
    finally:
        _open_meters.reset(token)


@contextmanager
def paid_by(*, stage: str | None = None, role: str | None = None) -> Iterator[None]:
    """Names the stage or the role on whose account the calls inside go, in tasks started inside too."""
    stage_token = None if stage is None else _stage.set(stage)
    role_token = None if role is None else _role.set(role)
    try:
        yield
    finally:
        if role_token is not None:
            _role.reset(role_token)
        if stage_token is not None:
            _stage.reset(stage_token)


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


def count_cached_call(model: str) -> None:
    """Counts a call that was answered from the cache, for nothing."""
    _count(model, ModelUsage(cached_calls=1))


def count_failed_attempt(model: str) -> None:
    """Counts an attempt that ended without an answer, or was cancelled."""
    _count(model, ModelUsage(failed_attempts=1))


def _count(model: str, usage: ModelUsage) -> None:
    payer = _Payer(model, _stage.get(), _role.get())
    for meter in _open_meters.get():
        meter.add(payer, usage)


def _summed(items: Iterable[tuple[str, ModelUsage]]) -> dict[str, ModelUsage]:
    sums: dict[str, ModelUsage] = {}
    for name, usage in items:
        sums[name] = sums.get(name, ModelUsage()) + usage
    return sums
