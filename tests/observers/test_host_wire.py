"""What crosses between a worker and a host arrives as it was sent, and no more of it than may be."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidetective import errors
from omnidetective.errors import OmnidetectiveError, ProviderError
from omnidetective.framing import LENGTHS, Most, TooLongError, begin, read_frame
from omnidetective.llm.messages import AudioPart, ChatRequest, FramesPart, ImagePart, Message, OutputSchema, TextPart
from omnidetective.observers.host.calls import pack, unpack
from omnidetective.observers.host.faults import Fault, PluginFailedError

_TEXT = st.text(st.characters(exclude_categories=("Cs",)))
_IMAGES = st.builds(ImagePart, data=st.binary(max_size=50), time_s=st.none() | st.floats(0, 100))
_PARTS = st.one_of(
    st.builds(TextPart, text=_TEXT),
    _IMAGES,
    st.builds(AudioPart, data=st.binary(max_size=50), format=st.sampled_from(["wav", "mp3"]), duration_s=st.just(1.0)),
    st.builds(FramesPart, frames=st.lists(_IMAGES, max_size=3).map(tuple), fps=st.just(2.0)),
)
_REQUESTS = st.builds(
    ChatRequest,
    messages=st.lists(
        st.builds(Message, role=st.sampled_from(["system", "user"]), parts=st.lists(_PARTS).map(tuple)), max_size=3
    ).map(tuple),
    output=st.none() | st.builds(OutputSchema, name=_TEXT, json_schema=st.just({"type": "object"})),
    temperature=st.none() | st.floats(0, 2),
    max_tokens=st.none() | st.integers(1, 9000),
)
_CLASSES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, OmnidetectiveError)]


@given(_REQUESTS)
def test_a_request_to_a_model_arrives_as_it_was_sent(request: ChatRequest) -> None:
    packed, media = pack(request)
    assert unpack(json.loads(json.dumps(packed)), media) == request


@given(st.sampled_from(_CLASSES), _TEXT, _TEXT, st.booleans(), st.integers(400, 599))
def test_an_error_keeps_its_class_its_reason_and_what_comes_next(
    kind: type[OmnidetectiveError], message: str, hint: str, again: bool, status: int
) -> None:
    error = kind(message, reason="a_reason", hint=hint, retryable=again)
    if isinstance(error, ProviderError):
        error.status, error.attempts, error.sent = status, 3, False
    arrived = Fault.model_validate_json(Fault.of(error).model_dump_json()).error()
    assert type(arrived) is kind
    assert vars(arrived) == vars(error)


class OwnError(errors.RateLimitError):
    """A package's own."""


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (OwnError("slow down"), errors.RateLimitError, "rate_limit"),
        (ValueError("\ud800" + "x" * 10_000_000), PluginFailedError, "ValueError"),
    ],
)
def test_an_error_of_a_package_is_the_nearest_that_is_known(error: Exception, kind: type, reason: str) -> None:
    fault = Fault.of(error)
    assert len(fault.model_dump_json()) < 10_000
    assert type(fault.error()) is kind
    assert fault.error().reason == reason


async def _read(data: bytes, most: Most) -> Any:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return await read_frame(reader, most)


@given(st.binary(max_size=99), st.binary(max_size=99))
def test_a_message_arrives_whole_or_not_at_all(header: bytes, payload: bytes) -> None:
    whole = begin(header, payload) + payload
    most = Most(header=99, payload=99)
    assert asyncio.run(_read(whole, most)) == (header, payload)
    assert asyncio.run(_read(whole[:-1], most)) is None


async def test_what_claims_to_be_too_long_is_not_even_waited_for() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(LENGTHS.pack(2**31, 0))
    with pytest.raises(TooLongError):
        await asyncio.wait_for(read_frame(reader, Most(header=2**23, payload=0)), 60)
