"""The books of limits and money: laws that hold whatever is asked, answered, cancelled or refused, and when."""

from __future__ import annotations

import asyncio
import logging
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from omnidetective.errors import BudgetReachedError
from omnidetective.llm.limits.bookkeeper import Bookkeeper
from omnidetective.llm.limits.books import Books, in_words
from omnidetective.llm.limits.bucket import Bucket
from omnidetective.llm.limits.window import RECOVERY_S, Window
from omnidetective.llm.permits import CallPlan, CallResult, Lane

CENT = Decimal("0.01")
FREE = Lane("openai:free", "host")
OK = CallResult("answered", tokens=10, cost_usd=CENT)


def plan(lane: Lane = FREE, tokens: int = 0, cost: Decimal | None = CENT) -> CallPlan:
    return CallPlan(lane, tokens, cost)


def limited(retry_after_s: float | None = None) -> CallResult:
    return CallResult("rate_limited", retry_after_s=retry_after_s, cost_usd=Decimal(0))


# Buckets -------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(1, 300), st.lists(st.floats(0, 40), min_size=1, max_size=200))
def test_never_more_requests_than_allowed_in_any_minute(per_minute: int, rests: list[float]) -> None:
    """Whoever takes as soon as it is allowed, and rests in between, stays within every window of 60 seconds."""
    now, taken = 0.0, list[float]()
    bucket = Bucket.of_requests(per_minute, now)
    for rest in rests:
        while (wait := bucket.wait_s(1, now)) > 0:
            now += wait
        bucket.take(1, now)
        taken.append(now)
        now += rest if len(taken) % 5 == 0 else 0
    for first, begin in enumerate(taken):
        assert sum(begin <= at < begin + 60 for at in taken[first:]) <= per_minute


@settings(deadline=None)
@given(st.integers(60, 10**6), st.lists(st.tuples(st.integers(1, 50_000), st.floats(0, 20)), min_size=1, max_size=100))
def test_tokens_a_minute_and_a_quarter_and_one_call(per_minute: int, calls: list[tuple[int, float]]) -> None:
    now, taken = 0.0, list[tuple[float, int]]()
    bucket = Bucket.of_tokens(per_minute, now)
    for tokens, rest in calls:
        while (wait := bucket.wait_s(tokens, now)) > 0:
            now += wait
        bucket.take(tokens, now)
        taken.append((now, tokens))
        now += rest
    largest = max(tokens for tokens, _ in calls)
    for first, (begin, _) in enumerate(taken):
        assert sum(t for at, t in taken[first:] if at < begin + 60) <= 1.25 * per_minute + largest + 1


def test_what_was_taken_in_error_can_be_taken_again_and_a_debt_is_made_up_for() -> None:
    bucket = Bucket.of_tokens(400, 0.0)
    bucket.take(100, 0.0)
    assert bucket.wait_s(100, 0.0) == pytest.approx(15)
    bucket.give_back(100, 0.0)
    assert bucket.wait_s(100, 0.0) == 0
    bucket.take(50, 0.0)
    bucket.give_back(-150, 0.0)
    assert bucket.wait_s(1, 0.0) == pytest.approx(101 / 400 * 60)


# The window ----------------------------------------------------------------------------------------------------------


def test_a_burst_of_429s_halves_once() -> None:
    window = Window()
    for serial in range(1, 33):
        window.rate_limited(serial, newest=32, in_flight=33 - serial, now=0.0)
    assert window.size == 16
    window.rate_limited(33, newest=40, in_flight=16, now=1.0)
    assert window.size == 8


def test_it_comes_back_within_a_minute_and_only_where_it_is_used() -> None:
    window = Window()
    window.rate_limited(1, newest=1, in_flight=20, now=0.0)
    now = 0.0
    for serial in range(2, 602):
        now += RECOVERY_S / 600
        window.answered(serial, in_flight=1, seconds=0.2, now=now)
    assert window.size == 10
    for serial in range(602, 1202):
        now += RECOVERY_S / 600
        window.answered(serial, in_flight=25, seconds=0.2, now=now)
    assert 20 <= window.size <= 30


