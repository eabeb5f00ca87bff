"""Requests in the OpenAI chat-completions form, as the bytes of the body. Pure: no network, no files.

A message is written once, however often its conversation goes out, and media are joined in as ready base64 at the end,
so a megabyte of sound is neither scanned nor escaped by the JSON encoder.

Sources: OpenAI and vLLM ``input_audio`` takes bare base64, DashScope a ``data:;base64,`` URL
(https://help.aliyun.com/en/model-studio/qwen-omni); DashScope takes frames as ``{"type": "video", "video": […]}``,
vLLM as a ``data:video/jpeg;base64,…,…`` URL (vllm.multimodal).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from json import JSONEncoder
from typing import Any

from omnidetective.llm.base import Capabilities
from omnidetective.llm.json_schema import is_strict
from omnidetective.llm.messages import (
    AudioPart,
    ChatRequest,
    FramesPart,
    ImagePart,
    Message,
    OutputSchema,
    Part,
    TextPart,
    ToolSpec,
    VideoPart,
    VideoUrlPart,
)


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A string of the body that is ``prefix`` and base64 pieces joined by commas."""

    prefix: str
    pieces: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Written:
    """A value that is JSON already."""

    json: bytes


def to_body(
    request: ChatRequest,
    *,
    model: str,
    capabilities: Capabilities,
    parameters: Mapping[str, Any] | None = None,
    stream: bool = False,
    stored: Mapping[str, str] | None = None,
) -> bytes:
    """The body of ``POST /chat/completions``.

    Args:
        stored: where videos are that were uploaded to the provider, by their hash.
        parameters: extra fields of every request to this model; what the request itself says is stronger.
    """
    fields: dict[str, Any] = {**(parameters or {}), "model": model, **dict(_options(request, capabilities))}
    if stream:
        fields |= {"stream": True, "stream_options": {"include_usage": True}}
    fields.pop("messages", None)
    written = {name: value.json for name, value in fields.items() if isinstance(value, _Written)}
    plain = {name: value for name, value in fields.items() if name not in written}
    joined = [_json(plain)[:-1], b","]
    for name, json in written.items():
        joined += [_json(name), b":", json, b","]
    joined.append(b'"messages":[')
    for number, message in enumerate(request.messages):
        joined += [b","] * (number > 0)
        joined += _pieces(message, capabilities, stored or {})
    joined.append(b"]}")
    return b"".join(joined)


def _options(request: ChatRequest, can: Capabilities) -> Iterator[tuple[str, Any]]:
    if request.tools:
        yield (
            "tools",
            _Written(b"[" + b",".join(tool.once("openai", partial(_tool, tool)) for tool in request.tools) + b"]"),
        )
    if request.output is not None:
        yield "response_format", request.output.once("openai", partial(_response_format, request.output))
    elif request.json_object:
        yield "response_format", {"type": "json_object"}
    if request.temperature is not None and can.sampling:
        yield "temperature", request.temperature
    if request.seed is not None and can.sampling:
        yield "seed", request.seed
    if request.max_tokens is not None:
        yield "max_completion_tokens" if can.max_completion_tokens else "max_tokens", request.max_tokens


def _tool(tool: ToolSpec) -> bytes:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return _json({"type": "function", "function": function})


def _response_format(output: OutputSchema) -> _Written:
    schema = output.json_schema
    described = {"name": output.name, "schema": schema, "strict": is_strict(schema)}
    return _Written(_json({"type": "json_schema", "json_schema": described}))


def _pieces(message: Message, can: Capabilities, stored: Mapping[str, str]) -> tuple[bytes, ...]:
    """A message as JSON, in pieces that are to be joined: media are their own, so they are held in memory once."""
    if stored and any(isinstance(part, VideoPart) and part.sha256 in stored for part in message.parts):
        # Small, and not kept: the address is another when the store has forgotten it.
        return _serialise(_message(message, can, stored))
    return message.once(
        ("openai", can.data_url_audio, can.frames, can.frames_as), lambda: _serialise(_message(message, can, {}))
    )


def _message(message: Message, can: Capabilities, stored: Mapping[str, str]) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role}
    if message.role in ("assistant", "tool", "system") or not _has_media(message.parts):
        # Plain strings are understood everywhere, lists of text parts are not.
        wire["content"] = message.text
    else:
        wire["content"] = [item for part in message.parts for item in _part(part, can, stored)]
    if message.tool_calls:
        wire["content"] = message.text or None
        wire["tool_calls"] = [call.model_dump() for call in message.tool_calls]
    if message.tool_call_id:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _has_media(parts: Iterable[Part]) -> bool:
    return any(not isinstance(part, TextPart) for part in parts)


def _part(part: Part, can: Capabilities, stored: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    if isinstance(part, TextPart):
        yield {"type": "text", "text": part.text}
    elif isinstance(part, ImagePart):
        yield {"type": "image_url", "image_url": {"url": _image(part)}}
    elif isinstance(part, AudioPart):
        prefix = "data:;base64," if can.data_url_audio else ""
        yield {
            "type": "input_audio",
            "input_audio": {"data": _Encoded(prefix, (part.base64,)), "format": part.format},
        }
    elif isinstance(part, FramesPart):
        yield from _frames(part, can)
    elif isinstance(part, VideoPart):
        prefix = "data:;base64," if can.data_url_audio else "data:video/mp4;base64,"
        url = stored.get(part.sha256) or _Encoded(prefix, (part.base64,))
        yield {"type": "video_url", "video_url": {"url": url}}
    elif isinstance(part, VideoUrlPart):
        yield {"type": "video_url", "video_url": {"url": part.url}}


def _frames(part: FramesPart, can: Capabilities) -> Iterator[dict[str, Any]]:
    if not can.frames:
        for frame in part.frames:
            yield {"type": "image_url", "image_url": {"url": _image(frame)}}
    elif can.frames_as == "jpeg_url":
        pieces = tuple(frame.base64 for frame in part.frames)
        yield {"type": "video_url", "video_url": {"url": _Encoded("data:video/jpeg;base64,", pieces)}}
    else:
        yield {"type": "video", "video": [_image(frame) for frame in part.frames], "fps": part.fps}


def _image(part: ImagePart) -> _Encoded:
    return _Encoded("data:image/jpeg;base64,", (part.base64,))


def _serialise(message: Mapping[str, Any]) -> tuple[bytes, ...]:
    if isinstance(message["content"], str | None):
        return (_json(message),)
    # The mark is drawn anew for every message, so no text can hold it.
    mark = f"<{secrets.token_hex(16)}>"
    found: list[_Encoded] = []

    def place(value: object) -> str:
        if not isinstance(value, _Encoded):
            raise TypeError(f"a {type(value).__name__} cannot be written as JSON")
        found.append(value)
        return mark

    marked = JSONEncoder(default=place, allow_nan=False, separators=(",", ":")).encode(message)
    pieces = marked.encode("ascii").split(mark.encode("ascii"))
    joined = [pieces[0]]
    for encoded, rest in zip(found, pieces[1:], strict=True):
        joined.append(encoded.prefix.encode("ascii"))
        for number, piece in enumerate(encoded.pieces):
            joined += [b",", piece] if number else [piece]
        joined.append(rest)
    return tuple(joined)


_ENCODER = JSONEncoder(allow_nan=False, separators=(",", ":"))


def _json(value: object) -> bytes:
    return _ENCODER.encode(value).encode("ascii")
