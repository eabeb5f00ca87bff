"""The chat-model protocol: all that the rest of the house knows of a provider."""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import Field

from omnidetective.frozen import Frozen
from omnidetective.llm.messages import ChatReply, ChatRequest


class Capabilities(Frozen):
    """What a model can take and give, checked before a call is paid for.

    Defaults describe a plain OpenAI-compatible text model. Limits are for one part; ``None`` is *no known limit*.
    Facts by model are in ``configs/capabilities.yaml``; a model set can override them.
    """

    must_stream: bool = False
    """The provider refuses calls that do not stream (Qwen-Omni)."""
    images: bool = False
    audio: bool = False
    frames: bool = False
    """Takes a list of frames as one video part."""
    video: bool = False
    """Takes a video file."""
    video_by: tuple[Literal["inline", "upload", "url"], ...] = ("inline",)
    """How a video may be given: in the body of the call; by way of the provider's own store, where it is too large for
    the body; or by a public address that the provider fetches it from."""
    video_sound: bool = False
    """Hears the sound of a video file; otherwise sound has to be a part of its own."""
    mixed_media: bool = True
    """Takes different kinds of media in one message; otherwise text and one other kind."""
    max_media_parts: int | None = None
    min_frames: int = 1
    max_frames: int | None = None
    frames_as: Literal["list", "jpeg_url"] = "list"
    """How a list of frames is written: DashScope's ``video`` part, or vLLM's ``data:video/jpeg`` URL."""
    data_url_audio: bool = False
    """Sound and video go as ``data:;base64,`` URLs; otherwise sound as bare base64 (OpenAI)."""
    audio_formats: tuple[str, ...] = ("wav", "mp3")
    max_audio_s: float | None = None
    min_video_s: float | None = None
    max_video_s: float | None = None
    max_video_bytes: int | None = None
    """Of a video file that does not travel inline."""
    max_part_bytes: int | None = None
    """Of one media part that travels inline, after base64."""
    tools: bool = True
    json_schema: bool = True
    json_object: bool = True
    reports_usage: bool = True
    sampling: bool = True
    """Takes ``temperature`` and ``seed``; OpenAI's reasoning models refuse them, so they are left out."""
    max_completion_tokens: bool = False
    """The length limit is called ``max_completion_tokens`` (OpenAI's reasoning models)."""
    chat_transcription: bool = False
    """A recogniser that is asked by a chat call holding the sound alone (qwen3-asr-flash)."""
    native_transcription: Literal["inline", "task"] | None = None
    """How DashScope's own recognisers are asked: with the sound in the call (fun-asr-flash), or by a task about sound
    that lies in its temporary store (fun-asr, -filetrans)."""
    speakers: bool = False
    """A recogniser that tells speakers apart."""
    text_prompt: bool = True
    """Takes a text prompt at all (qwen3-omni-30b-a3b-captioner does not)."""
    context_tokens: int | None = Field(default=None, ge=1)


class ChatModel(Protocol):
    """Something that answers chat requests.

    ``complete`` returns a reply with its outcome, or raises one of the :class:`~omnidetective.errors.ProviderError`
    classes. It never returns an invented answer.
    """

    @property
    def name(self) -> str:
        """``provider:model``, as it appears in records and in the price table."""
        ...

    @property
    def capabilities(self) -> Capabilities: ...

    async def complete(self, request: ChatRequest) -> ChatReply: ...

    async def aclose(self) -> None:
        """Gives back connections. Safe to call twice."""
        ...
