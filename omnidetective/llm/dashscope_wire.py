"""Requests in the form of DashScope's native interface. Pure: no network, no files.

Source: https://help.aliyun.com/en/model-studio/qwen-api-via-dashscope. Content is a list of items with one key each;
media are ``data:`` URIs, or ``oss://`` addresses of what was uploaded on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from omnidetective.llm.base import Capabilities
from omnidetective.llm.messages import (
    AudioPart,
    ChatRequest,
    FramesPart,
    ImagePart,
    Message,
    Part,
    TextPart,
    VideoPart,
    VideoUrlPart,
)

MediaPart = ImagePart | AudioPart | VideoPart
Address = Callable[[MediaPart], str]
"""Where a part is: its ``data:`` URI, or the address it was uploaded to."""

MEDIA_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg", "ogg": "audio/ogg"}


def data_uri(part: MediaPart) -> str:
    """A part as a ``data:`` URI."""
    if isinstance(part, ImagePart):
        media_type = "image/jpeg"
    elif isinstance(part, AudioPart):
        media_type = MEDIA_TYPES[part.format]
    else:
        media_type = "video/mp4"
    return f"data:{media_type};base64,{part.base64.decode('ascii')}"


def media_parts(request: ChatRequest) -> tuple[MediaPart, ...]:
    """All media of a request that are bytes, the single frames of a video among them."""
    found: list[MediaPart] = []
    for message in request.messages:
        for part in message.parts:
            if isinstance(part, FramesPart):
                found.extend(part.frames)
            elif not isinstance(part, TextPart | VideoUrlPart):
                found.append(part)
    return tuple(found)


def to_messages(
    request: ChatRequest, *, capabilities: Capabilities, address: Address = data_uri
) -> list[dict[str, Any]]:
    """The messages of ``input``."""
    return [_message(message, capabilities, address) for message in request.messages]


def to_parameters(
    request: ChatRequest, *, capabilities: Capabilities, parameters: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The ``parameters`` of a call; what the request itself says is stronger than ``parameters``."""
    wire: dict[str, Any] = {**(parameters or {}), "result_format": "message"}
    if request.tools:
        wire["tools"] = [
            {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": t.parameters}}
            for t in request.tools
        ]
    if request.output is not None:
        described = {"name": request.output.name, "schema": request.output.json_schema}
        wire["response_format"] = {"type": "json_schema", "json_schema": described}
    elif request.json_object:
        wire["response_format"] = {"type": "json_object"}
    for name in ("temperature", "seed") if capabilities.sampling else ():
        if (value := getattr(request, name)) is not None:
            wire[name] = value
    if request.max_tokens is not None:
        wire["max_tokens"] = request.max_tokens
    return wire


def _message(message: Message, can: Capabilities, address: Address) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "role": message.role,
        "content": [item for part in message.parts for item in _items(part, can, address)],
    }
    if message.tool_calls:
        wire["tool_calls"] = [call.model_dump() for call in message.tool_calls]
    if message.tool_call_id:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _items(part: Part, can: Capabilities, address: Address) -> list[dict[str, Any]]:
    if isinstance(part, TextPart):
        return [{"text": part.text}]
    if isinstance(part, ImagePart):
        return [{"image": address(part)}]
    if isinstance(part, AudioPart):
        return [{"audio": address(part)}]
    if isinstance(part, FramesPart):
        frames = [address(frame) for frame in part.frames]
        return [{"video": frames, "fps": part.fps}] if can.frames else [{"image": frame} for frame in frames]
    if isinstance(part, VideoUrlPart):
        return [{"video": part.url}]
    return [{"video": address(part)}]
