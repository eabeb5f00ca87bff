"""A chat server for benches: it answers every call after a fixed time, for as little CPU as Python allows.

It shares the machine with what is measured, so it speaks HTTP by hand: one ``asyncio.Protocol``, replies that were
made before. It plays one investigation: the detective asks ``inquiries`` questions one by one and concludes, witnesses
answer at once. Whoever asks is known by the model (``detective`` or another), how far the detective is by its tool
messages.

    python -m scripts.bench.mock_server --latency-ms 200 [--tls-folder DIR]

prints its address, then answers each line on its standard input by a JSON object of counts, until that is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

CHUNKS = 20
_HEAD_BYTES = 512
_LONGEST_HISTORY_BYTES = 1 << 18
_USAGE = {"prompt_tokens": 900, "completion_tokens": 60, "total_tokens": 960}
_SAID = (
    "A dog barks twice near the left of the room, then a door shuts hard and its echo fades over half a second. "
    "A woman laughs softly, close to the microphone, and says a few words that traffic noise from outside partly "
    "covers; her voice is calm and low. A clock goes on ticking through all of it."
)


@dataclass(slots=True)
class Counts:
    """What the server has seen.

    Attributes:
        requests: all of them.
        begun: those that open an investigation.
        answered: replies that were sent to their end.
        connections: opened, all in all.
        body_bytes: of all requests.
    """

    requests: int = 0
    begun: int = 0
    answered: int = 0
    connections: int = 0
    body_bytes: int = 0


class MockServer:
    """The server as a process of its own.

    Attributes:
        base_url: where a client finds it.
        pid: of its process, so that its CPU time can be left out.
    """

    def __init__(self, process: subprocess.Popen[str], base_url: str) -> None:
        self._process = process
        self.base_url = base_url
        self.pid = process.pid

    def counts(self) -> Counts:
        """What it has seen until now."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Counts(**json.loads(self._process.stdout.readline()))


