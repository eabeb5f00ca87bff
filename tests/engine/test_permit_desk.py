"""A worker's permits and the parent's desk, talking through what is pickled on the wire: laws that always hold."""

from __future__ import annotations

import asyncio
import pickle
import random
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnidetective.engine.permit_desk import PermitDesk
from omnidetective.engine.permit_talk import PermitTalk, Refuse, Settle
from omnidetective.engine.worker_permits import WorkerPermits
from omnidetective.errors import BudgetReachedError
from omnidetective.llm.limits.bookkeeper import Bookkeeper
from omnidetective.llm.permits import CallPlan, CallResult, Lane

CENT = Decimal("0.01")
FREE, ONE = Lane("openai:free", "host"), Lane("openai:one", "host", concurrency=1)
OK = CallResult("answered", tokens=5, cost_usd=CENT)
LIMITED = CallResult("rate_limited", retry_after_s=0.0, cost_usd=Decimal(0))


class Line:
    """A worker and its desk; what they say arrives a few turns of the event loop later, in order."""

    def __init__(self, keeper: Bookkeeper, *, money_is_limited: bool = False, delay: int = 2) -> None:
        self._delay = delay
        self.said = 0
        self.permits = WorkerPermits(self._to_parent, money_is_limited=money_is_limited)
        self.desk = PermitDesk(keeper, self._to_worker)

    def _to_parent(self, talk: PermitTalk) -> None:
        self.said += 1
        self._later(lambda: self.desk.heard(pickle.loads(pickle.dumps(talk))), self._delay)

    def _to_worker(self, talk: PermitTalk) -> None:
        self._later(lambda: self.permits.heard(pickle.loads(pickle.dumps(talk))), self._delay)

    def _later(self, what: object, turns: int) -> None:
        loop = asyncio.get_running_loop()
        if turns:
            loop.call_soon(self._later, what, turns - 1)
        else:
            what()  # type: ignore[operator]


def plan(lane: Lane, cost: Decimal | None = None) -> CallPlan:
    return CallPlan(lane, 0, cost)


async def quiet() -> None:
    for _ in range(60):
        await asyncio.sleep(0)


async def test_on_a_free_lane_nobody_asks_and_what_was_spent_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnidetective.engine.worker_permits._SPENT_EVERY_S", 0.01)
    keeper = Bookkeeper()
    line = Line(keeper)
    for _ in range(100):
        (await line.permits.acquire(plan(FREE))).settle(OK)
    await asyncio.sleep(0.1)
    assert line.said == 2, "the lane, and the sum"
    assert keeper.spent_usd == 100 * CENT


async def test_a_429_on_a_free_lane_brings_all_workers_under_the_books() -> None:
    keeper = Bookkeeper()
    lines = [Line(keeper), Line(keeper)]
    flying = [[await line.permits.acquire(plan(FREE)) for _ in range(8)] for line in lines]
    await quiet()
    assert keeper.in_flight == 0
    flying[0].pop().settle(CallResult("rate_limited", retry_after_s=0.3, cost_usd=Decimal(0)))
    await quiet()
    assert keeper.in_flight == 15
    # Half of what was in flight is borne: 8 of 16.
    waiting = [asyncio.create_task(line.permits.acquire(plan(FREE))) for line in lines]
    for permit in (permit for permits in flying for permit in permits[:3]):
        permit.settle(OK)
    await quiet()
    assert not any(task.done() for task in waiting), "the lane rests"
    await asyncio.sleep(0.4)
    assert keeper.in_flight == 9
    for permit in (permit for permits in flying for permit in permits[3:5]):
        permit.settle(OK)
    await asyncio.wait_for(asyncio.gather(*waiting), 5)
    late = Line(keeper)  # A worker that is started later learns it at once.
    await late.permits.acquire(plan(FREE))
    await quiet()
    assert keeper.in_flight == 8


async def test_a_refusal_arrives_whole() -> None:
    keeper = Bookkeeper(cap_usd=CENT)
    line = Line(keeper, money_is_limited=True)
    with pytest.raises(BudgetReachedError) as caught:
        await line.permits.acquire(plan(FREE, Decimal(1)))
    assert keeper.reached is not None
    assert (caught.value.message, caught.value.hint) == (keeper.reached.message, keeper.reached.hint)


