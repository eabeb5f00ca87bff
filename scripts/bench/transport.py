"""How a chat call should be made: the SDK's ``create`` or its low-level ``post``, over httpx or aiohttp.

One process asks a loopback server in another; all ways take turns in one run, so read the ratios, not the numbers.
Each call carries a conversation of 22 messages, as in the middle of an investigation; with ``--audio-kb`` one of them
has sound.

    python scripts/bench/transport.py [--calls 512] [--in-flight 64] [--latency-ms 50] [--rounds 3] [--audio-kb 0]
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from openai import AsyncOpenAI, DefaultAioHttpClient, DefaultAsyncHttpxClient

from omnidetective.llm.endpoint import Endpoint
from omnidetective.llm.messages import AudioPart, ChatRequest, Message
from omnidetective.llm.openai_chat import OpenAIChat
from omnidetective.llm.openai_client import OpenAIClient

_TURNS = 10
_START_TIMEOUT_S = 20.0

_SERVER = """
import asyncio, json, sys
from aiohttp import web

message = {"role": "assistant", "content": "A dog barks."}
answer = {"id": "x", "object": "chat.completion", "created": 1, "model": "m",
          "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
          "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}}
chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
         "choices": [{"index": 0, "delta": {"content": "A "}, "finish_reason": None}]}
last = {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
usage = {**chunk, "choices": [], "usage": answer["usage"]}
body = json.dumps(answer).encode()
stream = b"".join(b"data: " + json.dumps(c).encode() + b"\\n\\n" for c in [*[chunk] * 20, last, usage])
stream += b"data: [DONE]\\n\\n"
latency = float(sys.argv[1]) / 1000

async def play(request):
    raw = await request.read()
    await asyncio.sleep(latency)
    if b'"stream":true' in raw:
        return web.Response(body=stream, content_type="text/event-stream")
    return web.Response(body=body, content_type="application/json")

async def main():
    app = web.Application(client_max_size=64 * 1024**2)
    app.router.add_post("/v1/chat/completions", play)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to make the call."""

    name: str
    call: Callable[[], Awaitable[object]]
    close: Callable[[], Awaitable[None]]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=512)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--latency-ms", type=float, default=50.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--audio-kb", type=int, default=0)
    options = parser.parse_args()
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(options.latency_ms)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        asyncio.run(_run(f"http://127.0.0.1:{int(server.stdout.readline())}/v1", options))
    finally:
        server.kill()
        server.wait(_START_TIMEOUT_S)


async def _run(base_url: str, options: argparse.Namespace) -> None:
    ways = _ways(base_url, options.audio_kb)
    cpu_ms: dict[str, list[float]] = {way.name: [] for way in ways}
    rate: dict[str, list[float]] = {way.name: [] for way in ways}
    for way in ways:
        await _measure(way, calls=options.in_flight, in_flight=options.in_flight)  # connections are opened outside
    for _ in range(options.rounds):
        for way in ways:
            wall_s, cpu_s = await _measure(way, calls=options.calls, in_flight=options.in_flight)
            cpu_ms[way.name].append(1000 * cpu_s / options.calls)
            rate[way.name].append(options.calls / wall_s)
    for way in ways:
        await way.close()
    ours = statistics.median(cpu_ms[ways[0].name])
    ideal = options.in_flight / (options.latency_ms / 1000)
    print(f"{options.in_flight} in flight, {options.latency_ms:g} ms latency, {options.audio_kb} kB of sound a call")
    print(f"{'way':42} {'calls/s':>8} {'of ideal':>9} {'CPU ms/call':>12} {'ratio':>6}")
    for way in ways:
        cpu, calls_s = statistics.median(cpu_ms[way.name]), statistics.median(rate[way.name])
        print(f"{way.name:42} {calls_s:8.0f} {calls_s / ideal:8.0%} {cpu:12.2f} {cpu / ours:5.1f}x")


async def _measure(way: Way, *, calls: int, in_flight: int) -> tuple[float, float]:
    left = calls

    async def worker() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await way.call()

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return time.perf_counter() - wall, time.process_time() - cpu


def _ways(base_url: str, audio_kb: int) -> list[Way]:
    request = _conversation(audio_kb)
    wire = _as_dicts(request)

    def client(http_client: Any) -> AsyncOpenAI:
        return AsyncOpenAI(api_key="k", base_url=base_url, max_retries=0, http_client=http_client)

    def created(sdk: AsyncOpenAI) -> Callable[[], Awaitable[object]]:
        return lambda: sdk.chat.completions.create(model="m", messages=wire())

    def posted(sdk: AsyncOpenAI) -> Callable[[], Awaitable[object]]:
        headers = {"Content-Type": "application/json"}
        return lambda: sdk.post(
            "/chat/completions",
            cast_to=object,
            content=json.dumps({"model": "m", "messages": wire()}).encode(),
            options={"headers": headers},
        )

    ways = []
    for name, overrides in (("ours", {"audio": True}), ("ours, streamed", {"audio": True, "must_stream": True})):
        chat = OpenAIChat(
            OpenAIClient(Endpoint("openai", base_url, "k"), call_timeout_s=60), model="m", overrides=overrides
        )
        ways.append(Way(name, partial(chat.complete, request), chat.aclose))
    for transport, make in (("httpx", DefaultAsyncHttpxClient), ("aiohttp", DefaultAioHttpClient)):
        for name, calls in (("post, ready bytes", posted), ("chat.completions.create", created)):
            sdk = client(make())
            ways.append(Way(f"openai {name}, {transport}", calls(sdk), sdk.close))
    return ways


def _conversation(audio_kb: int) -> ChatRequest:
    messages = [Message.of("system", "You are a detective. " * 40)]
    for turn in range(_TURNS):
        messages.append(Message.of("user", f"Observation {turn}: a dog barks twice, then a door shuts. " * 6))
        messages.append(Message.of("assistant", '{"observer": "audio_llm", "question": "What follows?"}'))
    sound = AudioPart(data=b"\x01\x02" * (audio_kb * 512), format="wav", duration_s=30.0)
    messages.append(Message.of("user", "What is heard?", *([sound] if audio_kb else [])))
    return ChatRequest(messages=tuple(messages))


def _as_dicts(request: ChatRequest) -> Callable[[], Any]:
    """What a program without our types would do for each call: encode the sound and build the messages."""

    def build() -> Any:
        messages: list[dict[str, Any]] = []
        for message in request.messages:
            media = [part for part in message.parts if isinstance(part, AudioPart)]
            if not media:
                messages.append({"role": message.role, "content": message.text})
                continue
            data = base64.b64encode(media[0].data).decode()
            sound = {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
            messages.append({"role": message.role, "content": [{"type": "text", "text": message.text}, sound]})
        return messages

    return build


if __name__ == "__main__":
    main()
