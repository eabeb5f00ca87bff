"""MCP servers and tools that misbehave: the inquiry gets an error, the next one an answer."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from observers.mcp.conftest import HttpServer, Opened, alive, answered, asked, refused, stdio, until

from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import OtherEvidence
from omnidetective.observers.base import Observer

ODD = stdio("mcp_tools.py", "odd")


def process(told: str) -> int:
    """The server's process, as the tool `tells` has told it."""
    return int(told.split("process ")[1])


async def gives_up(box: dict[str, Observer], clip: Path, question: str) -> None:
    """Ask what is never answered, until the server is at it; then give up, until the server has heard of it."""
    inquiry = asyncio.create_task(asked(box["box_hangs"], clip, question))
    while question not in (await answered(box["box_tells"], clip)).split("cancelled:")[0]:
        await asyncio.sleep(0.05)
    inquiry.cancel()
    with pytest.raises(asyncio.CancelledError):
        await inquiry
    while question not in (await answered(box["box_tells"], clip)).split("cancelled:")[1]:
        await asyncio.sleep(0.05)


async def test_a_tool_that_raises_is_an_error_with_a_bounded_reason(opened: Opened, tone: Path) -> None:
    box = await opened(mcp=ODD)
    reason, message = await refused(box["box_raises"], tone)
    assert reason == "tool_error"
    assert "the lamp is broken" in message
    assert message.isprintable()
    assert len(message) < 400
    assert await answered(box["box_reports"], tone) == "done"


async def test_a_question_that_is_given_up_is_cancelled_at_the_server(opened: Opened, tone: Path) -> None:
    box = await opened(mcp=ODD)
    before = await answered(box["box_tells"], tone)
    assert (await refused(box["box_hangs"], tone, "Who waits?", timeout_s=1))[0] == "observer_timeout"
    await gives_up(box, tone, "Who hangs?")
    assert process(await answered(box["box_tells"], tone)) == process(before)


@pytest.mark.integration
async def test_a_server_that_hangs_is_started_anew(opened: Opened, tone: Path, tmp_path: Path) -> None:
    box = await opened(mcp=ODD, load_timeout_s=60)
    before = await answered(box["box_tells"], tone)
    inquiry = asyncio.create_task(asked(box["box_blocks"], tone, str(tmp_path / "blocked")))
    await until((tmp_path / "blocked").exists)
    inquiry.cancel()
    # It does not wait long enough for a new server, but the next one finds it.
    await asked(box["box_tells"], tone, timeout_s=1)
    assert process(await answered(box["box_tells"], tone)) != process(before)
    assert not alive(process(before))


async def test_a_server_that_dies_in_a_call_is_started_anew(opened: Opened, tone: Path) -> None:
    box = await opened(mcp=ODD)
    reason, message = await refused(box["box_dies"], tone)
    assert reason == "server_died"
    assert "it said last: out of memory, I leave" in message
    assert "process" in await answered(box["box_tells"], tone)


async def test_a_death_costs_the_questions_that_the_server_had_and_no_more(opened: Opened, tone: Path) -> None:
    box = await opened(mcp=ODD)
    await answered(box["box_reports"], tone)
    tools = ["reports", "dies", "hangs"] * 5
    all_of_them = await asyncio.gather(*(asked(box[f"box_{tool}"], tone, timeout_s=10) for tool in tools))
    for tool, one in zip(tools, all_of_them, strict=True):
        if one.error is None:
            assert (tool, one.answer) == ("reports", "done")
        else:
            assert one.error.reason in ("server_died", "server_unavailable", "observer_timeout"), one.error
    assert await answered(box["box_reports"], tone) == "done"


@pytest.mark.integration
async def test_a_server_that_hangs_is_started_anew_while_others_wait_for_it(
    opened: Opened, tone: Path, tmp_path: Path
) -> None:
    box = await opened(mcp=ODD, load_timeout_s=60)
    before = await answered(box["box_tells"], tone)
    waiting = asyncio.create_task(asked(box["box_blocks"], tone, str(tmp_path / "blocked")))
    await until((tmp_path / "blocked").exists)
    while (told := await asked(box["box_tells"], tone, timeout_s=2)).error is not None:
        assert told.error.reason == "observer_timeout"
    assert process(told.answer) != process(before)
    ended = await waiting
    assert ended.error is not None
    assert ended.error.reason == "server_died"


async def test_an_answer_of_100_mb_costs_its_inquiry_only(opened: Opened, tone: Path) -> None:
    box = await opened(mcp=ODD)
    before = await answered(box["box_tells"], tone)
    reason, message = await refused(box["box_huge"], tone)
    assert (reason, "its answer is larger than 16 MB" in message) == ("too_large", True)
    assert await answered(box["box_tells"], tone) == before
    other = await opened(mcp=stdio("mcp_faulty.py", "huge"))
    assert (await refused(other["box"], tone))[0] == "too_large"


async def test_a_long_answer_is_cut_and_says_so(opened: Opened, tone: Path) -> None:
    box = await opened(mcp=ODD)
    answer = await answered(box["box_long"], tone)
    assert 49_000 < len(answer) < 51_000
    assert answer.endswith("\n[cut here: the tool said 1,000,000 characters]")
    many = await asked(box["box_many_values"], tone)
    assert many.error is None
    assert many.data is None
    assert "[structured content of" in many.answer


