"""What is counted, where, and what it costs."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from servers import faulty_openai as play
from servers.studio import Studio, asking, quick

from omnidetective.errors import AuthError, ConfigError, TransientError
from omnidetective.llm.for_role import ChatForRole
from omnidetective.llm.messages import TokenUsage
from omnidetective.llm.metered import Metered
from omnidetective.llm.prices import Price, PriceTable, built_in_prices, load_prices
from omnidetective.llm.retry import Retried
from omnidetective.llm.scripted import ScriptedChat, reply
from omnidetective.llm.usage import paid_by, usage_scope
from omnidetective.records import ModelUsage

TABLE = """
prices:
  - {match: "openai:*", prompt: "1000", completion: "2000", source: test, date: 2026-11-01}
  - {match: "openai:free-*", prompt: "0", completion: "0", source: test, date: 2026-11-01}
"""


def usage(prompt: int = 1_000_000, completion: int = 1_000_000, **parts: int) -> TokenUsage:
    return TokenUsage(prompt_tokens=prompt, completion_tokens=completion, **parts)


@pytest.fixture
def prices(tmp_path: Path) -> PriceTable:
    path = tmp_path / "prices.yaml"
    path.write_text(TABLE)
    return load_prices(path)


async def test_calls_tokens_and_cost(studio: Studio, prices: PriceTable) -> None:
    server = await studio.server([play.server_error(), play.says("yes"), play.says("yes", usage=None)])
    model = Retried(Metered(studio.model(server), prices.find), quick())
    with usage_scope() as meter:
        await model.complete(asking())
        assert meter.usage() == meter.usage()
        first = meter.usage()
        await model.complete(asking())
    assert first.by_model == {
        "openai:test-model": ModelUsage(
            calls=1, failed_attempts=1, prompt_tokens=11, completion_tokens=7, cost_usd=Decimal("0.025")
        )
    }
    assert first.cost_usd == Decimal("0.025")
    whole = meter.usage()
    assert (whole.calls, whole.unreported, whole.prompt_tokens) == (2, 1, 11)
    assert whole.cost_usd is None, "a call that reported nothing makes the sum unknown"


async def test_an_unknown_price_is_not_zero(studio: Studio) -> None:
    server = await studio.server([play.says("yes")])
    with usage_scope() as meter:
        await Metered(studio.model(server), PriceTable(()).find).complete(asking())
    assert meter.usage().cost_usd is None
    assert meter.usage().calls == 1


async def test_the_script_is_free_even_when_it_reports_nothing() -> None:
    silent = reply("yes").model_copy(update={"usage": None})
    model = Metered(ScriptedChat(["yes", silent]), built_in_prices().find)
    with usage_scope() as meter:
        await model.complete(asking())
        await model.complete(asking())
    assert (meter.usage().cost_usd, meter.usage().unreported) == (0, 1)


async def test_scopes_nest_and_reach_into_tasks() -> None:
    model = Metered(ScriptedChat(lambda _: "yes"), built_in_prices().find)
    with usage_scope() as outer:
        await model.complete(asking())
        with usage_scope() as inner:
            async with asyncio.TaskGroup() as group:
                for _ in range(5):
                    group.create_task(model.complete(asking()))
        with usage_scope() as beside:
            pass
    await model.complete(asking())
    assert (outer.usage().calls, inner.usage().calls, beside.usage().calls) == (6, 5, 0)


async def test_calls_go_on_the_account_of_their_stage_and_role() -> None:
    model = Metered(ScriptedChat(lambda _: "yes"), built_in_prices().find)
    with usage_scope() as meter:
        await model.complete(asking())
        with paid_by(stage="audit"):
            await ChatForRole(model, "auditor").complete(asking())
            async with asyncio.TaskGroup() as group:
                group.create_task(ChatForRole(model, "audio_llm").complete(asking()))
        with paid_by(stage="refine"):
            await ChatForRole(model, "auditor").complete(asking())
    usage = meter.usage()
    assert usage.calls == 4
    assert {stage: used.calls for stage, used in usage.by_stage.items()} == {"audit": 2, "refine": 1}
    assert {role: used.calls for role, used in usage.by_role.items()} == {"auditor": 2, "audio_llm": 1}


async def test_tasks_side_by_side_do_not_mix() -> None:
    model = Metered(ScriptedChat(lambda _: "yes"), built_in_prices().find)

    async def clip(calls: int) -> int:
        with usage_scope() as meter:
            for _ in range(calls):
                await model.complete(asking())
                await asyncio.sleep(0)
        return meter.usage().calls

    assert await asyncio.gather(clip(1), clip(2), clip(3)) == [1, 2, 3]


async def test_failed_and_cancelled_attempts_are_counted(studio: Studio, prices: PriceTable) -> None:
    server = await studio.server([play.hangs(), play.unauthorized()])
    metered = Metered(studio.model(server), prices.find)
    with usage_scope() as meter:
        with pytest.raises(TransientError):
            await Retried(metered, quick(attempts=1, call_timeout_s=0.2)).complete(asking())
        with pytest.raises(AuthError):
            await Retried(metered, quick()).complete(asking())
    assert (meter.usage().calls, meter.usage().failed_attempts) == (0, 2)
    assert meter.usage().cost_usd == 0


def test_the_last_row_that_fits_holds(prices: PriceTable) -> None:
    assert prices.find("openai:gpt").prompt == 1000  # type: ignore[union-attr]
    assert prices.find("openai:free-gpt").prompt == 0  # type: ignore[union-attr]
    assert prices.find("dashscope:qwen") is None
    assert prices.find("embedded:rules").of_tokens(usage()) == 0  # type: ignore[union-attr]


ROW = {"match": "*", "source": "test", "date": "2026-11-01"}


@pytest.mark.parametrize(
    ("row", "used", "cost"),
    [
        ({"prompt": "2", "completion": "8"}, usage(), "10"),
        ({"prompt": "2", "completion": "8"}, usage(1, 1), "0.00001"),
        ({"prompt": "2", "completion": "8", "cached_prompt": "0.5"}, usage(cached_prompt_tokens=400_000), "9.4"),
        ({"prompt": "2", "completion": "8", "cached_prompt": "0.5"}, usage(), "10"),
        ({"prompt": "2", "completion": "8", "audio_prompt": "32"}, usage(audio_prompt_tokens=500_000), "25"),
        ({"prompt": "2", "completion": "8", "audio_prompt": "32"}, usage(), None),
        ({"prompt": "2", "completion": "8", "max_prompt_tokens": 1000}, usage(), None),
        ({"prompt": "2", "completion": "8", "max_prompt_tokens": 1000}, usage(1000, 0), "0.002"),
        ({"audio_minute": "0.006"}, usage(), None),
    ],
)
def test_cost_of_tokens(row: dict[str, object], used: TokenUsage, cost: str | None) -> None:
    found = Price.model_validate({**ROW, **row}).of_tokens(used)
    assert found == (None if cost is None else Decimal(cost))


def test_cost_of_sound() -> None:
    assert Price.model_validate({**ROW, "audio_minute": "0.006"}).of_audio(90.0) == Decimal("0.009")
    assert Price.model_validate({**ROW, "prompt": "1"}).of_audio(90.0) is None


def test_the_built_in_table_is_dated_sourced_and_bound_to_hosts() -> None:
    rows = built_in_prices().rows
    assert len(rows) > 5
    for row in rows:
        assert row.source.startswith("https://")
        assert row.host != "*", "a list price holds where the provider itself serves the model"
    assert built_in_prices().find("openai:gpt-4.1-mini-2025-04-14", host="api.openai.com").prompt == Decimal("0.4")  # type: ignore[union-attr]
    assert built_in_prices().find("openai:gpt-4.1", host="gateway.example") is None


@pytest.mark.parametrize("text", ["prices: [{match: x}]", "prices: 3", "{", ""])
def test_a_broken_table(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"prices\.yaml"):
        load_prices(path)
