"""A canary key and canary content go through everything that can fail; neither shows up in errors, logs or reprs."""

from __future__ import annotations

import base64
import logging
import pickle
import traceback

import pytest
from servers import faulty_openai as play
from servers.studio import KEY, asking, quick

from omnidetective.errors import OmnidetectiveError
from omnidetective.llm.cast import Cast
from omnidetective.llm.digest import digest
from omnidetective.llm.endpoint import Endpoint
from omnidetective.llm.messages import AudioPart, FramesPart, ImagePart, VideoPart, VideoUrlPart
from omnidetective.model_sets import ModelSet

SECRET_SOUND = b"the sound of a canary " * 40
WORDS = "what the canary was asked"


async def test_keys_and_media_are_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = base64.b64encode(SECRET_SOUND).decode()
    faults = [*play.FAULTS.values(), play.fails(400, {"message": f"cannot read {echo} with {KEY}", "code": KEY})]
    shown: list[str] = []
    async with play.FaultyOpenAI(faults) as server:
        spec = {
            "provider": "openai",
            "model": "m",
            "base_url": server.base_url,
            "api_key_env": "CANARY_KEY",
            "capabilities": {"audio": True},
        }
        native = {**spec, "provider": "dashscope", "base_url": server.base_url.removesuffix("/v1") + "/api/v1"}
        found = ModelSet.model_validate(
            {
                "name": "t",
                "description": "",
                "models": {"m": spec, "n": native},
                "roles": {"a": "m", "b": "n", "asr": "m"},
            }
        )
        cast = Cast(found, quick(attempts=1, call_timeout_s=0.4), environ={"CANARY_KEY": KEY})
        sound = AudioPart(data=SECRET_SOUND, format="wav", duration_s=2.0)
        request = asking(WORDS, sound)
        shown += [repr(request), repr(cast.chat("a")), repr(cast), digest(request)]
        for role in ("a", "b"):
            server.seen.clear()
            for _ in faults:
                try:
                    await cast.chat(role).complete(request)
                except OmnidetectiveError as error:
                    shown += [str(error), repr(error), error.hint, "".join(traceback.format_exception(error))]
                    shown.append(str(pickle.loads(pickle.dumps(error))))
        server.seen.clear()
        for _ in faults:
            try:
                await cast.transcriber().transcribe(sound)
            except OmnidetectiveError as error:
                shown += [str(error), "".join(traceback.format_exception(error))]
        shown += [str(await cast.probe("a"))]
        await cast.aclose()
    ours = "\n".join(r.getMessage() for r in caplog.records if r.name.startswith("omnidetective"))
    assert "openai:m: 1 messages: text 25 chars, audio wav 2.0 s" in ours, "calls must be logged"
    everything = "\n".join([caplog.text, ours, *shown])
    assert len(shown) > 40, "the faults must have been seen"
    assert KEY not in everything
    assert echo[:200] not in everything
    assert WORDS not in caplog.text


def test_parts_do_not_show_their_bytes() -> None:
    image = ImagePart(data=SECRET_SOUND)
    for part in (
        image,
        FramesPart(frames=(image,), fps=1.0),
        VideoPart(data=SECRET_SOUND, duration_s=1.0),
        VideoUrlPart(url="https://films.example/a.mp4?sig=canary", sha256=image.sha256, duration_s=1.0),
        AudioPart(data=SECRET_SOUND, format="wav", duration_s=1.0),
    ):
        assert "canary" not in repr(part)
        line = digest(asking("some words", part))
        assert "some words" not in line
        assert "canary" not in line
        assert image.sha256[:8] in line


def test_an_address_with_a_password_is_shown_without_it() -> None:
    endpoint = Endpoint("vllm", "http://user:hunter2@gpu:8000/v1", KEY)
    assert endpoint.host == "gpu"
    assert KEY not in repr(endpoint)