def test_failures_pause_growth_and_nothing_else() -> None:
    window = Window()
    window.failed(newest=5)
    assert window.size is None
    window.rate_limited(6, newest=6, in_flight=4, now=0.0)
    window.failed(newest=10)
    for serial in range(7, 11):
        window.answered(serial, in_flight=4, seconds=1, now=float(serial))
    assert window.size == 2
    window.answered(11, in_flight=4, seconds=1, now=11.0)
    assert window.size > 2


def test_below_one_call_at_once_there_is_a_rest_between_calls() -> None:
    window = Window()
    window.answered(1, in_flight=1, seconds=0.1, now=0.0)
    for serial in (2, 3, 4):
        window.rate_limited(serial, newest=serial, in_flight=1, now=0.0)
    assert window.size == 0.125
    assert window.spacing_s == pytest.approx(0.8)
    assert window.has_room(0)
    assert not window.has_room(1)


# Whatever happens ----------------------------------------------------------------------------------------------------

LANES = (
    FREE,
    Lane("openai:few", "host", concurrency=2),
    Lane("openai:slow", "host", requests_per_minute=60),
    Lane("openai:short", "host", tokens_per_minute=600),
)
COSTS = st.integers(0, 30).map(lambda cents: cents * CENT)


class AnyRun(RuleBasedStateMachine):
    """Calls are asked for, end in every way, are given up, and their workers die; time goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.cap = Decimal(2)
        self.books = Books(cap_usd=self.cap)
        self.planned: dict[int, CallPlan] = {}
        self.waiting: list[int] = []
        self.flying: list[int] = []
        self.refused = False
        self.over = Decimal(0)

    def go_on(self) -> None:
        for decision in self.books.decide(self.now):
            self.waiting.remove(decision.ticket)
            gone = self.planned[decision.ticket]
            alike = [t for t in self.waiting if self.planned[t].lane == gone.lane]
            alike = [t for t in alike if self.planned[t].refusals == gone.refusals]
            earlier = [t for t in alike if t < decision.ticket]
            assert not earlier, "somebody was overtaken"
            if decision.refusal is not None:
                self.refused = True
            else:
                assert not self.refused, "leave after a refusal"
                self.flying.append(decision.ticket)

    @rule(lane=st.sampled_from(LANES), tokens=st.integers(0, 500), cost=COSTS, refusals=st.integers(0, 2))
    def ask(self, lane: Lane, tokens: int, cost: Decimal, refusals: int) -> None:
        asked = CallPlan(lane, tokens, cost, refusals)
        ticket = self.books.ask(asked, self.now)
        self.planned[ticket] = asked
        self.waiting.append(ticket)
        self.go_on()

    @precondition(lambda self: self.flying)
    @rule(
        data=st.data(),
        ending=st.sampled_from(["answered", "rate_limited", "failed"]),
        share=st.one_of(st.none(), st.floats(0, 1.2)),
        retry_after=st.one_of(st.none(), st.floats(0, 5)),
    )
    def settle(self, data: st.DataObject, ending: str, share: float | None, retry_after: float | None) -> None:
        ticket = data.draw(st.sampled_from(self.flying))
        self.flying.remove(ticket)
        reserved = self.planned[ticket].cost_usd or Decimal(0)
        cost = None if share is None else (reserved * Decimal(share)).quantize(CENT)
        self.over += max(Decimal(0), (cost or Decimal(0)) - reserved)
        self.books.settle(ticket, CallResult(ending, retry_after, 5, cost), self.now)  # type: ignore[arg-type]
        self.books.settle(ticket, OK, self.now)  # A second time changes nothing.
        self.go_on()

    @precondition(lambda self: self.waiting or self.flying)
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self.waiting + self.flying))
        (self.waiting if ticket in self.waiting else self.flying).remove(ticket)
        self.books.abandon(ticket, self.now)
        self.books.abandon(ticket, self.now)
        self.go_on()

    @precondition(lambda self: self.flying)
    @rule()
    def die(self) -> None:
        for ticket in self.flying:
            self.books.settle(ticket, CallResult("failed"), self.now)
        self.flying.clear()
        self.go_on()

    @rule(seconds=st.floats(0, 10))
    def time_goes_on(self, seconds: float) -> None:
        self.now += seconds
        self.go_on()

    @invariant()
    def permits_are_conserved(self) -> None:
        assert self.books.in_flight == len(self.flying)
        assert sum(w.calls for w in self.books.waiting(self.now)) == len(self.waiting)

    @invariant()
    def concurrency_holds(self) -> None:
        assert sum(self.planned[t].lane == LANES[1] for t in self.flying) <= 2

    @invariant()
    def the_cap_holds(self) -> None:
        budget = self.books.budget
        assert budget.reserved_usd == sum((self.planned[t].cost_usd or Decimal(0) for t in self.flying), Decimal(0))
        assert budget.spent_usd + budget.reserved_usd <= self.cap + self.over

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        """While somebody waits, a call is in flight or a time is known at which to look again."""
        if self.waiting and not self.flying:
            assert self.books.next_change_s(self.now) is not None

    def teardown(self) -> None:
        """When all calls end, all who wait get leave or are refused, in time."""
        for _ in range(10_000):
            if not self.waiting and not self.flying:
                break
            for ticket in self.flying:
                self.books.settle(ticket, CallResult("answered", cost_usd=Decimal(0)), self.now)
            self.flying.clear()
            self.go_on()
            self.now += (self.books.next_change_s(self.now) or 0) + 1e-6
            self.go_on()
        assert not self.waiting
        assert not self.books.waiting(self.now)


TestAnyRun = AnyRun.TestCase
TestAnyRun.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


# Money ---------------------------------------------------------------------------------------------------------------


def decided(books: Books, *, now: float = 0.0) -> dict[int, bool]:
    """What was decided now: ticket → leave."""
    return {decision.ticket: decision.refusal is None for decision in books.decide(now)}


def test_a_call_waits_while_calls_in_flight_may_cost_less_than_they_reserved() -> None:
    books = Books(cap_usd=Decimal("0.10"))
    dear, same = (books.ask(plan(cost=Decimal("0.06")), 0.0) for _ in range(2))
    assert decided(books) == {dear: True}
    assert [w.why for w in books.waiting(0.0)] == ["money"]
    assert in_words(books.waiting(0.0)) == "1 call of openai:free waits for money that calls in flight have reserved"
    books.settle(dear, CallResult("answered", cost_usd=CENT), 0.0)
    assert decided(books) == {same: True}
    books.settle(same, CallResult("failed"), 0.0)
    assert books.budget.spent_usd == Decimal("0.07"), "what may have cost something counts"
    last = books.ask(plan(cost=Decimal("0.04")), 0.0)
    (refusal,) = books.decide(0.0)
    assert (refusal.ticket, refusal.refusal is not None) == (last, True)
    assert books.budget.largest_usd == Decimal("0.06")
    cheap = books.ask(plan(cost=Decimal(0)), 0.0)
    assert decided(books) == {cheap: False}, "the run ends with the first refusal"


def test_a_large_call_that_waits_for_money_is_not_overtaken_by_small_ones_of_other_lanes() -> None:
    books = Books(cap_usd=Decimal("0.10"))
    first = books.ask(plan(cost=Decimal("0.05")), 0.0)
    large = books.ask(plan(cost=Decimal("0.08")), 0.0)
    assert decided(books) == {first: True}
    books.ask(plan(LANES[1]), 0.0)
    assert decided(books) == {}
    books.settle(first, CallResult("answered", cost_usd=CENT), 0.0)
    assert large in decided(books)


def test_what_earlier_runs_have_spent_counts_and_an_unpriced_call_is_refused() -> None:
    books = Books(cap_usd=Decimal(1), spent_usd=Decimal("0.995"))
    books.ask(plan(), 0.0)
    (decision,) = books.decide(0.0)
    assert "$0.9950 of $1 are spent" in str(decision.refusal)
    books = Books(cap_usd=Decimal(1))
    books.ask(plan(cost=None), 0.0)
    (decision,) = books.decide(0.0)
    assert decision.refusal is not None
    assert decision.refusal.reason == "unpriced_call"
    free = Books()
    ticket = free.ask(plan(cost=None), 0.0)
    assert decided(free) == {ticket: True}


# Pauses --------------------------------------------------------------------------------------------------------------


def test_a_pause_holds_for_everybody_and_is_doubled_while_no_answer_comes() -> None:
    books = Books(first_pause_s=1.0, longest_pause_s=3.0)
    other = books.ask(plan(LANES[1]), 0.0)
    assert decided(books) == {other: True}
    now, pauses = 0.0, list[float]()
    for _ in range(4):
        ticket = books.ask(plan(), now)
        assert decided(books, now=now) == {ticket: True}
        complaint = books.settle(ticket, limited(), now)
        assert complaint is not None
        pauses.append(complaint.pause_s)
        blocked = books.ask(plan(), now)
        assert decided(books, now=now + complaint.pause_s - 0.01) == {}
        books.abandon(blocked, now)
        now += complaint.pause_s + 0.001
    assert pauses == [1.0, 2.0, 3.0, 3.0]
    ticket = books.ask(plan(), now)
    books.decide(now)
    books.settle(ticket, OK, now)
    ticket = books.ask(plan(), now)
    books.decide(now)
    complaint = books.settle(ticket, limited(), now)
    assert complaint is not None
    assert 0.5 < complaint.pause_s < 1.0, "of the shortest pause, the share of calls that are refused"


def test_refused_calls_go_last_while_the_lane_is_in_doubt_and_first_when_it_is_open_again() -> None:
    lane = Lane("openai:one", "host", concurrency=1)
    books = Books(first_pause_s=1.0)
    early = books.ask(plan(lane), 0.0)
    books.decide(0.0)
    books.settle(early, limited(), 0.0)
    again = [books.ask(CallPlan(lane, 0, CENT, refusals), 0.0) for refusals in (1, 2, 2)]
    fresh = [books.ask(plan(lane), 0.0) for _ in range(2)]
    late = books.ask(plan(lane), 0.0)
    went, now = list[int](), 0.0
    while books.waiting(now):
        now += 2.0
        for ticket in decided(books, now=now):
            went.append(ticket)
            books.settle(ticket, OK, now + 0.5)
    assert went == [*fresh, again[1], again[2], again[0], late]


# On an event loop ----------------------------------------------------------------------------------------------------


async def test_without_limits_nobody_waits() -> None:
    keeper = Bookkeeper()
    permits = [await keeper.acquire(plan()) for _ in range(1000)]
    assert keeper.in_flight == 1000
    for permit in permits:
        permit.settle(OK)
    assert (keeper.in_flight, keeper.spent_usd) == (0, 1000 * CENT)


async def test_a_caller_that_is_cancelled_has_taken_nothing() -> None:
    keeper = Bookkeeper()
    lane = Lane("openai:one", "host", concurrency=1)
    permit = await keeper.acquire(plan(lane))
    waiting = [asyncio.create_task(keeper.acquire(plan(lane))) for _ in range(3)]
    await asyncio.sleep(0)
    assert [w.calls for w in keeper.waiting()] == [3]
    waiting[0].cancel()
    permit.settle(OK)  # Leave for the first is on its way when it is cancelled, or goes to the second.
    await asyncio.sleep(0)
    waiting[1].cancel()
    last = await asyncio.wait_for(waiting[2], 5)
    assert keeper.in_flight == 1
    last.settle(OK)
    assert keeper.in_flight == 0
    assert keeper.spent_usd == 2 * CENT


async def test_a_long_pause_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    keeper = Bookkeeper()
    permits = [await keeper.acquire(plan()) for _ in range(5)]
    with caplog.at_level(logging.WARNING, "omnidetective"):
        permits[0].settle(limited(3))
        for permit in permits[1:]:
            permit.settle(limited(30))
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("openai:free at host: too many calls (HTTP 429): none are made for 30 s, until ")
    task = asyncio.create_task(keeper.acquire(plan()))
    await asyncio.sleep(0)
    (waiting,) = keeper.waiting()
    assert (waiting.why, waiting.calls) == ("paused", 1)
    assert in_words(keeper.waiting()).startswith("1 call of openai:free waits for a rest that the provider asked for, ")
    task.cancel()


async def test_a_refusal_is_told_once_and_raised_for_each() -> None:
    keeper = Bookkeeper(cap_usd=CENT)
    told: list[BudgetReachedError] = []
    keeper.when_refused(told.append)
    permit = await keeper.acquire(plan())
    second = asyncio.create_task(keeper.acquire(plan()))
    third = asyncio.create_task(keeper.acquire(plan()))
    await asyncio.sleep(0)
    permit.settle(OK)
    results = await asyncio.gather(second, third, return_exceptions=True)
    assert [type(result) for result in results] == [BudgetReachedError, BudgetReachedError]
    assert len(told) == 1
    assert keeper.spent_usd == CENT