@contextlib.contextmanager
def mock_server(*, latency_ms: float, tls_folder: Path | None = None, inquiries: int = 10) -> Iterator[MockServer]:
    """Start a server, and end it. With ``tls_folder`` it speaks TLS, and leaves its authority there as ``ca.pem``."""
    command = [sys.executable, "-m", "scripts.bench.mock_server", "--latency-ms", str(latency_ms)]
    command += ["--inquiries", str(inquiries)]
    if tls_folder is not None:
        command += ["--tls-folder", str(tls_folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield MockServer(process, process.stdout.readline().strip())
    finally:
        process.kill()
        process.wait()


# The process ----------------------------------------------------------------------------------------------------------


class _Replies:
    """Every reply there is, as bytes that go out as they are."""

    def __init__(self, inquiries: int) -> None:
        self._inquiries = inquiries
        turns = [_inquire(n) for n in range(inquiries)] + [_conclude()]
        self._whole = [_whole(turn) for turn in (*turns, {"content": _SAID})]
        self._streamed = [_streamed(turn) for turn in (*turns, {"content": _SAID})]

    def turn(self, body: bytes) -> int:
        """How many answers the detective that asks has had; -1 for a witness."""
        if b'"detective"' not in body[:_HEAD_BYTES]:
            return -1
        return min(body.count(b'"tool_call_id"'), self._inquiries)

    def to(self, turn: int, body: bytes) -> bytes | Sequence[bytes]:
        """The reply to a request: whole, or in pieces."""
        streams = b'"stream":true' in body or b'"stream": true' in body
        return self._streamed[turn] if streams else self._whole[turn]


def _inquire(number: int) -> dict[str, Any]:
    arguments = {
        "observer": "audio_llm",
        "question": f"What is heard in part {number} of the sound, where does it come from, and how does it end?",
        "attributes": ["scene", "characters", "actions", "narrative", "speech", "emotions"],
    }
    return _call(f"call_{number}", "inquire", arguments)


def _conclude() -> dict[str, Any]:
    return _call("call_end", "conclude", {"caption": _SAID, "events": [], "absent": [], "contradictions": []})


def _call(call_id: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"content": None, "tool_calls": [{"id": call_id, "type": "function", "function": function}]}


def _whole(message: dict[str, Any]) -> bytes:
    finish = "tool_calls" if "tool_calls" in message else "stop"
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish, "logprobs": None}
    answer = {"id": "chatcmpl-0", "object": "chat.completion", "created": 1, "model": "m", "usage": _USAGE}
    body = json.dumps({**answer, "choices": [choice]}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _streamed(message: dict[str, Any]) -> tuple[bytes, ...]:
    calls = message.get("tool_calls")
    text = calls[0]["function"]["arguments"] if calls else message["content"]
    size = -(-len(text) // CHUNKS)
    deltas: list[dict[str, Any]] = []
    for start in range(0, len(text), size):
        piece = text[start : start + size]
        if calls:
            opening = {**calls[0], "function": {**calls[0]["function"], "arguments": piece}}
            rest = {"function": {"arguments": piece}}
            deltas.append({"tool_calls": [{"index": 0, **(rest if start else opening)}]})
        else:
            deltas.append({"content": piece})
    common = {"id": "chatcmpl-0", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    chunks = [{**common, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append(
        {**common, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls" if calls else "stop"}]}
    )
    chunks.append({**common, "choices": [], "usage": _USAGE})
    events = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks]
    events[-2:] = [b"".join((*events[-2:], b"data: [DONE]\n\n"))]
    pieces = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
    pieces[-1] += b"0\r\n\r\n"
    pieces[0] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces[0]
    return tuple(pieces)


class _Connection(asyncio.Protocol):
    """One client connection; one request at a time, as HTTP/1.1 clients do."""

    def __init__(self, replies: _Replies, counts: Counts, latency_s: float) -> None:
        self._replies = replies
        self._counts = counts
        self._latency_s = latency_s
        self._loop = asyncio.get_running_loop()
        self._received: list[bytes] = []
        self._left = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._counts.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        if self._left:
            self._left -= len(data)
            if self._left < _LONGEST_HISTORY_BYTES:
                self._received.append(data)
        else:
            self._received.append(data)
            if not self._begin():
                return
        if self._left <= 0:
            self._answer(b"".join(self._received))
            self._received.clear()

    def _begin(self) -> bool:
        """Whether the header is here; the length of what is still to come is known then."""
        so_far = b"".join(self._received)
        header, found, body = so_far.partition(b"\r\n\r\n")
        if not found:
            return False
        length = header.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        self._left = int(length) - len(body)
        self._counts.body_bytes += int(length)
        self._received[:] = [body]
        return True

    def _answer(self, body: bytes) -> None:
        self._left = 0
        self._counts.requests += 1
        turn = self._replies.turn(body)
        self._counts.begun += turn == 0
        reply = self._replies.to(turn, body)
        if isinstance(reply, bytes):
            self._loop.call_later(self._latency_s, self._send, reply, True)
            return
        for number, piece in enumerate(reply, start=1):
            wait_s = self._latency_s * number / len(reply)
            self._loop.call_later(wait_s, self._send, piece, number == len(reply))

    def _send(self, data: bytes, last: bool) -> None:
        if self._transport is not None:
            self._transport.write(data)
            self._counts.answered += last


def _tls(folder: Path) -> ssl.SSLContext:
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def _serve(options: argparse.Namespace) -> None:
    replies, counts = _Replies(options.inquiries), Counts()
    context = None if options.tls_folder is None else _tls(options.tls_folder)
    server = await asyncio.get_running_loop().create_server(
        lambda: _Connection(replies, counts, options.latency_ms / 1000), "127.0.0.1", 0, ssl=context, backlog=4096
    )
    scheme = "http" if context is None else "https"
    print(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(asdict(counts)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--latency-ms", type=float, required=True)
    parser.add_argument("--inquiries", type=int, default=10)
    parser.add_argument("--tls-folder", type=Path)
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
