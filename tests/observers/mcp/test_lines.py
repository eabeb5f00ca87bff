"""What a server writes is cut into messages, however it arrives, in bounded memory."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import JSONRPCError, JSONRPCNotification, JSONRPCResponse

from omnidetective.observers.mcp.stdio import TOO_LARGE, Lines

MAX_BYTES = 2000
SMALL = [{"jsonrpc": "2.0", "id": n, "result": {"text": "ü" * n}} for n in range(5)]


def read(data: bytes, cuts: list[int], heard: list[str] | None = None) -> list[object]:
    """The messages of some bytes that arrive in pieces."""
    lines, edges = (
        Lines(MAX_BYTES, heard.append if heard is not None else [].append),
        sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)}),
    )
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
    return [message.message for piece in pieces for message in lines.feed(piece)]


def written(*messages: object) -> bytes:
    return b"".join(json.dumps(message, ensure_ascii=False).encode() + b"\n" for message in messages)


@given(st.lists(st.integers(0, 10_000), max_size=20))
def test_messages_do_not_depend_on_the_pieces_they_arrive_in(cuts: list[int]) -> None:
    large = {"jsonrpc": "2.0", "id": 7, "result": {"text": "x" * 5000, "id": 3}}
    data = written(*SMALL, "garbage", large, {"id": 1}) + b"\xff\xfe\n\n{]\n" + written(*SMALL)
    *small, error, one, two, three, four, five = read(data, cuts)
    assert [m.id for m in small if isinstance(m, JSONRPCResponse)] == [0, 1, 2, 3, 4]
    assert isinstance(error, JSONRPCError)
    assert (error.id, error.error.code) == (7, TOO_LARGE)
    assert [m.id for m in (one, two, three, four, five) if isinstance(m, JSONRPCResponse)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("message", "answered"),
    [
        ({"jsonrpc": "2.0", "id": "a-1", "result": "x" * 5000}, "a-1"),
        ({"result": {"text": "x" * 5000}, "jsonrpc": "2.0", "id": 12}, 12),
        ({"error": {"code": 1, "message": "x" * 5000}, "id": 12, "jsonrpc": "2.0"}, 12),
        ({"jsonrpc": "2.0", "id": 3, "method": "sampling/createMessage", "params": "x" * 5000}, None),
        ({"method": "sampling/createMessage", "params": "x" * 5000, "jsonrpc": "2.0", "id": 3}, None),
        ({"result": {"text": 'x" * 5000, "id": 3}' + "x" * 5000}}, None),
        (["x" * 5000], None),
    ],
)
def test_a_message_that_is_too_large_fails_the_request_that_it_answers(message: object, answered: object) -> None:
    after = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
    *errors, last = read(written(message, after), [100, 3000])
    assert isinstance(last, JSONRPCNotification)
    assert [error.id for error in errors if isinstance(error, JSONRPCError)] == ([] if answered is None else [answered])


def test_an_answer_that_is_no_message_fails_its_request() -> None:
    heard: list[str] = []
    [error] = read(b"Loading\n" + written({"result": ["no", "object"], "jsonrpc": "2.0", "id": 4}), [], heard)
    assert heard[0] == "Loading"
    assert isinstance(error, JSONRPCError)
    assert error.id == 4
