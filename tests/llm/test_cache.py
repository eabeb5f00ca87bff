"""The response cache: what is the same call, what is kept, and that nothing which happens to the file costs a clip."""

from __future__ import annotations

import asyncio
import multiprocessing
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from servers.studio import asking

from omnidetective.errors import FormatError, TransientError
from omnidetective.evidence import SpeechEvidence
from omnidetective.llm.base import ChatModel
from omnidetective.llm.cache import ResponseCache
from omnidetective.llm.cached import CachedChat, CachedTranscriber
from omnidetective.llm.for_role import ChatForRole
from omnidetective.llm.messages import (
    AudioPart,
    ChatReply,
    ChatRequest,
    FramesPart,
    ImagePart,
    Message,
    OutputSchema,
    ToolSpec,
)
from omnidetective.llm.metered import Metered
from omnidetective.llm.prices import built_in_prices
from omnidetective.llm.scripted import Line, ScriptedChat
from omnidetective.llm.structured import structured
from omnidetective.llm.usage import usage_scope
from omnidetective.prompts import PromptLibrary

PICTURE = ImagePart(data=b"\xff\xd8" + b"x" * 200_000)


@pytest.fixture
def cache(tmp_path: Path) -> Any:
    made = ResponseCache(tmp_path / "kept.sqlite")
    yield made
    made.close()


def cached(
    cache: ResponseCache, script: Any, *, host: str = "a.example", **parameters: Any
) -> tuple[ChatModel, ScriptedChat]:
    scripted = ScriptedChat(script)
    inner = Metered(scripted, built_in_prices().find)
    return ChatForRole(CachedChat(inner, cache, host=host, parameters=parameters), "auditor"), scripted


async def test_the_same_call_is_made_once_and_counted_as_cached(cache: ResponseCache) -> None:
    model, scripted = cached(cache, lambda _: "yes")
    with usage_scope() as meter:
        first = await model.complete(asking("hello?", PICTURE))
        again = await model.complete(asking("hello?", PICTURE))
    assert first == again
    assert len(scripted.requests) == 1
    usage = meter.usage()
    assert (usage.calls, usage.cached_calls) == (1, 1)
    assert usage.by_role["auditor"].cached_calls == 1


async def test_a_reply_outlives_its_process(tmp_path: Path) -> None:
    for expected in (1, 0):
        kept = ResponseCache(tmp_path / "kept.sqlite")
        model, scripted = cached(kept, lambda _: "yes")
        assert (await model.complete(asking("hello?"))).text == "yes"
        assert len(scripted.requests) == expected
        kept.close()


ASKED = asking("hello?", PICTURE)
OTHERWISE: dict[str, ChatRequest] = {
    "text": asking("hello!", PICTURE),
    "media": asking("hello?", ImagePart(data=PICTURE.data + b"y")),
    "order": asking(PICTURE, "hello?"),
    "role": ChatRequest(messages=(Message.of("system", "hello?", PICTURE),)),
    "temperature": asking("hello?", PICTURE, temperature=0.5),
    "max_tokens": asking("hello?", PICTURE, max_tokens=5),
    "seed": asking("hello?", PICTURE, seed=1),
    "sample": asking("hello?", PICTURE, sample=1),
    "json": asking("hello?", PICTURE, json_object=True),
    "schema": asking("hello?", PICTURE, output=OutputSchema(name="x", json_schema={"type": "object"})),
    "tools": asking("hello?", PICTURE, tools=(ToolSpec(name="f", description="d", parameters={}),)),
    "frames": asking("hello?", FramesPart(frames=(PICTURE,), fps=1.0)),
}


@pytest.mark.parametrize("what", OTHERWISE)
async def test_a_call_that_differs_is_another_call(cache: ResponseCache, what: str) -> None:
    model, scripted = cached(cache, lambda _: "yes")
    await model.complete(ASKED)
    await model.complete(OTHERWISE[what])
    assert len(scripted.requests) == 2


async def test_another_host_and_other_parameters_are_another_model(cache: ResponseCache) -> None:
    asked = [
        cached(cache, lambda _: "yes"),
        cached(cache, lambda _: "yes", host="b.example"),
        cached(cache, lambda _: "yes", top_p=1),
    ]
    for model, scripted in asked:
        await model.complete(ASKED)
        assert len(scripted.requests) == 1


@pytest.mark.parametrize("outcome", ["truncated", "blocked", "empty"])
async def test_what_is_not_whole_and_good_is_asked_again(cache: ResponseCache, outcome: Any) -> None:
    bad: Line = ChatReply(outcome=outcome, text="half an ans", model="m")
    model, scripted = cached(cache, [bad, "whole"])
    assert (await model.complete(ASKED)).outcome == outcome
    assert (await model.complete(ASKED)).text == "whole"
    assert len(scripted.requests) == 2


