"""A call in one line of a log: lengths, hashes and seconds, never content."""

from __future__ import annotations

from omnidetective.llm.messages import AudioPart, ChatRequest, FramesPart, ImagePart, Part, TextPart, VideoUrlPart


def digest(request: ChatRequest) -> str:
    """What a request holds, such as ``3 messages: text 1204 chars, audio wav 12.0 s #1f3a9c2b``."""
    parts = [part for message in request.messages for part in message.parts]
    chars = sum(len(part.text) for part in parts if isinstance(part, TextPart))
    images = [part for part in parts if isinstance(part, ImagePart)]
    media = [_media(part) for part in parts if not isinstance(part, TextPart | ImagePart)]
    if images:
        media.append(_media(images[0]) if len(images) == 1 else f"{len(images)} images #{images[0].sha256[:8]}…")
    tools = [f"{len(request.tools)} tools"] if request.tools else []
    return f"{len(request.messages)} messages: " + ", ".join([f"text {chars} chars", *media, *tools])


def sound_digest(audio: AudioPart) -> str:
    """The same of a sound that is sent alone."""
    return _media(audio)


def _media(part: Part) -> str:
    if isinstance(part, FramesPart):
        return f"{len(part.frames)} frames at {part.fps:g} fps #{part.frames[0].sha256[:8] if part.frames else ''}"
    if isinstance(part, ImagePart):
        return f"image #{part.sha256[:8]}"
    if isinstance(part, AudioPart):
        return f"audio {part.format} {part.duration_s:.1f} s #{part.sha256[:8]}"
    if isinstance(part, TextPart):
        return f"text {len(part.text)} chars"
    where = " by URL" if isinstance(part, VideoUrlPart) else ""
    return f"video{where} {part.duration_s:.1f} s #{part.sha256[:8]}"
