"""What each model can take and give (``configs/capabilities.yaml``), and the check before money is spent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from omnidetective.errors import BadRequestError, ConfigError
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
from omnidetective.resources import resource_root


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    match: str
    source: str
    date: date
    flags: dict[str, Any]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[_Row, ...]


class CapabilityTable:
    """Rows of flags. All rows whose glob fits ``provider:model`` apply, in their order: a later row wins."""

    def __init__(self, rows: tuple[_Row, ...]) -> None:
        self.rows = rows

    def of(self, name: str, overrides: Mapping[str, Any] | None = None) -> Capabilities:
        """The capabilities of a model. One that no row knows is taken for a plain text model.

        Raises:
            ConfigError: an override that is no capability, or has the wrong type.
        """
        flags: dict[str, Any] = {}
        for row in self.rows:
            if fnmatchcase(name.lower(), row.match.lower()):
                flags.update(row.flags)
        flags.update(overrides or {})
        try:
            return _read(flags)
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
            raise ConfigError(f"capabilities of {name}: {problems}") from None


def load_capabilities(path: Path) -> CapabilityTable:
    """Reads a capability table.

    Raises:
        ConfigError: the file is missing or wrong.
    """
    try:
        rows = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).models
        for row in rows:
            _read(row.flags)
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"cannot read the capabilities in {path}: {error}") from error
    return CapabilityTable(rows)


@cache
def built_in_capabilities() -> CapabilityTable:
    """``configs/capabilities.yaml``."""
    return load_capabilities(resource_root() / "configs" / "capabilities.yaml")


def _read(flags: Mapping[str, Any]) -> Capabilities:
    # YAML has lists where the model has tuples, and writes 150 where it means 150.0.
    return Capabilities.model_validate(dict(flags), strict=False)


def check(request: ChatRequest, capabilities: Capabilities, *, model: str) -> None:
    """Refuses what the model cannot take, before the call is made.

    Raises:
        BadRequestError: with a reason that begins with ``unsupported_``, or ``invalid_request``.
    """
    for reason, problem in _problems(request, capabilities):
        raise BadRequestError(
            f"{model} {problem}",
            reason=reason,
            hint="choose another model for this role, or correct the capabilities in the model set",
        )


def _problems(request: ChatRequest, can: Capabilities) -> Iterator[tuple[str, str]]:
    if not request.messages:
        yield "invalid_request", "was asked nothing: the request has no message"
    if request.tools and not can.tools:
        yield "unsupported_tools", "takes no tools"
    if request.output is not None and not can.json_schema:
        yield "unsupported_json_schema", "takes no JSON schema"
    if request.json_object and request.output is None and not can.json_object:
        yield "unsupported_json_object", "has no JSON mode"
    for message in request.messages:
        yield from _message_problems(message, can)


def _message_problems(message: Message, can: Capabilities) -> Iterator[tuple[str, str]]:
    if message.role == "tool" and not message.tool_call_id:
        yield "invalid_request", "was given a tool's answer without the id of its call"
    media = [part for part in message.parts if not isinstance(part, TextPart)]
    if not can.text_prompt and len(media) < len(message.parts):
        yield "unsupported_text", "takes no text"
    if not can.mixed_media and len({part.type for part in media}) > 1:
        yield "unsupported_mix", "takes one kind of media in a message besides text"
    if can.max_media_parts is not None and len(media) > can.max_media_parts:
        yield "unsupported_count", f"takes at most {can.max_media_parts} media in a message, not {len(media)}"
    for part in media:
        yield from _part_problems(part, can)


def _part_problems(part: Part, can: Capabilities) -> Iterator[tuple[str, str]]:
    if isinstance(part, ImagePart):
        if not can.images:
            yield "unsupported_image", "takes no images"
        yield from _size_problems(part.data, can)
    elif isinstance(part, AudioPart):
        if not can.audio:
            yield "unsupported_audio", "takes no sound"
        elif part.format not in can.audio_formats:
            yield "unsupported_audio_format", f"takes {' or '.join(can.audio_formats)}, not {part.format}"
        yield from _length_problems(part.duration_s, can.max_audio_s, "sound")
        yield from _size_problems(part.data, can)
    elif isinstance(part, FramesPart):
        if not (can.frames or can.images):
            yield "unsupported_frames", "takes no frames"
        if can.frames:
            least, most = can.min_frames, can.max_frames
            if len(part.frames) < least or (most is not None and len(part.frames) > most):
                yield (
                    "unsupported_frame_count",
                    f"takes {least} to {most or 'any number of'} frames, not {len(part.frames)}",
                )
        for frame in part.frames:
            yield from _size_problems(frame.data, can)
    elif isinstance(part, VideoPart | VideoUrlPart):
        yield from _video_problems(part, can)


def _video_problems(part: VideoPart | VideoUrlPart, can: Capabilities) -> Iterator[tuple[str, str]]:
    if not can.video:
        yield "unsupported_video", "takes no video files"
    if can.min_video_s is not None and part.duration_s < can.min_video_s:
        yield "unsupported_length", f"takes at least {can.min_video_s:g} s of video, not {part.duration_s:.1f} s"
    yield from _length_problems(part.duration_s, can.max_video_s, "video")
    if isinstance(part, VideoUrlPart):
        if "url" not in can.video_by:
            yield "unsupported_video", "fetches no video from an address"
    elif "upload" not in can.video_by:
        yield from _size_problems(part.data, can)
    elif can.max_video_bytes is not None and len(part.data) > can.max_video_bytes:
        yield "unsupported_size", f"takes at most {can.max_video_bytes:,} bytes of video, not {len(part.data):,}"


def _length_problems(duration_s: float, limit_s: float | None, what: str) -> Iterator[tuple[str, str]]:
    if limit_s is not None and duration_s > limit_s:
        yield "unsupported_length", f"takes at most {limit_s:g} s of {what}, not {duration_s:.1f} s"


def _size_problems(data: bytes, can: Capabilities) -> Iterator[tuple[str, str]]:
    encoded = 4 * ((len(data) + 2) // 3)
    if can.max_part_bytes is not None and encoded > can.max_part_bytes:
        yield "unsupported_size", f"takes at most {can.max_part_bytes:,} bytes a part after base64, not {encoded:,}"