async def test_what_a_dead_worker_had_is_given_back_and_its_money_counts_as_spent() -> None:
    keeper = Bookkeeper(cap_usd=Decimal(1))
    dead, alive = (Line(keeper, money_is_limited=True) for _ in range(2))
    await dead.permits.acquire(plan(ONE, CENT))
    lost = asyncio.create_task(dead.permits.acquire(plan(ONE, CENT)))
    await quiet()
    next_one = asyncio.create_task(alive.permits.acquire(plan(ONE, CENT)))
    await quiet()
    assert not next_one.done()
    dead.desk.close()
    dead.desk.close()
    permit = await asyncio.wait_for(next_one, 5)
    permit.settle(OK)
    await quiet()
    assert (keeper.in_flight, keeper.waiting(), keeper.spent_usd) == (0, (), 2 * CENT)
    lost.cancel()


async def test_a_worker_that_dies_with_several_questions_in_line_gets_no_leave_any_more() -> None:
    keeper = Bookkeeper(cap_usd=Decimal(1))
    dead, alive = (Line(keeper, money_is_limited=True) for _ in range(2))
    lost = [asyncio.create_task(dead.permits.acquire(plan(ONE, CENT))) for _ in range(4)]
    await quiet()
    next_one = asyncio.create_task(alive.permits.acquire(plan(ONE, CENT)))
    await quiet()
    dead.desk.close()
    (await asyncio.wait_for(next_one, 5)).settle(OK)
    await quiet()
    # One cent for the call that had leave, one for the other worker's; those in line were never sent.
    assert (keeper.in_flight, keeper.waiting(), keeper.spent_usd) == (0, (), 2 * CENT)
    for task in lost:
        task.cancel()


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 3), st.booleans())
def test_permits_are_conserved_whatever_is_cancelled_or_dies(seed: int, delay: int, capped: bool) -> None:
    asyncio.run(_any_run(random.Random(seed), delay, capped))


async def _any_run(chance: random.Random, delay: int, capped: bool) -> None:
    keeper = Bookkeeper(cap_usd=Decimal(1000) if capped else None, first_pause_s=0.0)
    lines = [Line(keeper, money_is_limited=capped, delay=delay) for _ in range(3)]
    at_once, most, alive = 0, 0, {0, 1, 2}

    async def call(number: int) -> None:
        nonlocal at_once, most
        lane = chance.choice([FREE, ONE])
        permit = await lines[number].permits.acquire(plan(lane, CENT if capped else None))
        if number not in alive:
            return
        at_once += lane is ONE
        most = max(most, at_once)
        try:
            for _ in range(chance.randrange(6)):
                await asyncio.sleep(0)
        finally:
            at_once -= lane is ONE
            permit.settle(chance.choice([OK, OK, OK, LIMITED, CallResult("failed")]))

    tasks = [(n % 3, asyncio.create_task(call(n % 3))) for n in range(45)]
    for _ in range(40):
        await asyncio.sleep(0)
        what = chance.random()
        if what < 0.3:
            chance.choice(tasks)[1].cancel()
        elif what > 0.97 and 2 in alive:
            alive.remove(2)
            lines[2].desk.close()
            for number, task in tasks:
                if number == 2:
                    task.cancel()
    async with asyncio.timeout(20):
        await asyncio.wait([task for number, task in tasks if number in alive])
        await quiet()
        while keeper.in_flight or keeper.waiting():
            await asyncio.sleep(0.01)
    if 2 in alive:
        assert most <= 1, "the cap on calls at once"


def test_talk_survives_the_wire() -> None:
    talk = PermitTalk((Settle(3, "answered", None, 7, Decimal("0.1")), Refuse(4, "no", "max_cost", "more")))
    again = pickle.loads(pickle.dumps(talk))
    assert again == talk
    assert [type(saying) for saying in again.sayings] == [Settle, Refuse]