async def test_what_a_tool_gives_back_besides_text(opened: Opened, tone: Path) -> None:
    box = await opened(mcp=ODD)
    assert (
        await answered(box["box_pictures"], tone) == "a lamp\n[a picture, image/png, 3 kB, which is not kept]\na memo"
    )
    numbers = await asked(box["box_numbers"], tone)
    assert isinstance(numbers.data, OtherEvidence)
    assert numbers.data.values["brightness"] == 0.5
    assert numbers.data.values["deep"] == [{"count": 3}]
    assert numbers.data.values["endless"] is None
    assert (await refused(box["box_says_nothing"], tone))[0] == "empty"
    assert (await refused(box["box_short_only"], tone, "too long a question"))[0] == "bad_arguments"
    assert await answered(box["box_short_only"], tone, "short") == "short"


async def test_children_of_a_server_end_with_it(opened: Opened, tone: Path) -> None:
    box = await opened(mcp=ODD)
    pids = [int(pid) for pid in (await answered(box["box_child"], tone)).split()]
    assert all(alive(pid) for pid in pids)
    await opened.aclose()
    await until(lambda: not any(alive(pid) for pid in pids))
    assert (await refused(box["box_child"], tone))[0] == "server_unavailable"


@pytest.mark.parametrize(
    ("mcp", "reason", "said"),
    [
        (stdio("mcp_faulty.py", "dies"), "server_unavailable", "it said last: no module named torch"),
        (stdio("mcp_faulty.py", "silent"), "server_timeout", "was not ready within 4 s"),
        (stdio("mcp_faulty.py", "endless"), "server_timeout", "was not ready within 4 s"),
        ({"command": ["no-such-program-here"]}, "server_unavailable", "no-such-program-here"),
        ({"command": [sys.executable], "cwd": "/no/such/folder"}, "server_unavailable", "/no/such/folder"),
        ({"url": "http://127.0.0.1:9/mcp"}, "server_unavailable", "cannot be reached"),
    ],
    ids=["dies", "silent", "endless", "no program", "no folder", "nobody listens"],
)
async def test_a_server_that_does_not_start(opened: Opened, mcp: dict[str, object], reason: str, said: str) -> None:
    patience = {"load_timeout_s": 5} if reason == "server_timeout" else {}
    with pytest.raises(ObserverUnavailableError) as refusal:
        await opened(mcp=mcp, **patience)
    assert refusal.value.reason == reason
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("mcp", "more", "reason", "hint"),
    [
        (stdio("mcp_tools.py", "none"), {}, "no_tools", "it has none"),
        (stdio("mcp_faulty.py", "schema"), {}, "bad_schema", ""),
        (stdio("mcp_tools.py", "well"), {"tools": ["sings"]}, "unknown_tool", "it has by_address, delete"),
        (stdio("mcp_tools.py", "well"), {"tools": ["sing*"]}, "no_tools", "it has by_address, delete"),
        (stdio("mcp_tools.py", "well"), {"arguments": {"sings": {}}}, "unknown_tool", "it has by_address, delete"),
        (
            stdio("mcp_tools.py", "well"),
            {"tools": ["translate"]},
            "unfilled_parameter",
            "--set 'observers.box.arguments={translate: {language: VALUE}}'",
        ),
        (
            stdio("mcp_tools.py", "well"),
            {"tools": ["*"], "arguments": {"translate": {"text": "{question}"}}},
            "unfilled_parameter",
            "--set 'observers.box.arguments={translate: {language: VALUE}}'",
        ),
    ],
)
async def test_tools_that_cannot_be_called_are_known_before_the_run(
    opened: Opened, mcp: dict[str, object], more: dict[str, object], reason: str, hint: str
) -> None:
    with pytest.raises(ObserverUnavailableError) as refusal:
        await opened(mcp=mcp, **more)
    assert refusal.value.reason == reason
    assert refusal.value.hint.startswith(hint)


async def test_garbage_on_standard_output_is_passed_over(opened: Opened, tone: Path) -> None:
    box = await opened(mcp=stdio("mcp_faulty.py", "garbage"))
    assert await answered(box["box"], tone) == "a lamp"
    nonsense = await opened(mcp=stdio("mcp_faulty.py", "nonsense"))
    assert (await refused(nonsense["box"], tone))[0] == "bad_result"


async def test_over_http_too(opened: Opened, tone: Path, http: Callable[..., HttpServer]) -> None:
    server = http("odd")
    await server.start()
    box = await opened(mcp={"url": server.url})
    assert (await refused(box["box_raises"], tone))[0] == "tool_error"
    await gives_up(box, tone, "Who hangs?")
    reason, message = await refused(box["box_huge"], tone)
    assert reason == "too_large", message
    assert await answered(box["box_reports"], tone) == "done"
    assert (await refused(box["box_dies"], tone))[0] in ("server_died", "server_unavailable")
    await server.start()
    assert process(await answered(box["box_tells"], tone))
