"""What users set up around a connection: proxies, certificates, credentials, headers; and that connections are kept."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest
from aiohttp import web
from servers.faulty_openai import FaultyOpenAI, Seen, says
from servers.studio import asking

from omnidetective.errors import BadRequestError, TransientError
from omnidetective.llm.endpoint import Endpoint
from omnidetective.llm.openai_chat import OpenAIChat
from omnidetective.llm.openai_client import OpenAIClient
from omnidetective.llm.surroundings import openai_headers
from scripts.bench.mock_server import mock_server

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def said(base_url: str, *, key: str = "", calls: int = 1, must_stream: bool = False) -> str:
    client = OpenAIClient(Endpoint("vllm", base_url, key), call_timeout_s=10)
    chat = OpenAIChat(client, model="m", overrides={"must_stream": must_stream})
    try:
        return [await chat.complete(asking("hello?")) for _ in range(calls)][-1].text
    finally:
        await chat.aclose()


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY", "http_proxy"])
async def test_a_proxy_is_used_where_one_is_named(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with FaultyOpenAI([says("through the proxy")]) as proxy:
        host = proxy.base_url.removeprefix("http://").removesuffix("/v1")
        monkeypatch.setenv(variable, f"http://me:hush%40@{host}")
        assert await said("http://models.example/v1", key="key") == "through the proxy"
    assert proxy.seen[0].headers["Host"] == "models.example"
    assert proxy.seen[0].headers["Authorization"] == "Bearer key"
    assert proxy.seen[0].headers["Proxy-Authorization"] == "Basic " + base64.b64encode(b"me:hush@").decode()


async def test_a_proxy_before_an_encrypted_connection_never_sees_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:hush@127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
        with pytest.raises(TransientError):
            await said("https://models.example/v1", key="sk-canary")
    (request,) = heard
    assert request.startswith("CONNECT models.example:443 ")
    assert "Proxy-Authorization: Basic " + base64.b64encode(b"me:hush").decode() in request
    assert "canary" not in request


async def test_no_proxy_for_the_hosts_that_are_excepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with FaultyOpenAI([says("straight")]) as server:
        with pytest.raises(TransientError, match="cannot connect"):
            await said(server.base_url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert await said(server.base_url) == "straight"


async def test_a_proxy_of_another_kind_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://me:hush@127.0.0.1:9")
    with pytest.raises(BadRequestError, match="socks5") as caught:
        await said("http://models.example/v1")
    assert "NO_PROXY" in caught.value.hint
    assert "hush" not in str(caught.value)


async def test_an_authority_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with mock_server(latency_ms=1, tls_folder=tmp_path) as server:
        with pytest.raises(TransientError, match="not trusted") as caught:
            await said(server.base_url)
        assert "SSL_CERT_FILE" in caught.value.hint
        assert server.counts().requests == 0
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert "dog" in await said(server.base_url)


@pytest.mark.parametrize("must_stream", [False, True], ids=["whole", "streamed"])
async def test_one_connection_serves_many_calls(must_stream: bool) -> None:
    with mock_server(latency_ms=1) as server:
        assert "dog" in await said(server.base_url, calls=5, must_stream=must_stream)
        counts = server.counts()
    assert (counts.requests, counts.connections) == (5, 1)


async def test_credentials_in_the_address() -> None:
    async with FaultyOpenAI([says("yes")]) as server:
        assert await said(server.base_url.replace("http://", "http://me:p%3Aw@")) == "yes"
        assert await said(server.base_url, key="key") == "yes"
        assert await said(server.base_url) == "yes"
    sent = [seen.headers.get("Authorization") for seen in server.seen]
    assert sent == ["Basic " + base64.b64encode(b"me:p:w").decode(), "Bearer key", None]


async def test_a_compressed_answer() -> None:
    async def compressed(request: web.Request, seen: Seen) -> web.StreamResponse:
        response = await says("a long word " * 50)(request, seen)
        assert isinstance(response, web.Response)
        response.enable_compression(web.ContentCoding.gzip)
        return response

    async with FaultyOpenAI([compressed]) as server:
        assert (await said(server.base_url)).startswith("a long word")
    assert "gzip" in server.seen[0].headers["Accept-Encoding"]


def test_what_openai_alone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Team: captions\nno header")
    assert openai_headers(Endpoint("openai", "https://api.openai.com/v1")) == {
        "OpenAI-Organization": "org-1",
        "OpenAI-Project": "proj-1",
        "X-Team": "captions",
    }
    assert openai_headers(Endpoint("openai", "https://models.example/v1")) == {}
