"""The witness who watches the film: what is sent, in which way, and what is refused before. Over real HTTP."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web
from observers.conftest import Film, context
from servers import faulty_openai as play
from servers.studio import Studio

from omnidetective.errors import ObserverUnavailableError
from omnidetective.evidence import Span
from omnidetective.llm.base import ChatModel
from omnidetective.llm.cache import ResponseCache
from omnidetective.llm.cached import CachedChat
from omnidetective.media.clip import Clip
from omnidetective.media.fetch import Network
from omnidetective.media.intake import open_clip
from omnidetective.observers.ask import ask
from omnidetective.observers.base import Observer, ObserverContext
from omnidetective.observers.omni_llm import OmniLlm
from omnidetective.observers.registry import read_settings
from omnidetective.observers.video_llm import VideoLlm
from omnidetective.records import MediaFacts, Observation
from omnidetective.rows import parse_row
from omnidetective.settings import MediaSettings

VLLM, FLASH, OMNI = "Qwen/Qwen3-Omni-30B-A3B-Instruct", "qwen3-omni-flash", "qwen3.5-omni-plus"
QUESTION = "What happens?"


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
    async with AsyncExitStack() as stack:
        yield Studio(stack)


@pytest.fixture
def talkie(film: Film) -> Path:
    """Eight seconds of H.264 and AAC."""
    return film(
        "talkie.mp4", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=10", "-f", "lavfi", "-i", "sine",
        "-t", "8", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac",
    )  # fmt: skip


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Clip]:
    async with open_clip(parse_row({"video": str(path)}), MediaSettings(), base_dir=path.parent) as clip:
        yield clip


def on(model: ChatModel) -> ObserverContext:
    return context(cast=cast("Any", SimpleNamespace(chat=lambda role: model)))


def watcher(model: ChatModel, **settings: Any) -> Observer:
    return VideoLlm(read_settings(VideoLlm.spec, settings), on(model))


async def answered(observer: Observer, clip: Clip, span: tuple[float, float] | None = None) -> Observation:
    wanted = None if span is None else Span(start_s=span[0], end_s=span[1])
    answer = await ask(observer, clip, QUESTION, wanted, timeout_s=60)
    assert answer.error is None, answer.error
    return answer


async def refused(observer: Observer, clip: Clip, span: tuple[float, float] | None = None) -> tuple[str, str]:
    wanted = None if span is None else Span(start_s=span[0], end_s=span[1])
    answer = await ask(observer, clip, QUESTION, wanted, timeout_s=60)
    assert answer.error is not None
    return answer.error.reason, answer.error.message


def content(seen: play.Seen) -> list[dict[str, Any]]:
    return list(seen.body["messages"][1]["content"])


def film_of(seen: play.Seen, prefix: str) -> bytes:
    url = content(seen)[0]["video_url"]["url"]
    assert url.startswith(prefix)
    return base64.b64decode(url.removeprefix(prefix))


async def facts_of(data: bytes, folder: Path) -> MediaFacts:
    (folder / "sent.mp4").write_bytes(data)
    async with opened(folder / "sent.mp4") as clip:
        return clip.facts


async def test_a_self_hosted_model_gets_the_film_in_the_body_and_its_sound_apart(
    studio: Studio, talkie: Path, tmp_path: Path
) -> None:
    server = await studio.server([play.says("Bars move.")])
    model = studio.model(server, dialect="vllm", model=VLLM)
    async with opened(talkie) as clip:
        answer = await answered(watcher(model), clip)
    assert (answer.answer, answer.model) == ("Bars move.", f"vllm:{VLLM}")
    [seen] = server.seen
    assert [part["type"] for part in content(seen)] == ["video_url", "input_audio", "text", "text"]
    sent = await facts_of(film_of(seen, "data:video/mp4;base64,"), tmp_path)
    assert (sent.has_audio, sent.width, sent.duration_s) == (False, 320, pytest.approx(8.0, abs=0.05))
    assert content(seen)[1]["input_audio"]["format"] == "mp3"
    assert content(seen)[2]["text"] == (
        "The film above is the whole clip. Its sound comes after it, from the same moment on."
    )
    assert content(seen)[3]["text"] == QUESTION
    assert "a whole clip of 8.0 s" in seen.body["messages"][0]["content"]


async def test_qwen_omni_gets_the_film_with_its_sound(studio: Studio, talkie: Path, tmp_path: Path) -> None:
    server = await studio.server([play.says("Bars move.")])
    async with opened(talkie) as clip:
        await answered(watcher(studio.model(server, dialect="dashscope", model=FLASH)), clip)
    [seen] = server.seen
    assert seen.streams
    assert [part["type"] for part in content(seen)] == ["video_url", "text", "text"]
    assert (await facts_of(film_of(seen, "data:;base64,"), tmp_path)).has_audio
    assert content(seen)[1]["text"] == "The film above is the whole clip. You hear its sound."


async def test_a_span_is_cut_exactly_and_its_times_are_told(studio: Studio, talkie: Path, tmp_path: Path) -> None:
    server = await studio.server([play.says("Bars move.")])
    async with opened(talkie) as clip:
        observer = watcher(studio.model(server, dialect="dashscope", model=FLASH))
        await answered(observer, clip, (2.0, 5.5))
        await answered(observer, clip, (6.0, 60.0))
    first, last = server.seen
    assert (await facts_of(film_of(first, "data:;base64,"), tmp_path)).duration_s == pytest.approx(3.5, abs=0.06)
    assert content(first)[1]["text"] == (
        "The film above is the part from 2.00 to 5.50 s of the clip: add 2.00 s to the times in it. You hear its sound."
    )
    assert "the seconds 2.0 to 5.5 of a clip of 8.0 s" in first.body["messages"][0]["content"]
    assert "the film begins at 2.0 s, so add 2.0 to the times in it" in first.body["messages"][0]["content"]
    assert (await facts_of(film_of(last, "data:;base64,"), tmp_path)).duration_s == pytest.approx(2.0, abs=0.06)
    assert "from 6.00 to 8.00 s" in content(last)[1]["text"]


async def test_a_model_that_does_not_hear_is_told_so_and_sent_no_sound(
    studio: Studio, talkie: Path, tmp_path: Path
) -> None:
    server = await studio.server([play.says("Bars move.")])
    async with opened(talkie) as clip:
        await answered(watcher(studio.model(server, dialect="dashscope", model="qwen3-vl-plus")), clip)
    [seen] = server.seen
    assert not (await facts_of(film_of(seen, "data:;base64,"), tmp_path)).has_audio
    assert content(seen)[1]["text"].endswith("You are not given its sound: say nothing about it.")


@pytest.mark.integration
async def test_what_does_not_fit_into_the_body_is_made_smaller_or_goes_to_the_store(
    studio: Studio, film: Film, tmp_path: Path
) -> None:
    noise = film(
        "noise.mp4", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=25,noise=alls=90:allf=t", "-f", "lavfi", "-i", "sine",
        "-t", "6", "-c:v", "libx264", "-crf", "20", "-pix_fmt", "yuv420p", "-c:a", "aac",
    )  # fmt: skip
    stored: list[bytes] = []

    def script(seen: play.Seen) -> play.Behaviour:
        if seen.path.endswith("/uploads"):
            return policy
        if seen.path == "/oss":
            stored.append(seen.body["file"])
            return play.body("", content_type="text/plain")
        return play.says("Noise.")

    async def policy(request: web.Request, seen: play.Seen) -> web.StreamResponse:
        names = ("oss_access_key_id", "signature", "policy", "upload_dir", "x_oss_object_acl", "x_oss_forbid_overwrite")
        data = dict.fromkeys(names, "x") | {"upload_host": f"http://{request.host}/oss"}
        return web.json_response({"data": data})

    server = await studio.server(script)
    async with opened(noise) as clip:
        for max_part_bytes, ways in ((400_000, ("inline", "upload")), (100_000, ("inline", "upload"))):
            overrides = {"max_part_bytes": max_part_bytes}
            model = studio.model(server, dialect="dashscope", model=OMNI, overrides=overrides)
            observer = watcher(model, ways=ways)
            await answered(observer, clip)
            await answered(observer, clip)
            await model.aclose()
    asked = [seen for seen in server.seen if seen.path.endswith("/chat/completions")]
    inline = film_of(asked[0], "data:;base64,")
    assert 4 * (len(inline) + 2) // 3 <= 400_000
    assert (await facts_of(inline, tmp_path)).duration_s == pytest.approx(6.0, abs=0.1)
    assert [content(seen)[0]["video_url"]["url"][:6] for seen in asked[2:]] == ["oss://"] * 2
    assert len(stored) == 1
    assert (await facts_of(stored[0], tmp_path)).width == 640, "in the store there is room for the film as it is"


async def test_what_cannot_be_sent_is_refused_before_it_is_paid_for(studio: Studio, talkie: Path) -> None:
    server = await studio.server([play.says("never")])

    def limited(**limits: Any) -> Observer:
        limits = {"video_by": ["inline"], **limits}
        return watcher(studio.model(server, dialect="dashscope", model=OMNI, overrides=limits))

    async with opened(talkie) as clip:
        too_long = await refused(limited(max_video_s=5), clip)
        too_short = await refused(limited(min_video_s=2), clip, (1.0, 2.0))
        too_large = await refused(limited(max_part_bytes=30_000), clip)
        await answered(limited(max_video_s=5), clip, (1.0, 5.5))
    assert too_long == ("span_too_long", too_long[1])
    assert "at most 5 s of video" in too_long[1]
    assert "ask about a shorter span" in too_long[1]
    assert too_short[0] == "span_too_short"
    assert too_large[0] == "video_too_large"
    assert "bytes that can be sent" in too_large[1]
    assert "at most" in too_large[1]
    assert server.calls == 1


@pytest.mark.parametrize(
    ("dialect", "model", "ways", "lacking"),
    [
        ("openai", "gpt-4.1", ("inline",), "takes no video files"),
        ("vllm", VLLM, ("upload",), "takes videos by inline or url, and upload is allowed"),
        ("vllm", VLLM, (), "and nothing is allowed"),
    ],
)
async def test_a_model_that_takes_no_video_makes_the_witness_unavailable(
    studio: Studio, dialect: str, model: str, ways: tuple[str, ...], lacking: str
) -> None:
    server = await studio.server([])
    with pytest.raises(ObserverUnavailableError, match=lacking):
        watcher(studio.model(server, dialect=dialect, model=model), ways=ways)


@asynccontextmanager
async def published(
    path: Path, url: str = "http://films.example:{port}/a.mp4?sig=42"
) -> AsyncIterator[tuple[Clip, str]]:
    """A clip from an address that counts as public; it is served here."""

    async def send(request: web.Request) -> web.Response:
        return web.Response(body=path.read_bytes(), content_type="video/mp4")

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    app = web.Application()
    app.router.add_get("/a.mp4", send)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    here = url.format(port=runner.addresses[0][1])
    network = Network(resolve, lambda address, port: True)
    try:
        row = parse_row({"video": here})
        async with open_clip(row, MediaSettings(), base_dir=path.parent, network=network) as clip:
            yield clip, here
    finally:
        await runner.cleanup()


async def test_an_address_is_given_only_where_it_is_allowed_and_for_the_whole_clip(
    studio: Studio, talkie: Path, tmp_path: Path
) -> None:
    server = await studio.server([play.says("Bars move.")])
    model = studio.model(server, dialect="dashscope", model=OMNI)
    async with published(talkie) as (clip, url):
        await answered(watcher(model), clip)
        await answered(watcher(model, ways=("url", "inline")), clip)
        await answered(watcher(model, ways=("url", "inline")), clip, (1.0, 4.0))
        alone = await refused(watcher(model, ways=("url",)), clip, (1.0, 4.0))
    default, by_url, of_a_span = (content(seen)[0]["video_url"]["url"] for seen in server.seen)
    assert default.startswith("data:")
    assert by_url == url
    assert of_a_span.startswith("data:")
    assert alone[0] == "no_public_url"
    assert "observers.video_llm.ways" in alone[1]


async def test_an_address_with_a_password_and_a_local_file_are_never_given(studio: Studio, talkie: Path) -> None:
    server = await studio.server([play.says("Bars move.")])
    observer = watcher(studio.model(server, dialect="dashscope", model=OMNI), ways=("url",))
    async with published(talkie, "http://me:secret@films.example:{port}/a.mp4") as (clip, _):
        assert (await refused(observer, clip))[0] == "no_public_url"
    async with opened(talkie) as clip:
        assert (await refused(observer, clip))[0] == "no_public_url"
    assert server.calls == 0


async def test_the_same_content_is_asked_about_once_wherever_it_was_fetched_from(
    studio: Studio, talkie: Path, tmp_path: Path
) -> None:
    server = await studio.server([play.says("Bars move.")])
    cache = ResponseCache(tmp_path / "kept.sqlite")
    chat = studio.model(server, dialect="dashscope", model=OMNI)
    observer = watcher(CachedChat(chat, cache, host="h", parameters={}), ways=("url",))
    for _ in range(2):
        async with published(talkie, "http://films.example:{port}/a.mp4?sig=" + "x") as (clip, _url):
            await answered(observer, clip)
    cache.close()
    assert server.calls == 1


async def test_who_sees_and_hears_is_given_the_film_where_the_model_takes_one_medium(
    studio: Studio, talkie: Path
) -> None:
    server = await studio.server([play.says("Bars and a tone.")])
    model = studio.model(server, dialect="dashscope", model=FLASH)
    observer = OmniLlm(read_settings(OmniLlm.spec, {}), on(model))
    async with opened(talkie) as clip:
        await answered(observer, clip, (2.0, 5.0))
    [seen] = server.seen
    assert [part["type"] for part in content(seen)] == ["video_url", "text", "text"]
    assert "add 2.00 s" in content(seen)[1]["text"]
    deaf = studio.model(server, dialect="dashscope", model=FLASH, overrides={"video_sound": False})
    with pytest.raises(ObserverUnavailableError, match="nor videos with their sound"):
        OmniLlm(read_settings(OmniLlm.spec, {}), on(deaf))
