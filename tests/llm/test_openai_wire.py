"""Request bodies: what stands where, for which provider."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from servers.studio import asking

from omnidetective.llm.base import Capabilities
from omnidetective.llm.messages import (
    AudioPart,
    ChatRequest,
    FramesPart,
    ImagePart,
    Message,
    OutputSchema,
    VideoPart,
    VideoUrlPart,
)
from omnidetective.llm.openai_wire import to_body

SOUND = AudioPart(data=b"sound", format="wav", duration_s=1.0)
FRAMES = FramesPart(frames=(ImagePart(data=b"one"), ImagePart(data=b"two")), fps=2.0)
ONE, TWO = "data:image/jpeg;base64,b25l", "data:image/jpeg;base64,dHdv"


def content(request: ChatRequest, **flags: Any) -> Any:
    sent = json.loads(to_body(request, model="m", capabilities=Capabilities(**flags)))
    return sent["messages"][-1]["content"]


def test_text_alone_is_a_string() -> None:
    assert content(asking("one", "two")) == "one\ntwo"


def test_image() -> None:
    assert content(asking("look", ImagePart(data=b"one"))) == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": ONE}},
    ]


def test_sound_as_bare_base64_or_as_a_data_url() -> None:
    assert content(asking(SOUND))[0]["input_audio"] == {"data": "c291bmQ=", "format": "wav"}
    assert content(asking(SOUND), data_url_audio=True)[0]["input_audio"]["data"] == "data:;base64,c291bmQ="


def test_frames_for_dashscope_vllm_and_others() -> None:
    assert content(asking(FRAMES), frames=True) == [{"type": "video", "video": [ONE, TWO], "fps": 2.0}]
    assert content(asking(FRAMES), frames=True, frames_as="jpeg_url") == [
        {"type": "video_url", "video_url": {"url": "data:video/jpeg;base64,b25l,dHdv"}}
    ]
    assert [item["image_url"]["url"] for item in content(asking(FRAMES), images=True)] == [ONE, TWO]


def test_video() -> None:
    video = VideoPart(data=b"film", duration_s=2.0)
    assert content(asking(video))[0]["video_url"]["url"] == "data:video/mp4;base64,ZmlsbQ=="
    assert content(asking(video), data_url_audio=True)[0]["video_url"]["url"] == "data:;base64,ZmlsbQ=="


def test_a_video_by_its_address_and_one_in_the_store() -> None:
    video = VideoPart(data=b"film", duration_s=2.0)
    public = VideoUrlPart(url="https://films.example/a.mp4?x=1&y=é", sha256="0", duration_s=2.0)
    request = asking(video, public, SOUND)
    body = to_body(request, model="m", capabilities=Capabilities(), stored={video.sha256: "oss://x/a.mp4"})
    stored, by_url, sound = json.loads(body)["messages"][0]["content"]
    assert stored == {"type": "video_url", "video_url": {"url": "oss://x/a.mp4"}}
    assert by_url == {"type": "video_url", "video_url": {"url": "https://films.example/a.mp4?x=1&y=é"}}
    assert sound["input_audio"]["data"] == "c291bmQ="
    assert content(request)[0]["video_url"]["url"] == "data:video/mp4;base64,ZmlsbQ=="


def test_forms_of_answer() -> None:
    loose = {"type": "object", "properties": {"a": {"type": "string"}}}
    tight = {**loose, "required": ["a"], "additionalProperties": False}

    def sent(request: ChatRequest) -> Any:
        return json.loads(to_body(request, model="m", capabilities=Capabilities())).get("response_format")

    assert sent(asking()) is None
    assert sent(asking(json_object=True)) == {"type": "json_object"}
    for schema, strict in ((loose, False), (tight, True)):
        assert sent(asking(json_object=True, output=OutputSchema(name="A", json_schema=schema))) == {
            "type": "json_schema",
            "json_schema": {"name": "A", "schema": schema, "strict": strict},
        }


def test_reasoning_models_are_not_sent_what_they_refuse() -> None:
    request = asking(temperature=0.2, seed=1, max_tokens=9)
    sent = json.loads(
        to_body(request, model="m", capabilities=Capabilities(sampling=False, max_completion_tokens=True))
    )
    assert sent["max_completion_tokens"] == 9
    assert not {"temperature", "seed", "max_tokens"} & set(sent)


texts = st.text(max_size=60)
parts = st.one_of(
    texts,
    st.binary(min_size=1, max_size=200).map(lambda data: ImagePart(data=data)),
    st.binary(min_size=1, max_size=200).map(lambda data: AudioPart(data=data, format="mp3", duration_s=1.0)),
)


@given(st.lists(parts, min_size=1, max_size=6))
def test_what_was_put_in_comes_out(items: list[Any]) -> None:
    request = ChatRequest(messages=(Message.of("system", "s"), Message.of("user", *items)))
    body = to_body(request, model="m", capabilities=Capabilities(images=True, audio=True), parameters={"é": "狗"})
    sent = json.loads(body)
    assert sent["é"] == "狗"
    found = sent["messages"][1]["content"]
    if isinstance(found, str):
        assert found == "\n".join(items)
        return
    for item, part in zip(found, request.messages[1].parts, strict=True):
        if part.type == "text":
            assert item["text"] == part.text
        elif part.type == "image":
            assert base64.b64decode(item["image_url"]["url"].removeprefix("data:image/jpeg;base64,")) == part.data
        else:
            assert base64.b64decode(item["input_audio"]["data"]) == part.data
