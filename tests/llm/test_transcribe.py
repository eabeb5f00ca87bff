"""Served speech recognition: the forms of answer, times, retries and cost."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from servers import faulty_openai as play
from servers.studio import KEY, Studio, quick

from omnidetective.errors import AuthError, BadRequestError, ContentFilterError, FormatError, TransientError
from omnidetective.llm.capabilities import built_in_capabilities
from omnidetective.llm.cast import Cast
from omnidetective.llm.endpoint import Endpoint
from omnidetective.llm.messages import AudioPart
from omnidetective.llm.openai_client import OpenAIClient
from omnidetective.llm.prices import Price
from omnidetective.llm.spoken import speech_of
from omnidetective.llm.transcribe import EndpointTranscriber
from omnidetective.llm.transcriber import Transcriber
from omnidetective.llm.usage import usage_scope
from omnidetective.model_sets import ModelSet

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
    assert (first.start_s, first.end_s, first.text, first.language) == (0.5, 2.0, "Hello there.", "en")
    assert first.score == pytest.approx(math.exp(-0.25))
    assert second.end_s == 8.0, "nothing is heard after the end"
    sent = server.seen[1]
    assert sent.path == "/v1/audio/transcriptions"
    assert sent.body["response_format"] == "verbose_json"
    assert sent.body["timestamp_granularities[]"] == ["word", "segment"]
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
    for calls in (4, 5):
        speech = await transcriber.transcribe(SOUND)
        assert [(s.start_s, s.end_s, s.text) for s in speech.segments] == [(0.0, 8.0, "Hello there.")]
        assert server.calls == calls
    await transcriber.aclose()


async def test_where_words_are_refused_segments_are_asked_for(studio: Studio) -> None:
    def script(seen: play.Seen) -> play.Behaviour:
        if seen.body.get("timestamp_granularities[]") == "segment":
            return play.body(VERBOSE)
        return play.fails(400, {"message": "word timestamps are not supported"})

    server = await studio.server(script)
    transcriber = cast_at(server)
    for calls in (2, 3):
        speech = await transcriber.transcribe(SOUND)
        assert [s.words for s in speech.segments] == [None, None]
        assert server.calls == calls
    await transcriber.aclose()


async def test_speakers_are_asked_for_where_they_are_told_apart(studio: Studio) -> None:
    rows = [
        {
            "type": "transcript.text.segment",
            "id": f"s{n}",
            "start": n,
            "end": n + 1,
            "text": f"Line {n}.",
            "speaker": who,
        }
        for n, who in enumerate(("B", "A", "B"))
    ]
    server = await studio.server([play.body({"task": "transcribe", "text": "Line …", "segments": rows})])
    transcriber = cast_at(server, "gpt-4o-transcribe-diarize")
    assert transcriber.hearing.speakers
    speech = await transcriber.transcribe(SOUND)
    await transcriber.aclose()
    assert [(s.speaker, s.text) for s in speech.segments] == [("S1", "Line 0."), ("S2", "Line 1."), ("S1", "Line 2.")]
    [sent] = server.seen
    assert (sent.body["response_format"], sent.body["chunking_strategy"]) == ("diarized_json", "auto")
    assert "timestamp_granularities[]" not in sent.body


@pytest.mark.parametrize(
    ("fault", "error", "calls"),
    [
        (play.unauthorized(), AuthError, 1),
        (play.fails(400, {"message": "no", "code": "context_length_exceeded"}), BadRequestError, 1),
        (play.fails(400, {"message": "no"}), BadRequestError, 4),
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


def test_words_go_to_the_segments_that_they_are_spoken_in() -> None:
    words = [{"word": w, "start": s, "end": e} for w, s, e in (("Hello", 0.5, 1.0), ("there", 1.1, 2.1), ("Bye", 7, 9))]
    first, second = speech_of({**VERBOSE, "words": words}, 8.0).segments
    assert [(w.text, w.start_s, w.end_s) for w in first.words or ()] == [("Hello", 0.5, 1.0), ("there", 1.1, 2.1)]
    assert [(w.text, w.start_s, w.end_s) for w in second.words or ()] == [("Bye", 7.0, 8.0)]


def test_words_inside_segments_are_read_too() -> None:
    words = [{"word": " Hello", "start": 0.5, "end": 1.0, "probability": 0.9}, {"word": " ", "start": 1, "end": 2}, 3]
    [segment] = speech_of(
        {"text": "", "segments": [{"start": 0, "end": 2, "text": "Hello", "words": words}]}, 8.0
    ).segments
    assert [(w.text, w.score) for w in segment.words or ()] == [("Hello", 0.9)]


def test_words_of_a_guess_are_dropped_with_it() -> None:
    rows = [
        {"start": 0, "end": 2, "text": "Hello"},
        {"start": 2, "end": 4, "text": "la la la", "compression_ratio": 9.0},
    ]
    words = [{"word": "Hello", "start": 0, "end": 1}, {"word": "la", "start": 2.2, "end": 2.4}]
    heard = speech_of({"text": "", "segments": rows, "words": words}, 8.0)
    assert [[w.text for w in s.words or ()] for s in heard.segments] == [["Hello"]]
    assert heard.dropped == 1


def test_words_without_segments_are_cut_at_pauses() -> None:
    words = [{"word": w, "start": s, "end": s + 0.4} for w, s in (("one", 0.0), ("two", 0.5), ("three", 2.0))]
    heard = speech_of({"text": "One two. Three.", "words": words, "language": "en"}, 8.0)
    assert [(s.start_s, s.end_s, s.text) for s in heard.segments] == [(0.0, 0.9, "one two"), (2.0, 2.4, "three")]
    [only] = speech_of({"text": "One two.", "words": words[:2]}, 8.0).segments
    assert only.text == "One two.", "the whole text has the marks that words lack"


@pytest.mark.parametrize(
    ("said", "code"), [("english", "en"), ("EN", "en"), ("zh-CN", "zh"), ("Cantonese", "yue"), ("klingon", "klingon")]
)
def test_a_language_is_told_by_its_code(said: str, code: str) -> None:
    heard = speech_of({"text": "x", "language": said}, 8.0)
    assert (heard.language, heard.segments[0].language) == (code, code)
