"""Downloads against real servers: what is fetched, what is refused, and who is never contacted."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from media.workbench import Open, reason

from omnidetective.errors import MediaError
from omnidetective.media.addresses import is_public
from omnidetective.media.fetch import Network, fetch, shown_url
from omnidetective.settings import MediaSettings

Answer = Callable[[str, dict[str, str], asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A bare HTTP server: what it was asked, and what it answers, byte by byte."""

    def __init__(self) -> None:
        self.contacts = 0
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.answer: Answer = reply()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.contacts += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:] if line)}
            self.requests.append((head[0].split()[1], headers))
            await self.answer(head[0].split()[1], headers, writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def reply(status: int = 200, body: bytes = b"", **headers: str) -> Answer:
    async def answer(path: str, sent: dict[str, str], writer: asyncio.StreamWriter) -> None:
        fields = {"Content-Length": str(len(body)), **{k.replace("_", "-"): v for k, v in headers.items()}}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + body)

    return answer


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = int(listening.sockets[0].getsockname()[1])
    try:
        yield server
    finally:
        listening.close()
        await listening.wait_closed()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made


@pytest.fixture
async def other() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made


def network(*ports: int, **hosts: str) -> Network:
    """Names as told, and connections to these ports only; without ports, the real rule."""

    async def resolve(host: str, port: int) -> list[str]:
        return [hosts[host.partition(".")[0]]]

    return Network(resolve, lambda address, port: port in ports) if ports else Network(resolve)


async def failure(url: str, tmp_path: Path, *, through: Network | None = None, **settings: object) -> MediaError:
    chosen = MediaSettings.model_validate({"fetch_attempts": 1, **settings})
    with pytest.raises(MediaError) as caught:
        await fetch(url, tmp_path / "got", settings=chosen, network=through or Network.from_settings(chosen))
    return caught.value


async def test_a_url_is_fetched_and_opened(server: Server, numbered: Path, opened: Open) -> None:
    data = numbered.read_bytes()
    server.answer = reply(200, data)
    url = f"{server.url}/clip%20one.mp4?token=s3cret%2B1"
    async with opened(url.replace("http://", "http://user:pa55@"), allow_private=True) as clip:
        assert clip.facts.sha256 == hashlib.sha256(data).hexdigest()
        assert (clip.facts.url, clip.facts.path) == (url, None)
        assert len(await clip.frames([1.0])) == 1
        kept = clip.path
    assert not kept.exists()
    [(path, headers)] = server.requests
    assert path == "/clip%20one.mp4?token=s3cret%2B1"
    assert headers["accept-encoding"] == "identity"
    assert headers["authorization"].startswith("Basic ")
    assert "cookie" not in headers


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "127.1", "2130706433",
     "0x7f.1", "0177.0.0.1", "[::]", "localhost.", "LOCALHOST", "user:pw@127.0.0.1"],
)  # fmt: skip
async def test_private_addresses_are_not_contacted(host: str, server: Server, tmp_path: Path) -> None:
    error = await failure(f"http://{host}:{server.port}/", tmp_path)
    # Not every resolver knows "localhost." or takes "127.1" for an address: such a name is then not found.
    assert error.reason in ("address_refused", "bad_url", "fetch_failed")
    assert (error.retryable, server.contacts) == (False, 0)
    if host in ("127.0.0.1", "localhost", "[::1]"):
        assert error.reason == "address_refused"
        assert "media.allow_private" in error.hint


async def test_a_name_is_what_it_resolves_to(server: Server, tmp_path: Path) -> None:
    error = await failure(f"http://public.test:{server.port}/", tmp_path, through=network(public="127.0.0.1"))
    assert (error.reason, server.contacts) == ("address_refused", 0)
    assert "127.0.0.1" in str(error)


async def test_one_private_address_among_public_ones_refuses_the_name(server: Server, tmp_path: Path) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.215.14", "127.0.0.1"]

    error = await failure(f"http://mixed.test:{server.port}/", tmp_path, through=Network(resolve))
    assert (error.reason, server.contacts) == ("address_refused", 0)


async def test_a_name_is_resolved_once_so_it_cannot_be_rebound(server: Server, other: Server, tmp_path: Path) -> None:
    answers = ["127.0.0.1", "127.0.0.2", "127.0.0.2"]
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return [answers[len(asked) - 1]]

    server.answer = reply(200, b"data")
    through = Network(resolve, lambda address, port: address == "127.0.0.1")
    url = f"http://rebind.test:{server.port}/"
    got = await fetch(url, tmp_path / "got", settings=MediaSettings(), network=through)
    assert (got.size_bytes, asked, server.requests[0][1]["host"]) == (4, ["rebind.test"], f"rebind.test:{server.port}")