async def test_an_error_is_no_answer(cache: ResponseCache) -> None:
    model, _ = cached(cache, [TransientError("down"), "up again"])
    with pytest.raises(TransientError):
        await model.complete(ASKED)
    assert (await model.complete(ASKED)).text == "up again"


async def test_what_cannot_be_brought_into_its_form_is_asked_anew_the_next_time(cache: ResponseCache) -> None:
    class Answer(BaseModel):
        number: int

    model, scripted = cached(cache, ["prose", "more prose", '{"number": 7}'])
    with pytest.raises(FormatError):
        await structured(model, asking("?"), Answer, repairs=1, prompts=PromptLibrary())
    found = await structured(model, asking("?"), Answer, repairs=1, prompts=PromptLibrary())
    assert found.value.number == 7
    assert len(scripted.requests) == 3


async def test_the_same_call_at_the_same_time_is_made_once(cache: ResponseCache) -> None:
    async def slow(request: ChatRequest) -> Line:
        await asyncio.sleep(0.05)
        return "yes"

    model, scripted = cached(cache, slow)
    replies = await asyncio.gather(*(model.complete(ASKED) for _ in range(20)))
    assert {reply.text for reply in replies} == {"yes"}
    assert len(scripted.requests) == 1


async def test_one_that_fails_leaves_the_call_to_the_next(cache: ResponseCache) -> None:
    async def play(request: ChatRequest) -> Line:
        await asyncio.sleep(0.02)
        return TransientError("down") if len(scripted.requests) == 1 else "yes"

    model, scripted = cached(cache, play)
    results = await asyncio.gather(*(model.complete(ASKED) for _ in range(3)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["ChatReply", "ChatReply", "TransientError"]
    assert len(scripted.requests) == 2


async def test_a_recogniser_listens_once(cache: ResponseCache) -> None:
    class Recogniser:
        name = "openai:whisper-1"
        calls = 0

        async def transcribe(self, audio: AudioPart, *, language: str | None = None) -> SpeechEvidence:
            self.calls += 1
            return SpeechEvidence(segments=(), language=language)

        async def aclose(self) -> None: ...

    recogniser = Recogniser()
    model = CachedTranscriber(recogniser, cache, host="", parameters={})
    sound = AudioPart(data=b"RIFF", format="wav", duration_s=1.0)
    for language, calls in (("en", 1), ("en", 1), ("fr", 2)):
        assert (await model.transcribe(sound, language=language)).language == language
        assert recogniser.calls == calls


async def test_media_are_not_kept(cache: ResponseCache) -> None:
    model, _ = cached(cache, lambda _: "yes")
    await model.complete(ASKED)
    assert cache.statistics().size_bytes < 100_000 < len(PICTURE.data)


def _fill(path: str, start: int) -> None:
    async def fill() -> None:
        kept = ResponseCache(Path(path))

        async def ask() -> tuple[str, str]:
            return "x" * 500, "x" * 500

        for n in range(start, start + 200):
            await kept.answer(f"key-{n}", "m", ask, read=str)
        kept.close()

    asyncio.run(fill())


def test_many_processes_share_one_file(tmp_path: Path) -> None:
    path = tmp_path / "kept.sqlite"
    spawn = multiprocessing.get_context("spawn")
    # Half of the keys are asked for by two processes.
    workers = [spawn.Process(target=_fill, args=(str(path), start)) for start in (0, 100, 200, 300)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    kept = ResponseCache(path)
    assert kept.statistics().replies == 500
    kept.close()


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\x00" + b"\x7f" * 5000])
async def test_a_damaged_file_is_set_aside(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "kept.sqlite"
    path.write_bytes(content)
    kept = ResponseCache(path)
    model, scripted = cached(kept, lambda _: "yes")
    for _ in range(3):
        assert (await model.complete(ASKED)).text == "yes"
    assert len(scripted.requests) <= 2
    kept.close()
    (aside,) = tmp_path.glob("kept.sqlite.damaged-*")
    assert aside.read_bytes() == content
    assert sqlite3.connect(path).execute("SELECT count(*) FROM replies").fetchone() == (1,)


async def test_a_place_that_cannot_be_written_costs_money_and_no_clip(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    kept = ResponseCache(tmp_path / "file" / "kept.sqlite")
    model, scripted = cached(kept, lambda _: "yes")
    assert (await model.complete(ASKED)).text == "yes"
    assert (await model.complete(ASKED)).text == "yes"
    assert len(scripted.requests) == 2
    kept.close()


def test_what_was_not_used_for_long_is_cleared_away(tmp_path: Path) -> None:
    path = tmp_path / "kept.sqlite"
    _fill(str(path), 0)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE replies SET used_at = used_at - 1e6 WHERE key < 'key-15'")
    kept = ResponseCache(path)
    before = kept.statistics()
    removed = kept.prune(unused_for_s=1e5)
    after = kept.statistics()
    assert 0 < removed < 200
    assert after.replies == 200 - removed
    assert after.size_bytes < before.size_bytes
    kept.close()
