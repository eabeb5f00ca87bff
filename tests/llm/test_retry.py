"""The one retry layer: what is tried again, how long it waits, when it gives up. Counted on the server's side."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import pytest
from servers import faulty_openai as play
from servers.studio import KEY, Studio, asking, quick

from omnidetective.errors import AuthError, BadRequestError, ProviderError, RateLimitError, TransientError
from omnidetective.llm.retry import Clockwork, Retried, with_retries
from omnidetective.llm.scripted import ScriptedChat

Instant = Callable[[], Clockwork]


async def test_a_rate_limit_is_waited_out_as_long_as_asked(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    server = await studio.server([play.rate_limited(retry_after="1"), play.says("hello")])
    model = Retried(studio.model(server), quick())
    with caplog.at_level(logging.INFO, "omnidetective"):
        assert (await model.complete(asking())).text == "hello"
    assert server.calls == 2
    assert 1.0 <= server.seen[1].at_s - server.seen[0].at_s < 1.6
    waits = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert waits == [f"openai:test-model: rate_limit; attempt 1 of 3, waiting {waits[0].rpartition('waiting ')[2]}"]
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (play.unauthorized(), AuthError),
        (play.fails(400, {"message": "no"}), BadRequestError),
        (play.fails(404, {"code": "model_not_found"}), ProviderError),
        (play.fails(429, {"code": "insufficient_quota"}), ProviderError),
        (play.fails(400, {"code": "content_filter"}), ProviderError),
    ],
)
async def test_what_cannot_get_better_is_asked_once(
    studio: Studio, fault: play.Behaviour, error: type[ProviderError]
) -> None:
    server = await studio.server([fault])
    with pytest.raises(error) as caught:
        await Retried(studio.model(server), quick()).complete(asking())
    assert server.calls == 1
    assert caught.value.attempts == 1


@pytest.mark.parametrize(
    "fault",
    [
        play.server_error(),
        play.resets_mid_body(),
        play.truncated_json(),
        play.stops_without_finishing(),
        play.error_in_stream({"message": "x", "code": "internal_error"}),
    ],
)
@pytest.mark.parametrize("must_stream", [False, True])
async def test_what_can_get_better_is_asked_again(studio: Studio, fault: play.Behaviour, must_stream: bool) -> None:
    server = await studio.server([fault, fault, play.says("hello")])
    model = studio.model(server, overrides={"must_stream": must_stream})
    assert (await Retried(model, quick()).complete(asking())).text == "hello"
    assert server.calls == 3


async def test_attempts_are_capped(studio: Studio) -> None:
    server = await studio.server([play.server_error()])
    with pytest.raises(TransientError) as caught:
        await Retried(studio.model(server), quick(attempts=4)).complete(asking())
    assert server.calls == 4
    assert caught.value.attempts == 4


async def test_a_call_that_hangs_is_cut_and_asked_again(studio: Studio) -> None:
    server = await studio.server([play.hangs(), play.says("hello")])
    started = time.monotonic()
    model = Retried(studio.model(server), quick(call_timeout_s=0.3))
    assert (await model.complete(asking())).text == "hello"
    assert time.monotonic() - started < 3


async def test_all_attempts_together_have_a_time(studio: Studio) -> None:
    server = await studio.server([play.hangs()])
    started = time.monotonic()
    with pytest.raises(TransientError):
        await Retried(studio.model(server), quick(attempts=50, call_timeout_s=0.2, total_s=0.7)).complete(asking())
    assert time.monotonic() - started < 2
    assert 2 <= server.calls <= 4


async def test_a_wait_beyond_the_time_left_is_not_begun(instant: Instant, sleeps: list[float]) -> None:
    model = ScriptedChat([RateLimitError("later", retry_after_s=400.0), "hello"])
    with pytest.raises(RateLimitError) as caught:
        await Retried(model, quick(total_s=300.0), clockwork=instant()).complete(asking())
    assert sleeps == []
    assert caught.value.attempts == 1


async def test_waits_grow_and_are_capped(instant: Instant, sleeps: list[float]) -> None:
    model = ScriptedChat([TransientError("no")] * 8 + ["hello"])
    settings = quick(attempts=9, first_wait_s=1.0, max_wait_s=10.0, total_s=1000.0)
    assert (await Retried(model, settings, clockwork=instant()).complete(asking())).text == "hello"
    assert sleeps == [0.75, 1.5, 3.0, 6.0, 7.5, 7.5, 7.5, 7.5]


async def test_retry_after_is_never_undercut_and_may_exceed_the_cap(instant: Instant, sleeps: list[float]) -> None:
    model = ScriptedChat([RateLimitError("later", retry_after_s=s) for s in (90.0, 0.0)] + ["hello"])
    await Retried(model, quick(max_wait_s=5.0, total_s=1000.0), clockwork=instant()).complete(asking())
    assert sleeps == [90.5, 0.0]


async def test_a_fault_of_the_program_is_not_repeated() -> None:
    model = ScriptedChat([ZeroDivisionError("oops"), "hello"])
    with pytest.raises(ZeroDivisionError):
        await Retried(model, quick()).complete(asking())
    assert len(model.requests) == 1


async def test_cancelling_ends_the_wait() -> None:
    async def fail() -> str:
        raise TransientError("no")

    task = asyncio.create_task(with_retries("m", fail, quick(first_wait_s=30.0, total_s=100.0)))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 1)
