"""How many calls, tokens, dollars and seconds are expected: numbers with a lower and an upper end. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple


class Size(NamedTuple):
    """An amount that is not known exactly, of one call."""

    low: float
    high: float

    def plus(self, *others: Size) -> Size:
        """The sum."""
        return Size(self.low + sum(o.low for o in others), self.high + sum(o.high for o in others))

    def times(self, low: float, high: float | None = None) -> Size:
        """So many of it."""
        return Size(self.low * low, self.high * (low if high is None else high))

    def at_most(self, most: float | None) -> Size:
        """The same under a limit."""
        return self if most is None else Size(min(self.low, most), min(self.high, most))


NOTHING = Size(0.0, 0.0)


def exactly(amount: float) -> Size:
    """An amount that is known."""
    return Size(amount, amount)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is expected of many calls.

    Attributes:
        low: when nothing is found wrong and nothing is asked twice.
        high: when every stage has all the work that it usually can have.
        most: when, besides, every answer has to be repaired as often as the settings allow.
    """

    low: float = 0.0
    high: float = 0.0
    most: float = 0.0

    def __add__(self, other: Bounds) -> Bounds:
        return Bounds(self.low + other.low, self.high + other.high, self.most + other.most)

    def times(self, low: float, high: float) -> Bounds:
        """So many of them."""
        return Bounds(self.low * low, self.high * high, self.most * high)


@dataclass(frozen=True, slots=True)
class Question:
    """One call.

    Attributes:
        prompt: tokens of the prompt, media included.
        completion: tokens of the answer.
        sound: the part of the prompt's tokens that is sound, which some providers charge differently.
        sound_s: seconds of sound sent to a recogniser that is paid by the minute.
    """

    prompt: Size
    completion: Size
    sound: Size = NOTHING
    sound_s: Size = NOTHING


@dataclass(frozen=True, slots=True)
class Expected:
    """The calls of one stage to one role.

    Attributes:
        stage: of the workflow.
        role: who is asked; ``witnesses`` where it is the detective's choice, or the auditor's.
        roles: the roles that ``role`` stands for.
        models: who plays them, ``provider:model``.
        cost_usd: ``None`` where a price is unknown.
        in_row_s: seconds of waiting that add to the time of a clip; calls made side by side count once.
        unpriced: those of ``models`` whose price is unknown.
    """

    stage: str
    role: str
    roles: tuple[str, ...]
    models: tuple[str, ...]
    calls: Bounds
    prompt: Bounds
    completion: Bounds
    cost_usd: Bounds | None
    in_row_s: Bounds = Bounds()
    unpriced: tuple[str, ...] = ()

    def __add__(self, other: Expected) -> Expected:
        """The same stage and role, of other clips."""
        known = self.cost_usd is not None and other.cost_usd is not None
        return Expected(
            stage=self.stage,
            role=self.role,
            roles=tuple(dict.fromkeys((*self.roles, *other.roles))),
            models=tuple(dict.fromkeys((*self.models, *other.models))),
            calls=self.calls + other.calls,
            prompt=self.prompt + other.prompt,
            completion=self.completion + other.completion,
            cost_usd=(self.cost_usd or Bounds()) + (other.cost_usd or Bounds()) if known else None,
            in_row_s=self.in_row_s + other.in_row_s,
            unpriced=tuple(dict.fromkeys((*self.unpriced, *other.unpriced))),
        )

    def times(self, low: float, high: float) -> Expected:
        """The same for so many clips."""
        return replace(
            self,
            calls=self.calls.times(low, high),
            prompt=self.prompt.times(low, high),
            completion=self.completion.times(low, high),
            cost_usd=None if self.cost_usd is None else self.cost_usd.times(low, high),
            in_row_s=self.in_row_s.times(low, high),
        )

    def waiting(self, share: float) -> Expected:
        """The same, of which only a share adds to the time of a clip: the rest is waited for meanwhile."""
        return replace(self, in_row_s=self.in_row_s.times(share, share))

    def from_low_to(self, other: Expected) -> Expected:
        """The lower end of this and the upper ends of another."""
        known = self.cost_usd is not None and other.cost_usd is not None
        return replace(
            self,
            calls=_spanned(self.calls, other.calls),
            prompt=_spanned(self.prompt, other.prompt),
            completion=_spanned(self.completion, other.completion),
            cost_usd=_spanned(self.cost_usd or Bounds(), other.cost_usd or Bounds()) if known else None,
            in_row_s=_spanned(self.in_row_s, other.in_row_s),
        )


def _spanned(low: Bounds, high: Bounds) -> Bounds:
    return Bounds(low.low, high.high, high.most)


def one_of(expected: Iterable[Expected], role: str) -> Expected | None:
    """Calls of which it is not known whom they will go to: from the cheapest to the dearest.

    Args:
        expected: the same calls, as if all went to one of them.
        role: what to call them together.
    """
    each = tuple(expected)
    if not each:
        return None
    costs = [one.cost_usd for one in each]
    return Expected(
        stage=each[0].stage,
        role=role,
        roles=tuple(name for one in each for name in one.roles),
        models=tuple(dict.fromkeys(name for one in each for name in one.models)),
        calls=_widest(one.calls for one in each),
        prompt=_widest(one.prompt for one in each),
        completion=_widest(one.completion for one in each),
        cost_usd=None if None in costs else _widest(cost for cost in costs if cost is not None),
        in_row_s=_widest(one.in_row_s for one in each),
        unpriced=tuple(dict.fromkeys(name for one in each for name in one.unpriced)),
    )


def _widest(all_of_them: Iterable[Bounds]) -> Bounds:
    some = tuple(all_of_them)
    return Bounds(min(b.low for b in some), max(b.high for b in some), max(b.most for b in some))


def joined(expected: Iterable[Expected]) -> tuple[Expected, ...]:
    """One entry for each stage and role, in the order in which they come."""
    sums: dict[tuple[str, str], Expected] = {}
    for one in expected:
        key = (one.stage, one.role)
        sums[key] = sums[key] + one if key in sums else one
    return tuple(sums.values())


def by_role(expected: Iterable[Expected]) -> dict[str, Bounds]:
    """Role → its calls. A role that shares its calls with others may get none of them, or all."""
    sums: dict[str, Bounds] = {}
    for one in expected:
        for role in one.roles:
            calls = one.calls if len(one.roles) == 1 else Bounds(0.0, one.calls.high, one.calls.most)
            sums[role] = sums.get(role, Bounds()) + calls
    return sums
