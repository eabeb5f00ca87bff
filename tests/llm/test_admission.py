"""Leave for each attempt: what waiting for it costs, how attempts are settled, and what a refusal does to a clip."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from servers import faulty_openai as play
from servers.studio import Studio, asking, quick

from omnidetective.errors import (
    AuthError,
    BadRequestError,
    BudgetReachedError,
    ProviderError,
    RateLimitError,
    TransientError,
)
from omnidetective.llm.admission import left_out_when_refused, result_of_failure
from omnidetective.llm.endpoint import Endpoint
from omnidetective.llm.lanes import ModelLanes, limits_of
from omnidetective.llm.limits.bookkeeper import Bookkeeper
from omnidetective.llm.messages import ChatReply
from omnidetective.llm.metered import Metered
from omnidetective.llm.patience import time_limit
from omnidetective.llm.permits import CallPlan, CallResult, Permit
from omnidetective.llm.prices import Price
from omnidetective.llm.retry import Retried
from omnidetective.settings import LimitSettings, ModelLimits

# A dollar a token of the answer: requests with max_tokens=100 reserve $100, answers of the server cost $7.
PRICE = Price(match="*", prompt=Decimal(0), completion=Decimal(1_000_000), source="", date=date(2026, 1, 1))


def model_at(
    studio: Studio, server: play.FaultyOpenAI, permits: Any, *, limits: ModelLimits | None = None, **retry: Any
) -> Retried:
    inner = studio.model(server)
    lanes = ModelLanes(
        permits,
        Endpoint("openai", server.base_url, key_env="TEST_API_KEY"),
        spec=limits or ModelLimits(),
        settings=LimitSettings(max_cost_usd=Decimal(1000)),
        price_of=lambda _: PRICE,
        parameters={},
    )
    return Retried(Metered(inner, lambda _: PRICE), quick(**retry), lanes=lanes)


async def ask(model: Retried, *, max_tokens: int = 100) -> ChatReply:
    return await model.complete(asking(max_tokens=max_tokens))


class Slow:
    """Gives leave after a while, and remembers how calls ended."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.results: list[CallResult] = []

    async def acquire(self, plan: CallPlan) -> Permit:
        await asyncio.sleep(self._seconds)
        return self

    def settle(self, result: CallResult) -> None:
        self.results.append(result)


async def test_waiting_for_leave_uses_up_no_time_limit(studio: Studio) -> None:
    server = await studio.server([play.server_error(), play.late(play.says("yes"), 0.2)])
    permits = Slow(2.0)
    model = model_at(studio, server, permits, total_s=1.9, call_timeout_s=1.8)
    assert (await ask(model)).text == "yes"
    assert [result.ending for result in permits.results] == ["failed", "answered"]
    assert permits.results[1].tokens == 18
    assert permits.results[1].cost_usd == 7


async def test_a_limit_around_the_call_stands_still_while_it_waits(studio: Studio) -> None:
    server = await studio.server([play.late(play.says("yes"), 0.2)])
    model = model_at(studio, server, Slow(2.5))
    async with time_limit(2.4), time_limit(2.3):
        replies = await asyncio.gather(ask(model), ask(model))
    assert [reply.text for reply in replies] == ["yes", "yes"]
    slow = await studio.server([play.hangs()])
    with pytest.raises(TimeoutError):
        async with time_limit(1.5):
            await ask(model_at(studio, slow, Slow(1.6)))
    assert slow.calls == 1, "the limit goes on when the wait is over"


async def test_work_that_outlives_its_limit_does_not_touch_it(studio: Studio) -> None:
    server = await studio.server([play.says("yes")])
    async with time_limit(5):
        task = asyncio.create_task(ask(model_at(studio, server, Slow(0.2))))
        await asyncio.sleep(0.05)
    assert (await task).text == "yes"


async def test_after_a_429_the_lane_waits_and_not_the_call_besides(studio: Studio) -> None:
    server = await studio.server([play.rate_limited(retry_after="2"), play.says("yes")])
    model = model_at(studio, server, Bookkeeper(), total_s=1.9)
    assert (await ask(model)).text == "yes"
    assert server.seen[1].at_s - server.seen[0].at_s >= 2.0


