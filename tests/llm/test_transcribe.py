"""Served speech recognition: the forms of answer, times, retries and cost."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from servers import faulty_openai as play
from servers.studio import KEY, Studio, quick

from omnidetective.config import ModelSet
from omnidetective.errors import AuthError, BadRequestError, ContentFilterError, FormatError, TransientError
from omnidetective.llm.capabilities import built_in_capabilities
from omnidetective.llm.cast import Cast
from omnidetective.llm.endpoint import Endpoint
from omnidetective.llm.messages import AudioPart
from omnidetective.llm.openai_client import OpenAIClient
from omnidetective.llm.prices import Price
from omnidetective.llm.transcribe import EndpointTranscriber, Transcriber, speech_of
from omnidetective.llm.usage import usage_scope

SOUND = AudioPart(data=b"RIFF....WAVE", format="wav", duration_s=8.0)
VERBOSE = {
    "text": "Hello there. Bye.",
    "language": "english",
    "segments": [
        {"start": 0.5, "end": 2.0, "text": " Hello there.", "avg_logprob": -0.25, "no_speech_prob": 0.01},
        {"start": 7.0, "end": 9.5, "text": "Bye.", "avg_logprob": -0.5},
    ],
    "usage": {"type": "duration", "seconds": 8},
}


def cast_at(server: play.FaultyOpenAI, model: str = "whisper-1", **spec: Any) -> Transcriber:
    models = {"m": {"provider": "openai", "model": model, "base_url": server.base_url, "api_key_env": "KEY", **spec}}
    found = ModelSet.model_validate({"name": "t", "description": "", "models": models, "roles": {"asr": "m"}})
    return Cast(found, quick(), environ={"KEY": KEY}).transcriber()


async def test_segments(studio: Studio) -> None:
    server = await studio.server([play.server_error(), play.body(VERBOSE)])
    transcriber = cast_at(server)
    with usage_scope() as meter:
        speech = await transcriber.transcribe(SOUND, language="en")
    await transcriber.aclose()
    first, second = speech.segments
    assert (first.start_s, first.end_s, first.text, first.language) == (0.5, 2.0, "Hello there.", "english")
    assert first.score == pytest.approx(math.exp(-0.25))
    assert second.end_s == 8.0, "nothing is heard after the end"
    sent = server.seen[1]
    assert sent.path == "/v1/audio/transcriptions"
    assert sent.body["response_format"] == "verbose_json"
    assert sent.body["timestamp_granularities[]"] == "segment"
    assert sent.body["model"] == "whisper-1"
    assert sent.body["language"] == "en"
    assert sent.body["file"] == SOUND.data
    assert sent.headers["Authorization"] == f"Bearer {KEY}"
    usage = meter.usage()
    assert (usage.calls, usage.failed_attempts, usage.unreported) == (1, 1, 0)


async def test_a_form_that_is_refused_falls_and_is_remembered(studio: Studio) -> None:
    def script(seen: play.Seen) -> play.Behaviour:
        if seen.body["response_format"] == "text":
            return play.body("Hello there.\n", content_type="text/plain")
        return play.fails(400, {"message": "no", "param": "response_format"})

    server = await studio.server(script)
    transcriber = cast_at(server)
    for calls in (3, 4):
        speech = await transcriber.transcribe(SOUND)
        assert [(s.start_s, s.end_s, s.text) for s in speech.segments] == [(0.0, 8.0, "Hello there.")]
        assert server.calls == calls
    await transcriber.aclose()


@pytest.mark.parametrize(
    ("fault", "error", "calls"),
    [
        (play.unauthorized(), AuthError, 1),
        (play.fails(400, {"message": "no", "code": "context_length_exceeded"}), BadRequestError, 1),
        (play.fails(400, {"message": "no"}), BadRequestError, 3),
        (play.resets_mid_body(), TransientError, 3),
        (play.body({"words": []}), TransientError, 3),
        (play.body({"error": {"message": "x", "code": "invalid_api_key"}}), AuthError, 1),
    ],
)
async def test_faults(studio: Studio, fault: play.Behaviour, error: type[Exception], calls: int) -> None:
    server = await studio.server([fault])
    transcriber = cast_at(server)
    with pytest.raises(error):
        await transcriber.transcribe(SOUND)
    assert server.calls == calls
    await transcriber.aclose()


async def test_too_large_a_file_is_not_sent(studio: Studio) -> None:
    server = await studio.server([play.body(VERBOSE)])
    transcriber = cast_at(server, capabilities={"max_part_bytes": 8})
    with pytest.raises(BadRequestError) as caught:
        await transcriber.transcribe(SOUND)
    assert caught.value.reason == "unsupported_size"
    assert server.calls == 0


ROW: dict[str, Any] = {"match": "*", "source": "test", "date": "2026-11-01"}
TOKENS = {"type": "tokens", "input_tokens": 1000, "output_tokens": 500, "input_token_details": {"audio_tokens": 1000}}


@pytest.mark.parametrize(
    ("row", "usage", "cost", "unreported"),
    [
        ({"audio_minute": "0.06"}, {"type": "duration", "seconds": 8}, "0.008", 0),
        ({"audio_minute": "0.06"}, None, "0.008", 0),
        ({"prompt": "2.5", "audio_prompt": "6", "completion": "10"}, TOKENS, "0.011", 0),
        ({"prompt": "2.5", "completion": "10"}, None, None, 1),
        (None, TOKENS, None, 0),
    ],
)
async def test_cost(studio: Studio, row: Any, usage: Any, cost: str | None, unreported: int) -> None:
    server = await studio.server([play.body({"text": "Hello.", "usage": usage})])
    price = None if row is None else Price.model_validate({**ROW, **row})
    client = OpenAIClient(Endpoint("openai", server.base_url, KEY), call_timeout_s=5)
    transcriber = EndpointTranscriber(
        client,
        name="openai:whisper-1",
        capabilities=built_in_capabilities().of("openai:whisper-1"),
        retry=quick(),
        price_of=lambda _: price,
    )
    with usage_scope() as meter:
        await transcriber.transcribe(SOUND)
    await client.aclose()
    assert meter.usage().cost_usd == (None if cost is None else Decimal(cost))
    assert meter.usage().unreported == unreported


async def test_a_recogniser_that_is_asked_by_chat(studio: Studio) -> None:
    server = await studio.server([play.says("你好。"), play.says("你", finish_reason="length")])
    server_blocks = await studio.server([play.says("", finish_reason="content_filter")])
    transcriber = cast_at(server, "qwen3-asr-flash", dialect="dashscope")
    assert transcriber.name == "dashscope:qwen3-asr-flash"
    speech = await transcriber.transcribe(SOUND)
    assert [(s.start_s, s.end_s, s.text) for s in speech.segments] == [(0.0, 8.0, "你好。")]
    [part] = server.seen[0].body["messages"][0]["content"]
    assert part["input_audio"]["data"].startswith("data:;base64,")
    with pytest.raises(FormatError):
        await transcriber.transcribe(SOUND)
    with pytest.raises(ContentFilterError):
        await cast_at(server_blocks, "qwen3-asr-flash", dialect="dashscope").transcribe(SOUND)
    await transcriber.aclose()


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        ({"start": 1, "end": 2, "text": "x"}, True),
        ({"start": 1, "end": 2, "text": "x", "no_speech_prob": 0.9, "avg_logprob": -0.2}, True),
        ({"start": 1, "end": 2, "text": "x", "no_speech_prob": 0.9, "avg_logprob": -1.5}, False),
        ({"start": 1, "end": 2, "text": "x x x x", "compression_ratio": 9.0}, False),
        ({"start": 2, "end": 2, "text": "x"}, False),
        ({"start": 9, "end": 12, "text": "x"}, False),
        ({"start": 1, "end": 2, "text": "  "}, False),
        ({"start": None, "end": 2, "text": "x"}, False),
        ({"start": "1", "end": 2, "text": "x"}, False),
        ("x", False),
    ],
)
def test_which_segments_are_believed(row: object, kept: bool) -> None:
    speech = speech_of({"text": "x", "segments": [row]}, 8.0)
    assert (len(speech.segments), speech.dropped) == ((1, 0) if kept else (0, 1))


def test_silence_is_an_empty_transcript() -> None:
    assert speech_of({"text": " "}, 8.0).segments == ()
    assert speech_of("", 8.0).segments == ()
    assert speech_of({"text": "", "segments": []}, 8.0).segments == ()
