"""DashScope's own recognisers over real sockets: calls with the sound inside, and tasks about stored sound."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web
from servers import faulty_openai as play
from servers.studio import KEY, Studio, quick

from omnidetective.errors import AuthError, BadRequestError, TransientError
from omnidetective.llm import dashscope_asr
from omnidetective.llm.cast import Cast
from omnidetective.llm.messages import AudioPart
from omnidetective.llm.prices import Price, PriceTable
from omnidetective.llm.transcriber import Transcriber
from omnidetective.llm.usage import usage_scope
from omnidetective.model_sets import ModelSet

SOUND = AudioPart(data=b"ID3 sound", format="mp3", duration_s=60.0)
CALL = "/api/v1/services/aigc/multimodal-generation/generation"
TASK = "/api/v1/services/audio/asr/transcription"
ROW: dict[str, Any] = {"match": "dashscope:*", "source": "test", "date": "2026-11-01", "audio_minute": "0.0021"}


CastAt = Callable[..., Transcriber]


@pytest.fixture
async def cast_at() -> AsyncIterator[CastAt]:
    """A recogniser at a server, by the name of its model; closed at the end."""
    made: list[Transcriber] = []

    def make(server: play.FaultyOpenAI, model: str, **spec: Any) -> Transcriber:
        made.append(_cast_at(server, model, **spec))
        return made[-1]

    yield make
    for transcriber in made:
        await transcriber.aclose()


def _cast_at(server: play.FaultyOpenAI, model: str, **spec: Any) -> Transcriber:
    # The address of the other interface, as DASHSCOPE_BASE_URL has it: it is moved to the native one.
    base_url = server.base_url.removesuffix("/v1") + "/compatible-mode/v1"
    models = {"m": {"provider": "dashscope", "model": model, "base_url_env": "BASE", "api_key_env": "KEY", **spec}}
    found = ModelSet.model_validate({"name": "t", "description": "", "models": models, "roles": {"asr": "m"}})
    prices = PriceTable((Price.model_validate(ROW),))
    return Cast(found, quick(), prices=prices, environ={"KEY": KEY, "BASE": base_url}).transcriber()


def sentence(number: int, begin: int, end: int, text: str, **more: Any) -> dict[str, Any]:
    words = [
        {"begin_time": begin, "end_time": begin + 200, "text": text.split()[0], "punctuation": ""},
        {"begin_time": begin + 200, "end_time": end, "text": text.split()[-1].strip("."), "punctuation": "."},
    ]
    return {"sentence_id": number, "begin_time": begin, "end_time": end, "text": text, "words": words, **more}


def streamed(*events: dict[str, Any]) -> play.Behaviour:
    async def behave(request: web.Request, seen: play.Seen) -> web.StreamResponse:
        text = "".join(f"id:1\nevent:result\n:HTTP_STATUS/200\ndata:{json.dumps(event)}\n\n" for event in events)
        return web.Response(text=text, content_type="text/event-stream")

    return behave


@pytest.mark.parametrize("nested", [False, True])
async def test_a_call_with_the_sound_inside(studio: Studio, cast_at: CastAt, nested: bool) -> None:
    outputs: list[dict[str, Any]] = [
        {
            "text": "Hello",
            "sentence": {**sentence(1, 500, 900, "Hello there."), "text": "Hello", "sentence_end": False},
        },
        {"text": "Hello there.", "sentence": {**sentence(1, 500, 1500, "Hello there."), "sentence_end": True}},
        {"text": "Hello there. Good bye.", "sentence": {**sentence(2, 2000, 3000, "Good bye."), "sentence_end": True}},
    ]
    events = [{"output": {"output": o} if nested else o, "usage": {"duration": 4}} for o in outputs]
    server = await studio.server([play.server_error(), streamed(*events)])
    transcriber = cast_at(server, "fun-asr-flash-2026-06-15", parameters={"disfluency_removal_enabled": True})
    assert transcriber.name == "dashscope:fun-asr-flash-2026-06-15"
    with usage_scope() as meter:
        speech = await transcriber.transcribe(SOUND, language="en")
    assert [(s.start_s, s.end_s, s.text, s.language, s.speaker) for s in speech.segments] == [
        (0.5, 1.5, "Hello there.", "en", None),
        (2.0, 3.0, "Good bye.", "en", None),
    ]
    assert [(w.start_s, w.end_s, w.text) for w in speech.segments[1].words or ()] == [
        (2.0, 2.2, "Good"),
        (2.2, 3.0, "bye."),
    ]
    sent = server.seen[1]
    assert sent.path == CALL
    assert sent.headers["X-DashScope-SSE"] == "enable"
    assert sent.headers["Authorization"] == f"Bearer {KEY}"
    [content] = sent.body["input"]["messages"][0]["content"]
    data = "data:audio/mpeg;base64," + base64.b64encode(SOUND.data).decode()
    assert content == {"type": "input_audio", "input_audio": {"data": data}}
    assert sent.body["parameters"] == {"disfluency_removal_enabled": True, "format": "mp3", "language_hints": ["en"]}
    usage = meter.usage()
    assert (usage.calls, usage.failed_attempts, usage.unreported, usage.cost_usd) == (1, 1, 0, Decimal("0.0021"))


async def test_an_answer_that_is_not_streamed_is_understood(studio: Studio, cast_at: CastAt) -> None:
    server = await studio.server([play.body({"output": {"text": "Hello."}, "usage": {"duration": 60}})])
    speech = await cast_at(server, "fun-asr-flash").transcribe(SOUND)
    assert [(s.start_s, s.end_s, s.text) for s in speech.segments] == [(0.0, 60.0, "Hello.")]


@pytest.mark.parametrize("model", ["fun-asr-flash", "fun-asr"])
async def test_silence_is_no_failure_and_costs_nothing(studio: Studio, cast_at: CastAt, model: str) -> None:
    server = await studio.server(lambda seen: silent(server, seen))
    with usage_scope() as meter:
        speech = await cast_at(server, model).transcribe(SOUND)
    assert speech.segments == ()
    usage = meter.usage()
    assert (usage.calls, usage.failed_attempts, usage.cost_usd) == (1, 0, Decimal(0))


def silent(server: play.FaultyOpenAI, seen: play.Seen) -> play.Behaviour:
    if seen.path == CALL:
        return play.fails(400, {"code": "InvalidParameter", "message": "ASR_RESPONSE_HAVE_NO_WORDS"})
    if seen.path.startswith("/api/v1/tasks/"):
        failed = {"subtask_status": "FAILED", "code": "SUCCESS_WITH_NO_VALID_FRAGMENT", "message": "no speech"}
        return play.body({"output": {"task_id": "t1", "task_status": "FAILED", "results": [failed]}})
    return store(server, seen, {})


@pytest.mark.parametrize(
    ("behaviour", "error", "calls"),
    [
        (play.unauthorized(), AuthError, 1),
        (play.body({"output": {}}), TransientError, 3),
        (play.body("data: {broken\n\n", content_type="text/event-stream"), TransientError, 3),
        (streamed({"code": "InvalidApiKey", "message": "no"}), AuthError, 1),
        (play.fails(400, {"code": "InvalidParameter", "message": "no"}), BadRequestError, 1),
    ],
)
async def test_faults_of_a_call(
    studio: Studio, cast_at: CastAt, behaviour: play.Behaviour, error: type[Exception], calls: int
) -> None:
    server = await studio.server([behaviour])
    with pytest.raises(error):
        await cast_at(server, "fun-asr-flash").transcribe(SOUND)
    assert server.calls == calls


def store(server: play.FaultyOpenAI, seen: play.Seen, result: Any) -> play.Behaviour:
    """The temporary store, a task that is begun, and its result."""
    origin = server.base_url.removesuffix("/v1")
    names = ("oss_access_key_id", "signature", "policy", "x_oss_object_acl", "x_oss_forbid_overwrite")
    policy = {**dict.fromkeys(names, "x"), "upload_dir": "dashscope-instant/d", "upload_host": f"{origin}/oss"}
    answers: dict[str, Any] = {
        "/api/v1/uploads": {"data": policy},
        "/oss": {},
        TASK: {"output": {"task_id": "t1", "task_status": "PENDING"}},
        "/result.json": result,
    }
    return play.body(answers[seen.path])


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashscope_asr, "_FIRST_LOOK_S", 0.01)


Tasks = Callable[[play.Seen], play.Behaviour]


def tasks(server: play.FaultyOpenAI, looks: list[play.Behaviour], result: Any) -> Tasks:
    left = iter(looks)

    def script(seen: play.Seen) -> play.Behaviour:
        return next(left) if seen.path.startswith("/api/v1/tasks/") else store(server, seen, result)

    return script


def ended(server: play.FaultyOpenAI, *, plural: bool) -> play.Behaviour:
    done = {"subtask_status": "SUCCEEDED", "transcription_url": f"{server.base_url.removesuffix('/v1')}/result.json"}
    output: dict[str, Any] = {"task_id": "t1", "task_status": "SUCCEEDED"}
    return play.body({"output": {**output, **({"results": [done]} if plural else {"result": done})}, "usage": {}})


@pytest.mark.parametrize(
    ("model", "given", "parameters"),
    [
        ("fun-asr", "file_urls", {"channel_id": [0], "language_hints": ["en"], "diarization_enabled": True}),
        ("qwen3-asr-flash-filetrans", "file_url", {"channel_id": [0], "language": "en", "enable_words": True}),
    ],
)
async def test_a_task_about_stored_sound(
    studio: Studio, cast_at: CastAt, at_once: None, model: str, given: str, parameters: dict[str, Any]
) -> None:
    rows = [
        sentence(0, 0, 1000, "How much?", speaker_id=1, language="en"),
        sentence(1, 1100, 2000, "Five pounds.", speaker_id=0),
        sentence(2, 2500, 3000, "Good.", speaker_id=1),
        {"text": "no times"},
    ]
    script: list[Tasks] = []
    server = await studio.server(lambda seen: script[0](seen))
    looks = [
        play.body({"output": {"task_status": "PENDING"}}),
        play.server_error(),
        play.body({"output": {"task_status": "RUNNING"}}),
        ended(server, plural=given == "file_urls"),
    ]
    script.append(tasks(server, looks, {"transcripts": [{"channel_id": 0, "text": "…", "sentences": rows}]}))
    with usage_scope() as meter:
        transcriber = cast_at(server, model)
        speech = await transcriber.transcribe(SOUND, language="en")
    assert [(s.speaker, s.start_s, s.end_s, s.text) for s in speech.segments] == [
        ("S1", 0.0, 1.0, "How much?"),
        ("S2", 1.1, 2.0, "Five pounds."),
        ("S1", 2.5, 3.0, "Good."),
    ]
    assert speech.dropped == 1
    by_path = {seen.path: seen for seen in server.seen}
    assert by_path["/oss"].body["file"] == SOUND.data
    address = f"oss://{by_path['/oss'].body['key']}"
    task = by_path[TASK]
    assert task.body["input"] == {given: [address] if given == "file_urls" else address}
    assert task.body["parameters"] == parameters
    assert (task.headers["X-DashScope-Async"], task.headers["X-DashScope-OssResourceResolve"]) == ("enable", "enable")
    assert "Authorization" not in by_path["/result.json"].headers, "the key is for DashScope alone"
    assert sum(seen.path == TASK for seen in server.seen) == 1, "a task is paid for once"
    usage = meter.usage()
    assert (usage.calls, usage.failed_attempts, usage.cost_usd) == (1, 1, Decimal("0.0021"))


async def test_a_task_that_failed_is_not_begun_again(studio: Studio, cast_at: CastAt, at_once: None) -> None:
    script: list[Tasks] = []
    server = await studio.server(lambda seen: script[0](seen))
    failed = {"subtask_status": "FAILED", "code": "FILE_DECODE_FAILED", "message": "cannot decode"}
    looks = [play.body({"output": {"task_status": "FAILED", "results": [failed]}})]
    script.append(tasks(server, looks, {}))
    with pytest.raises(BadRequestError, match="cannot decode"):
        await cast_at(server, "fun-asr").transcribe(SOUND)
    assert sum(seen.path == TASK for seen in server.seen) == 1


async def test_a_result_that_is_for_a_moment_out_of_reach_is_fetched_again(
    studio: Studio, cast_at: CastAt, at_once: None
) -> None:
    script: list[Tasks] = []
    server = await studio.server(lambda seen: script[0](seen))
    inner = tasks(server, [ended(server, plural=True)], {"transcripts": [{"text": "Hello.", "sentences": None}]})
    refused: list[play.Seen] = []

    def once_refused(seen: play.Seen) -> play.Behaviour:
        if seen.path == "/result.json" and not refused:
            refused.append(seen)
            return play.fails(503, "busy")
        return inner(seen)

    script.append(once_refused)
    speech = await cast_at(server, "fun-asr").transcribe(SOUND)
    assert [s.text for s in speech.segments] == ["Hello."]
    assert sum(seen.path == TASK for seen in server.seen) == 1
