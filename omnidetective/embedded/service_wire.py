"""What workers and the model service say to each other: a JSON header that is checked, then raw bytes.

Each message is two lengths, the header and the payload: sound as 32-bit floats of this machine, a picture as it is, or
nothing. Numbers in headers come through exactly, so an answer is the same to the last bit as one from this process.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Final, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from omnidetective.embedded.speech import Transcript
from omnidetective.embedded.text import TextLine
from omnidetective.evidence import Span
from omnidetective.framing import Most, Payload, WireError, read_frame, write_frame
from omnidetective.frozen import Frozen

T = TypeVar("T")

_MOST: Final = Most(header=2**24, payload=2**30)


class _Request(Frozen):
    """``alone``: run it with nothing beside it, since the service died while it ran before."""

    id: int
    alone: bool = False


class VoiceRequest(_Request):
    """Where is a voice active? The payload is sound."""

    kind: Literal["voice"] = "voice"
    offset_s: float
    lenient: bool = False


class SpeechRequest(_Request):
    """What is said? The payload is sound. ``seconds_left``: time to answer; ``None``: no limit."""

    kind: Literal["speech"] = "speech"
    weights: str
    voiced: tuple[Span, ...]
    language: str | None
    offset_s: float
    seconds_left: float | None


class SoundRequest(_Request):
    """Which kinds of sound? The payload is sound."""

    kind: Literal["sounds"] = "sounds"


class TextRequest(_Request):
    """Which text? The payload is a picture."""

    kind: Literal["text"] = "text"


class Cancel(Frozen):
    """Nobody waits for this answer any more."""

    kind: Literal["cancel"] = "cancel"
    id: int


class Started(Frozen):
    """Work on a request has begun: should the service die now, the request may be why."""

    kind: Literal["started"] = "started"
    id: int


class VoiceReply(Frozen):
    kind: Literal["voice"] = "voice"
    id: int
    spans: tuple[Span, ...]


class SpeechReply(Frozen):
    kind: Literal["speech"] = "speech"
    id: int
    transcript: Transcript


class SoundReply(Frozen):
    """The payload is the scores, as rows of as many as there are labels."""

    kind: Literal["sounds"] = "sounds"
    id: int
    labels: tuple[str, ...]


class TextReply(Frozen):
    kind: Literal["text"] = "text"
    id: int
    lines: tuple[TextLine, ...]


class FailedReply(Frozen):
    """The model raised. ``reason`` and ``hint`` as in :class:`~omnidetective.errors.OmnidetectiveError`."""

    kind: Literal["failed"] = "failed"
    id: int
    message: str
    reason: str
    hint: str = ""


Request = VoiceRequest | SpeechRequest | SoundRequest | TextRequest
Reply = VoiceReply | SpeechReply | SoundReply | TextReply | FailedReply

REQUESTS: Final[TypeAdapter[Request | Cancel]] = TypeAdapter(Annotated[Request | Cancel, Field(discriminator="kind")])
REPLIES: Final[TypeAdapter[Reply | Started]] = TypeAdapter(Annotated[Reply | Started, Field(discriminator="kind")])


def send(
    writer: asyncio.StreamWriter, message: Request | Cancel | Reply | Started, payload: Payload | None = None
) -> None:
    """Write a message; the caller waits for the socket to drain where that matters."""
    write_frame(writer, message.model_dump_json().encode(), payload)


async def receive(reader: asyncio.StreamReader, messages: TypeAdapter[T]) -> tuple[T, bytes] | None:
    """The next message with its payload; ``None`` when the other end is gone, even in the middle of one.

    Raises:
        WireError: it is none of the messages expected.
    """
    if (frame := await read_frame(reader, _MOST)) is None:
        return None
    header, payload = frame
    try:
        return messages.validate_json(header), payload
    except ValidationError as error:
        raise WireError(str(error)) from error