async def test_an_attempt_says_how_often_its_call_was_refused(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, said, acquire = Bookkeeper(), list[int](), Bookkeeper.acquire

    async def listened(self: Bookkeeper, plan: CallPlan) -> Permit:
        said.append(plan.refusals)
        return await acquire(self, plan)

    monkeypatch.setattr(Bookkeeper, "acquire", listened)
    server = await studio.server([play.rate_limited(retry_after="0.01"), play.server_error(), play.says("yes")])
    assert (await ask(model_at(studio, server, keeper))).text == "yes"
    assert said == [0, 1, 1]


@pytest.mark.parametrize(
    ("script", "spent"),
    [
        ([play.says("yes")], 7),
        ([play.rate_limited(retry_after="0.01"), play.says("yes")], 7),
        ([play.server_error(), play.says("yes")], 7),
        ([play.unauthorized()], 0),
        ([play.hangs(), play.says("yes")], 107),
        ([play.resets_mid_body(), play.says("yes")], 107),
        ([play.truncated_json(), play.says("yes")], 107),
        ([play.says("yes", usage=None)], 100),
        ([play.fails(504), play.says("yes")], 107),
    ],
)
async def test_what_may_have_cost_something_counts_as_spent(
    studio: Studio, script: list[play.Behaviour], spent: int
) -> None:
    server = await studio.server(script)
    keeper = Bookkeeper(cap_usd=Decimal(1000))
    model = model_at(studio, server, keeper, call_timeout_s=3.0)
    with contextlib.suppress(ProviderError):
        await ask(model)
    assert keeper.spent_usd == spent
    assert keeper.in_flight == 0


async def test_a_cancelled_call_may_have_cost_something(studio: Studio) -> None:
    server = await studio.server([play.hangs()])
    keeper = Bookkeeper(cap_usd=Decimal(1000))
    task = asyncio.create_task(ask(model_at(studio, server, keeper)))
    while not server.calls:
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert (keeper.spent_usd, keeper.in_flight) == (100, 0)


async def test_nobody_is_charged_for_a_connection_that_was_refused(studio: Studio) -> None:
    server = await studio.server([])
    keeper = Bookkeeper(cap_usd=Decimal(1000))
    model = model_at(studio, server, keeper)
    await server.__aexit__()
    with pytest.raises(TransientError, match="cannot connect"):
        await ask(model)
    assert keeper.spent_usd == 0


@pytest.mark.parametrize(
    ("error", "ending", "cost"),
    [
        (RateLimitError("x", status=429, retry_after_s=3), "rate_limited", Decimal(0)),
        (BadRequestError("x"), "failed", Decimal(0)),
        (AuthError("x", status=401), "failed", Decimal(0)),
        (TransientError("x", status=503), "failed", Decimal(0)),
        (TransientError("x", status=504), "failed", None),
        (TransientError("x", status=200), "failed", None),
        (TransientError("x"), "failed", None),
        (TransientError("x", sent=False), "failed", Decimal(0)),
        (asyncio.CancelledError(), "failed", None),
        (ValueError("x"), "failed", None),
    ],
)
def test_how_an_attempt_without_an_answer_is_settled(error: BaseException, ending: str, cost: Decimal | None) -> None:
    result = result_of_failure(error)
    assert (result.ending, result.cost_usd) == (ending, cost)


async def test_limits_hold_by_the_name_of_the_model(studio: Studio) -> None:
    server = await studio.server([play.late(play.says("yes"), 0.3)])
    model = model_at(studio, server, Bookkeeper(), limits=ModelLimits(concurrency=1))
    await asyncio.gather(ask(model), ask(model))
    assert server.seen[1].at_s - server.seen[0].at_s >= 0.3


def test_the_users_limits_are_stronger_one_by_one() -> None:
    spec = ModelLimits(requests_per_minute=10, concurrency=1)
    user = {
        "openai:*": ModelLimits(concurrency=2),
        "*:GPT*": ModelLimits(concurrency=3),
        "x:*": ModelLimits(concurrency=9),
    }
    assert limits_of("openai:gpt-4.1", spec, user) == ModelLimits(requests_per_minute=10, concurrency=3)
    assert limits_of("vllm:y", spec, user) == spec


# A clip that is refused money ----------------------------------------------------------------------------------------


async def test_a_refusal_that_is_swallowed_still_leaves_the_clip_out(studio: Studio) -> None:
    server = await studio.server([play.says("yes")])
    model = model_at(studio, server, Bookkeeper(cap_usd=Decimal(50)))

    async def clip(how: str) -> str:
        with left_out_when_refused():
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(ask(model))
            except BaseException as error:
                if how == "swallow":
                    return "a record"
                if how == "replace":
                    raise ValueError("something else") from error
                raise
        return "never"

    for how in ("swallow", "replace", "group"):
        with pytest.raises(BudgetReachedError):
            await clip(how)
    assert server.calls == 0


async def test_a_refusal_waits_for_what_the_clip_has_in_flight(studio: Studio) -> None:
    server = await studio.server([play.late(play.says("yes"), 0.5)])
    model = model_at(studio, server, Bookkeeper(cap_usd=Decimal(150)))
    kept: list[str] = []

    async def keep() -> None:
        kept.append((await ask(model)).text)

    async def clip() -> None:
        with left_out_when_refused():
            await asyncio.gather(keep(), ask(model, max_tokens=200))

    with pytest.raises(BudgetReachedError):
        await clip()
    assert kept == ["yes"]
    assert server.calls == 1, "the answer that is paid for arrived before the clip was left"


async def test_a_clip_that_was_refused_nothing_is_not_touched(studio: Studio) -> None:
    with left_out_when_refused():
        pass
    with pytest.raises(ValueError, match="a fault"), left_out_when_refused():
        raise ValueError("a fault")
