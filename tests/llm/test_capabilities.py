"""What models can take: the table, and the check before money is spent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from servers.studio import asking

from omnidetective.errors import BadRequestError, ConfigError
from omnidetective.llm.base import Capabilities
from omnidetective.llm.capabilities import built_in_capabilities, check, load_capabilities
from omnidetective.llm.messages import (
    AudioPart,
    ChatRequest,
    FramesPart,
    ImagePart,
    Message,
    OutputSchema,
    TextPart,
    ToolSpec,
    VideoPart,
    VideoUrlPart,
)

IMAGE = ImagePart(data=b"x" * 300)
SOUND = AudioPart(data=b"x" * 300, format="wav", duration_s=60.0)
FRAMES = FramesPart(frames=(IMAGE,) * 5, fps=1.0)
VIDEO = VideoPart(data=b"x" * 300, duration_s=60.0)
PUBLIC = VideoUrlPart(url="https://films.example/a.mp4", sha256="0", duration_s=60.0)
TOOL = ToolSpec(name="ask", description="", parameters={"type": "object"})
OUTPUT = OutputSchema(name="A", json_schema={"type": "object"})
ALL = {"images": True, "audio": True, "frames": True, "video": True}


@pytest.mark.parametrize(
    ("flags", "request_", "reason"),
    [
        ({}, asking("hello"), None),
        ({}, asking(tools=(TOOL,), output=OUTPUT, json_object=True), None),
        (ALL, asking("look", IMAGE, SOUND, FRAMES, VIDEO), None),
        ({}, ChatRequest(messages=()), "invalid_request"),
        ({}, ChatRequest(messages=(Message(role="tool", parts=(TextPart(text="x"),)),)), "invalid_request"),
        ({}, asking(IMAGE), "unsupported_image"),
        ({}, asking(SOUND), "unsupported_audio"),
        ({}, asking(FRAMES), "unsupported_frames"),
        ({"images": True}, asking(FRAMES), None),
        ({"images": True}, asking(VIDEO), "unsupported_video"),
        ({"audio": True, "audio_formats": ("mp3",)}, asking(SOUND), "unsupported_audio_format"),
        ({"audio": True, "max_audio_s": 60.0}, asking(SOUND), None),
        ({"audio": True, "max_audio_s": 59.9}, asking(SOUND), "unsupported_length"),
        ({"video": True, "max_video_s": 40.0}, asking(VIDEO), "unsupported_length"),
        ({"video": True, "min_video_s": 61.0}, asking(VIDEO), "unsupported_length"),
        ({"video": True, "max_part_bytes": 399}, asking(VIDEO), "unsupported_size"),
        ({"video": True, "max_part_bytes": 399, "video_by": ("upload",)}, asking(VIDEO), None),
        ({"video": True, "max_video_bytes": 299, "video_by": ("upload",)}, asking(VIDEO), "unsupported_size"),
        ({"images": True}, asking(PUBLIC), "unsupported_video"),
        ({"video": True}, asking(PUBLIC), "unsupported_video"),
        ({"video": True, "video_by": ("url",)}, asking(PUBLIC), None),
        ({"video": True, "video_by": ("url",), "max_video_s": 40.0}, asking(PUBLIC), "unsupported_length"),
        ({"images": True, "max_part_bytes": 400}, asking(IMAGE), None),
        ({"images": True, "max_part_bytes": 399}, asking(IMAGE), "unsupported_size"),
        ({"frames": True, "max_part_bytes": 399}, asking(FRAMES), "unsupported_size"),
        ({"frames": True, "min_frames": 6}, asking(FRAMES), "unsupported_frame_count"),
        ({"frames": True, "max_frames": 4}, asking(FRAMES), "unsupported_frame_count"),
        ({**ALL, "mixed_media": False}, asking("what is", IMAGE, IMAGE), None),
        ({**ALL, "mixed_media": False}, asking(IMAGE, SOUND), "unsupported_mix"),
        ({**ALL, "max_media_parts": 1}, asking(IMAGE, IMAGE), "unsupported_count"),
        ({**ALL, "text_prompt": False}, asking("what is heard?", SOUND), "unsupported_text"),
        ({**ALL, "text_prompt": False}, asking(SOUND), None),
        ({"tools": False}, asking(tools=(TOOL,)), "unsupported_tools"),
        ({"json_schema": False}, asking(output=OUTPUT), "unsupported_json_schema"),
        ({"json_object": False}, asking(json_object=True), "unsupported_json_object"),
    ],
)
def test_check(flags: dict[str, Any], request_: ChatRequest, reason: str | None) -> None:
    capabilities = Capabilities(**flags)
    if reason is None:
        check(request_, capabilities, model="p:m")
        return
    with pytest.raises(BadRequestError) as caught:
        check(request_, capabilities, model="p:m")
    assert caught.value.reason == reason
    assert caught.value.message.startswith("p:m ")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("openai:gpt-4.1-mini", {"images": True, "audio": False, "must_stream": False, "data_url_audio": False}),
        ("openai:gpt-audio-1.5", {"images": False, "audio": True, "json_schema": False, "tools": True}),
        ("openai:gpt-4o-audio-preview", {"images": False, "audio": True}),
        ("openai:gpt-5.5", {"sampling": False, "max_completion_tokens": True}),
        ("dashscope:qwen3-omni-flash-2025-12-01", {"must_stream": True, "mixed_media": False, "max_media_parts": 1}),
        ("dashscope:qwen3.8-omni-flash", {"must_stream": True, "mixed_media": True, "data_url_audio": True}),
        ("dashscope:qwen3-omni-flash", {"video_by": ("inline", "upload", "url"), "video_sound": True}),
        ("dashscope:qwen3-vl-plus", {"video_sound": False, "min_video_s": 2.0, "max_video_s": 3600.0}),
        ("dashscope:qwen2.5-vl-72b-instruct", {"video": True, "max_video_s": 600.0}),
        ("vllm:Qwen/Qwen3-Omni-30B-A3B-Instruct", {"video_by": ("inline", "url"), "video_sound": False}),
        ("dashscope:qwen-plus", {"images": False, "json_schema": False, "json_object": True, "tools": True}),
        ("dashscope:qwen3-asr-flash", {"chat_transcription": True, "text_prompt": False}),
        ("vllm:Qwen/Qwen2.5-Omni-7B", {"audio": True, "frames": True, "data_url_audio": False}),
        ("vllm:Qwen/Qwen2.5-VL-7B-Instruct", {"audio": False, "frames_as": "jpeg_url"}),
        ("vllm:something-new", {"audio": False, "images": False, "tools": False, "json_schema": True}),
        ("nobody:knows", Capabilities().model_dump()),
    ],
)
def test_the_built_in_table(name: str, expected: dict[str, Any]) -> None:
    found = built_in_capabilities().of(name).model_dump()
    assert {key: found[key] for key in expected} == expected


def test_every_row_is_sourced() -> None:
    assert all(row.source.startswith("https://") for row in built_in_capabilities().rows)


def test_a_model_set_is_stronger() -> None:
    table = built_in_capabilities()
    assert table.of("openai:gpt-4.1", {"images": False, "max_audio_s": 30}).images is False
    with pytest.raises(ConfigError, match="see_pictures"):
        table.of("openai:gpt-4.1", {"see_pictures": True})
    with pytest.raises(ConfigError, match="images"):
        table.of("openai:gpt-4.1", {"images": "sometimes"})


@pytest.mark.parametrize("text", ["models: [{match: x}]", "models: 3", "{"])
def test_a_broken_table(tmp_path: Path, text: str) -> None:
    path = tmp_path / "capabilities.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"capabilities\.yaml"):
        load_capabilities(path)


def test_a_misspelt_flag_in_the_table(tmp_path: Path) -> None:
    path = tmp_path / "capabilities.yaml"
    path.write_text("models: [{match: x, source: y, date: 2026-01-01, flags: {imagse: true}}]")
    with pytest.raises(ConfigError, match="imagse"):
        load_capabilities(path)
