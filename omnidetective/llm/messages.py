"""What is said to a chat model and what it says back, the same for every provider.

Media travel as bytes with their hash: nothing here is a path, so nothing can be uploaded by looking like one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Hashable, Mapping
from functools import cached_property
from typing import Any, Literal, Self, TypeVar, cast

from pydantic import Field, JsonValue

from omnidetective.frozen import Frozen
from omnidetective.records import ToolCall

ReplyOutcome = Literal["ok", "truncated", "blocked", "empty"]
"""How a call that was answered ended. ``truncated``: the length limit cut it; ``blocked``: a content filter."""


T = TypeVar("T")


class Lasting(Frozen):
    """What goes out again with every turn of a conversation, and so keeps what was derived from it."""

    @cached_property
    def _derived(self) -> dict[Hashable, Any]:
        return {}

    def once(self, key: Hashable, derive: Callable[[], T]) -> T:
        """What ``derive`` makes of this object: made at the first call with this key."""
        if key not in self._derived:
            self._derived[key] = derive()
        return cast(T, self._derived[key])

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, perhaps with other values, of which nothing was derived yet."""
        copied = super().model_copy(update=update, deep=deep)
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied


class _Bytes(Lasting):
    data: bytes = Field(repr=False)

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def base64(self) -> bytes:
        """Encoded once a part: the same frames and sound go out with every turn of a conversation."""
        return base64.b64encode(self.data)


class TextPart(Frozen):
    type: Literal["text"] = "text"
    text: str


class ImagePart(_Bytes):
    """A JPEG. ``time_s`` is when it is shown in the clip, when it is a frame."""

    type: Literal["image"] = "image"
    time_s: float | None = None


class AudioPart(_Bytes):
    """Encoded sound; ``format`` names the container (``wav``, ``mp3``, ``ogg``)."""

    type: Literal["audio"] = "audio"
    format: Literal["wav", "mp3", "ogg"]
    duration_s: float


class FramesPart(Frozen):
    """A video as a list of frames, evenly spaced, for models that take one."""

    type: Literal["frames"] = "frames"
    frames: tuple[ImagePart, ...]
    fps: float


class VideoPart(_Bytes):
    """A whole MP4 file. It goes inline, or by way of the provider's own store where it is too large for that."""

    type: Literal["video"] = "video"
    duration_s: float


class VideoUrlPart(Frozen):
    """A video that the provider fetches by itself. ``sha256`` is of the file that was found there."""

    type: Literal["video_url"] = "video_url"
    url: str = Field(repr=False)
    sha256: str
    duration_s: float


Part = TextPart | ImagePart | AudioPart | FramesPart | VideoPart | VideoUrlPart


class Message(Lasting):
    """One chat message.

    ``tool_calls`` only in an assistant's message; ``tool_call_id`` only, and always, in a tool's.
    """

    role: Literal["system", "user", "assistant", "tool"]
    parts: tuple[Part, ...]
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None

    @classmethod
    def of(cls, role: Literal["system", "user", "assistant"], *parts: str | Part) -> Message:
        """A message from strings and parts."""
        return cls(role=role, parts=tuple(TextPart(text=p) if isinstance(p, str) else p for p in parts))

    @property
    def text(self) -> str:
        """The text parts, joined by line breaks."""
        return "\n".join(part.text for part in self.parts if isinstance(part, TextPart))


class ToolSpec(Lasting):
    """A function the model may call; ``parameters`` is a JSON Schema of an object."""

    name: str
    description: str
    parameters: dict[str, JsonValue]


class OutputSchema(Lasting):
    """The form an answer must have."""

    name: str
    json_schema: dict[str, JsonValue]


class ChatRequest(Frozen):
    """One call, whoever answers it. ``sample`` tells apart draws that are otherwise the same call."""

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    output: OutputSchema | None = None
    json_object: bool = False
    """Ask the provider for any JSON object. The prompt must say JSON: some providers insist. ``output`` is stronger."""
    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    sample: int = 0


class TokenUsage(Frozen):
    """Tokens of one call as the provider reports them.

    ``cached_prompt_tokens`` and ``audio_prompt_tokens`` are parts of ``prompt_tokens`` that cost differently; ``None``
    where the provider does not tell them apart.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_prompt_tokens: int | None = None
    audio_prompt_tokens: int | None = None


class ChatReply(Frozen):
    """One answer. ``usage`` is ``None`` where the provider reported none: it is never guessed."""

    outcome: ReplyOutcome
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    usage: TokenUsage | None = None
    model: str
    seconds: float = 0.0
    reasoning: str = ""
