"""What workers and a host process say to each other.

A message is a JSON header that is checked, then raw bytes (media for a model call). A host runs foreign code: what
comes from it is read up to a limit, and is nothing but data.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from omnidetective.evidence import Span, SpeechEvidence
from omnidetective.framing import Most, Payload, WireError, read_frame, write_frame
from omnidetective.frozen import Frozen
from omnidetective.llm.base import Capabilities
from omnidetective.llm.messages import ChatReply
from omnidetective.llm.transcriber import Hearing
from omnidetective.observers.fields import SettingField
from omnidetective.observers.host.faults import Fault
from omnidetective.records import Attribute, Kind, MediaFacts, Modality, Observation

T = TypeVar("T")

FROM_HOST_MOST: Final = Most(header=2**23, payload=2**28)
TO_HOST_MOST: Final = Most(header=2**25, payload=0)


class RoleCast(Frozen):
    """Who plays a role, as the host is told: never how to reach them."""

    role: str
    name: str = ""
    capabilities: Capabilities | None = None
    transcriber: str = ""
    hearing: Hearing | None = None
    fault: Fault | None = None
    transcriber_fault: Fault | None = None


class Open(Frozen):
    """First message of a worker: the context in which its observers are made. Answered by :class:`Opened`."""

    kind: Literal["open"] = "open"
    settings: dict[str, JsonValue]
    model_set: dict[str, JsonValue]
    names: dict[str, str]
    roles: tuple[RoleCast, ...]


class ClipData(Frozen):
    """All that makes a clip again from its file."""

    id: str
    path: str
    facts: MediaFacts
    probe: dict[str, JsonValue]
    duration_s: float
    settings: dict[str, JsonValue]


class Observe(Frozen):
    """A question. ``alone``: with no other beside it, since the process died before while it was worked on."""

    kind: Literal["observe"] = "observe"
    id: int
    observer: str
    clip: ClipData
    question: str
    span: Span | None
    alone: bool = False


class Cancel(Frozen):
    """Nobody waits for this answer any more. Answered by :class:`Cancelled` as soon as it is heard."""

    kind: Literal["cancel"] = "cancel"
    id: int


class CallAnswer(Frozen):
    """What a model call gave that was made for an inquiry."""

    kind: Literal["call_answer"] = "call_answer"
    id: int
    call: int
    reply: ChatReply | None = None
    speech: SpeechEvidence | None = None
    fault: Fault | None = None


class Hello(Frozen):
    """First message of the host, before it imports anything foreign."""

    kind: Literal["hello"] = "hello"
    pid: int


class Described(Frozen):
    """One observer of the host. ``settings`` are those that every observer has; ``fault``: it cannot work here."""

    name: str
    observer_kind: Kind
    modalities: tuple[Modality, ...]
    needs: str
    description: str
    attributes: tuple[Attribute, ...]
    role: str | None
    cost: str
    settings: dict[str, JsonValue]
    fields: tuple[SettingField, ...]
    fault: Fault | None = None


class Opened(Frozen):
    """The observers, or why there are none."""

    kind: Literal["opened"] = "opened"
    observers: tuple[Described, ...] = ()
    fault: Fault | None = None


class Started(Frozen):
    """Work on an inquiry has begun: should the process die now, the inquiry may be why."""

    kind: Literal["started"] = "started"
    id: int


class Answered(Frozen):
    kind: Literal["answered"] = "answered"
    id: int
    observation: Observation


class Failed(Frozen):
    """The observer raised, or returned what is no observation."""

    kind: Literal["failed"] = "failed"
    id: int
    fault: Fault


class Cancelled(Frozen):
    kind: Literal["cancelled"] = "cancelled"
    id: int


class Leaving(Frozen):
    """The process takes no more questions: ask its successor."""

    kind: Literal["leaving"] = "leaving"
    id: int


class ChatCall(Frozen):
    """A model call for an inquiry. The payload holds the media that the request names: see ``calls.unpack``."""

    kind: Literal["chat"] = "chat"
    id: int
    call: int
    role: str
    request: dict[str, Any]


class TranscriptCall(Frozen):
    """A call to a recogniser for an inquiry. The payload is the sound."""

    kind: Literal["transcript"] = "transcript"
    id: int
    call: int
    role: str
    format: Literal["wav", "mp3", "ogg"]
    duration_s: float
    language: str | None


ToHost = Open | Observe | Cancel | CallAnswer
FromHost = Hello | Opened | Started | Answered | Failed | Cancelled | Leaving | ChatCall | TranscriptCall

TO_HOST: Final[TypeAdapter[ToHost]] = TypeAdapter(Annotated[ToHost, Field(discriminator="kind")])
FROM_HOST: Final[TypeAdapter[FromHost]] = TypeAdapter(Annotated[FromHost, Field(discriminator="kind")])


def send(writer: asyncio.StreamWriter, message: ToHost | FromHost, payload: Payload | None = None) -> None:
    """Write a message.

    Raises:
        ValueError: it cannot be written as JSON.
    """
    write_frame(writer, message.model_dump_json().encode(), payload)


async def receive(reader: asyncio.StreamReader, messages: TypeAdapter[T], most: Most) -> tuple[T, bytes] | None:
    """The next message with its payload; ``None`` when the other end is gone, even in the middle of one.

    Raises:
        WireError: it is none of the messages expected, or longer than they may be.
    """
    if (frame := await read_frame(reader, most)) is None:
        return None
    return understood(frame[0], messages), frame[1]


def understood(header: bytes, messages: TypeAdapter[T]) -> T:
    """A message from its header.

    Raises:
        WireError: it is none of those expected.
    """
    try:
        return messages.validate_json(header)
    except ValidationError as error:
        raise WireError(f"a message that is none: {error.error_count()} faults") from error
