"""The scripted provider and the recorder."""

from __future__ import annotations

from pathlib import Path

import pytest
from servers import faulty_openai as play
from servers.studio import Studio, asking

from omnidetective.errors import BadRequestError, ConfigError, RateLimitError
from omnidetective.llm.base import Capabilities
from omnidetective.llm.messages import ChatReply, ChatRequest, ImagePart, TokenUsage
from omnidetective.llm.scripted import RecordedChat, ScriptedChat, read_script, reply


async def test_a_list_is_played_once() -> None:
    whole = reply("", ("ask", {"observer": "asr"}), usage=TokenUsage(prompt_tokens=5, completion_tokens=1))
    model = ScriptedChat(["first", whole, RateLimitError("slow down")])
    assert (await model.complete(asking("a"))).text == "first"
    second = await model.complete(asking("b"))
    assert (second.outcome, second.tool_calls[0].function.arguments) == ("ok", '{"observer": "asr"}')
    with pytest.raises(RateLimitError):
        await model.complete(asking("c"))
    with pytest.raises(BadRequestError) as caught:
        await model.complete(asking("d"))
    assert caught.value.reason == "script_ended"
    assert [r.messages[0].text for r in model.requests] == ["a", "b", "c", "d"]


async def test_a_function_sees_the_request() -> None:
    async def slow(request: ChatRequest) -> str:
        return request.messages[-1].text[::-1]

    assert (await ScriptedChat(lambda r: r.messages[-1].text.upper()).complete(asking("loud"))).text == "LOUD"
    assert (await ScriptedChat(slow).complete(asking("abc"))).text == "cba"
    assert (await ScriptedChat(lambda _: "").complete(asking("abc"))).outcome == "empty"


async def test_it_can_be_as_limited_as_a_real_model() -> None:
    model = ScriptedChat(["yes"], capabilities=Capabilities(images=False))
    with pytest.raises(BadRequestError):
        await model.complete(asking(ImagePart(data=b"x")))
    assert model.requests == []


async def test_what_was_recorded_can_be_replayed(studio: Studio, tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    server = await studio.server(
        [play.says("Zwei Hunde. 狗", reasoning="hm"), play.rate_limited(), play.tool_call("ask", {"a": 1})]
    )
    recorder = RecordedChat(studio.model(server), path)
    first = await recorder.complete(asking())
    with pytest.raises(RateLimitError):
        await recorder.complete(asking())
    third = await recorder.complete(asking())
    replay = ScriptedChat(read_script(path))
    assert await replay.complete(asking()) == first
    with pytest.raises(RateLimitError) as caught:
        await replay.complete(asking())
    assert caught.value.reason == "rate_limit"
    assert await replay.complete(asking()) == third


def test_short_lines(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_text('{"text": "A dog."}\n\n{"text": ""}\n{"text": "cut", "outcome": "truncated"}\n')
    lines = read_script(path)
    assert [(x.text, x.outcome) for x in lines if isinstance(x, ChatReply)] == [
        ("A dog.", "ok"),
        ("", "empty"),
        ("cut", "truncated"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "[]",
        '{"txt": "A dog."}',
        '{"error": {"type": "ValueError"}}',
        '{"error": {}}',
        '{"outcome": "great"}',
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_text(f'{{"text": "fine"}}\n{line}\n')
    with pytest.raises(ConfigError, match=r"replies\.jsonl:2"):
        read_script(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        read_script(tmp_path / "nowhere.jsonl")