async def test_the_last_gate_is_where_the_socket_is_opened(server: Server, tmp_path: Path) -> None:
    """Even if an address were allowed when it was looked up, the connection itself is judged again."""
    judged: list[str] = []

    def allows(address: str, port: int) -> bool:
        judged.append(address)
        return len(judged) == 1

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    error = await failure(f"http://sly.test:{server.port}/", tmp_path, through=Network(resolve, allows))
    assert error.reason in ("address_refused", "fetch_failed")
    assert (len(judged), server.contacts) == (2, 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_judged_like_the_first_address(
    status: int, server: Server, other: Server, tmp_path: Path
) -> None:
    through = network(server.port, public="127.0.0.1", inner="127.0.0.1")
    for target in (
        f"http://127.0.0.1:{other.port}/",
        f"http://inner.test:{other.port}/",
        f"//127.0.0.1:{other.port}/x",
    ):
        server.answer = reply(status, Location=target)
        error = await failure(f"http://public.test:{server.port}/", tmp_path, through=through)
        assert (error.reason, error.retryable) == ("address_refused", False)
    assert (server.contacts, other.contacts) == (3, 0)


@pytest.mark.parametrize(
    ("location", "wanted"),
    [
        ("file:///etc/passwd", "scheme_refused"),
        ("ftp://127.0.0.1/x", "scheme_refused"),
        ("data:text/plain,hello", "scheme_refused"),
        ("gopher://127.0.0.1:70/_x", "scheme_refused"),
        ("", "bad_url"),
        ("http://", "bad_url"),
        ("http://127.0.0.1:99999/", "bad_url"),
    ],
)
async def test_redirects_to_what_is_no_web_address(location: str, wanted: str, server: Server, tmp_path: Path) -> None:
    server.answer = reply(302, Location=location)
    assert (await failure(server.url, tmp_path, allow_private=True)).reason == wanted


async def test_redirects_are_followed_but_not_for_ever(server: Server, tmp_path: Path) -> None:
    async def answer(path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        number = int(path.rpartition("/")[2])
        await (reply(200, b"end") if number == 0 else reply(302, Location=f"{number - 1}"))(path, headers, writer)

    server.answer = answer
    settings = MediaSettings(allow_private=True)
    got = await fetch(f"{server.url}/a/5", tmp_path / "got", settings=settings, network=Network.from_settings(settings))
    assert (got.size_bytes, [path for path, _ in server.requests]) == (3, [f"/a/{i}" for i in (5, 4, 3, 2, 1, 0)])
    error = await failure(f"{server.url}/a/6", tmp_path, allow_private=True)
    assert (error.reason, error.retryable) == ("fetch_failed", False)


async def test_credentials_stay_with_their_server_and_out_of_errors(
    server: Server, other: Server, tmp_path: Path
) -> None:
    server.answer = reply(302, Location=f"http://127.0.0.1:{other.port}/next")
    other.answer = reply(404)
    url = f"http://user:pa55w0rd@127.0.0.1:{server.port}/clip.mp4?signature=s3cret#part"
    error = await failure(url, tmp_path, allow_private=True)
    assert "authorization" in server.requests[0][1]
    assert "authorization" not in other.requests[0][1]
    for text in (str(error), repr(error), str(error.__cause__)):
        assert "pa55w0rd" not in text
        assert "s3cret" not in text
    assert f"http://127.0.0.1:{server.port}/clip.mp4" in str(error)
    assert len(shown_url("http://h/" + "x" * 5000)) <= 200


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(204, False), (206, False), (400, False), (401, False), (403, False), (404, False), (410, False), (416, False),
     (408, True), (425, True), (429, True), (500, True), (502, True), (503, True), (504, True)],
)  # fmt: skip
async def test_statuses(status: int, retryable: bool, server: Server, tmp_path: Path) -> None:
    server.answer = reply(status)
    error = await failure(server.url, tmp_path, allow_private=True)
    assert (error.reason, error.retryable) == ("fetch_failed", retryable)
    assert str(status) in str(error)


async def test_a_failing_server_is_tried_again_and_a_refusing_one_is_not(server: Server, tmp_path: Path) -> None:
    async def answer(path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        await (reply(503) if server.contacts < 3 else reply(200, b"third"))(path, headers, writer)

    server.answer = answer
    settings = MediaSettings(allow_private=True)
    got = await fetch(server.url, tmp_path / "got", settings=settings, network=Network.from_settings(settings))
    assert (got.path.read_bytes(), server.contacts) == (b"third", 3)
    server.answer = reply(404)
    await failure(server.url, tmp_path, allow_private=True, fetch_attempts=3)
    assert server.contacts == 4


async def test_size_is_limited_whatever_the_server_says(server: Server, tmp_path: Path) -> None:
    sent = 0

    async def endless(path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"10000\r\n" + bytes(65536) + b"\r\n")
            await writer.drain()
            sent += 65536

    server.answer = reply(200, b"", Content_Length=str(5 << 20))
    error = await failure(server.url, tmp_path, allow_private=True, max_download_mb=4)
    assert (error.reason, error.retryable) == ("too_large", False)
    server.answer = endless
    error = await asyncio.wait_for(failure(server.url, tmp_path, allow_private=True, max_download_mb=4), 10)
    assert error.reason == "too_large"
    assert sent < 20 << 20
    assert (tmp_path / "got").stat().st_size <= 4 << 20


async def test_compressed_answers_are_refused(server: Server, tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(8 << 20))
    server.answer = reply(200, bomb, Content_Encoding="gzip")
    error = await failure(server.url, tmp_path, allow_private=True)
    assert (error.reason, "compressed" in str(error)) == ("fetch_failed", True)


async def test_time_is_limited(server: Server, tmp_path: Path) -> None:
    async def silent(path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3)

    async def dripping(path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(30):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.1)

    for answer in (silent, dripping):
        server.answer = answer
        error = await asyncio.wait_for(failure(server.url, tmp_path, allow_private=True, fetch_timeout_s=0.4), 2)
        assert (error.reason, error.retryable) == ("fetch_timeout", True)


async def test_connections_that_break(server: Server, tmp_path: Path) -> None:
    async def short(path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")

    async def garbage(path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.0\r\n\r\n")

    async def nothing(path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        return

    for answer in (short, garbage, nothing):
        server.answer = answer
        error = await failure(server.url, tmp_path, allow_private=True)
        assert (error.reason, error.retryable) == ("fetch_failed", True)
    server.answer = reply(200)
    assert (await failure(server.url, tmp_path, allow_private=True)).reason == "empty"


async def test_nobody_there(tmp_path: Path) -> None:
    async with serving() as gone:
        url = gone.url
    error = await failure(url, tmp_path, allow_private=True)
    assert (error.reason, error.retryable) == ("fetch_failed", True)

    async def unknown(host: str, port: int) -> list[str]:
        return []

    error = await failure("http://no-such-host.test/", tmp_path, through=Network(unknown))
    assert (error.reason, error.retryable) == ("fetch_failed", False)


@pytest.mark.parametrize(
    "url", ["http://", "http:///path", "http://host name/", "http://h/\r\nHost: x", "http://[::1", "https://h:x/"]
)
async def test_urls_that_are_none(url: str, tmp_path: Path) -> None:
    error = await failure(url, tmp_path)
    assert (error.reason, error.retryable) == ("bad_url", False)


async def test_proxies_of_the_environment_are_not_used(
    server: Server, other: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, other.url)
    server.answer = reply(200, b"direct")
    settings = MediaSettings(allow_private=True)
    await fetch(server.url, tmp_path / "got", settings=settings, network=Network.from_settings(settings))
    assert (server.contacts, other.contacts) == (1, 0)


async def test_what_was_fetched_is_deleted_and_a_playlist_is_refused(server: Server, opened: Open) -> None:
    server.answer = reply(200, f"#EXTM3U\n#EXTINF:1,\n{server.url}/canary\n#EXT-X-ENDLIST\n".encode())
    error = await reason(opened(f"{server.url}/list.m3u8", allow_private=True))
    assert (error.reason, server.contacts) == ("not_media", 1)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
     "100.64.0.1", "100.127.255.255", "0.0.0.0", "0.1.2.3", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1",
     "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
     "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1",
     "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::808:808", "2002:7f00:1::",
     "2002:808:808::", "2001::1", "2001:db8::1", "100::1", "3fff::1", "5f00::1", "localhost", "", "127.1"],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.215.14", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700:4700::1111",
     "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)  # fmt: skip
def test_addresses_that_are(address: str) -> None:
    assert is_public(address)
