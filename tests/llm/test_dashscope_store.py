"""DashScope's temporary store over real sockets: what is sent there, when, and how often."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from servers import faulty_openai as play
from servers.studio import KEY, Studio, asking, quick

from omnidetective.errors import BadRequestError, ProviderError, TransientError
from omnidetective.llm.dashscope_store import TemporaryStore, own_interface
from omnidetective.llm.endpoint import Endpoint
from omnidetective.llm.messages import VideoPart
from omnidetective.llm.retry import Retried

FILM = VideoPart(data=b"F" * 900, duration_s=60.0)
OTHER = VideoPart(data=b"O" * 900, duration_s=60.0)
SMALL = VideoPart(data=b"s" * 30, duration_s=6.0)
MODEL = "qwen3.8-omni-flash"


class Shop:
    """A provider with a store: plays both sides, and keeps what was put in."""

    def __init__(self, *answers: play.Behaviour) -> None:
        self.answers = list(answers) or [play.says("A film.")]
        self.forms: list[dict[str, Any]] = []
        self.asked: list[play.Seen] = []
        self.policies: list[dict[str, str]] = []

    def __call__(self, seen: play.Seen) -> play.Behaviour:
        if seen.path.endswith("/uploads"):
            return self._policy
        if seen.path == "/oss":
            self.forms.append({**seen.body, "authorization": seen.headers.get("Authorization")})
            return play.late(play.body("", content_type="text/plain"), 0.05)
        self.asked.append(seen)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]

    async def _policy(self, request: web.Request, seen: play.Seen) -> web.StreamResponse:
        self.policies.append({"path": request.path, **request.query, "key": seen.headers["Authorization"]})
        data = {
            "oss_access_key_id": "id",
            "signature": "sig",
            "policy": "p",
            "upload_dir": f"dashscope-instant/{len(self.policies)}",
            "x_oss_object_acl": "private",
            "x_oss_forbid_overwrite": "true",
            "upload_host": f"http://{request.host}/oss",
        }
        return web.json_response({"request_id": "r", "data": data})


def address(form: dict[str, Any]) -> str:
    return f"oss://{form['key']}"


def film_in(seen: play.Seen) -> str:
    (part,) = [p for m in seen.body["messages"] for p in m["content"] if p["type"] == "video_url"]
    return str(part["video_url"]["url"])


async def test_a_video_too_large_for_the_body_goes_to_the_store_and_is_named(studio: Studio) -> None:
    shop = Shop()
    server = await studio.server(shop)
    model = studio.model(server, dialect="dashscope", model=MODEL, overrides={"max_part_bytes": 1000})
    await model.complete(asking("What happens?", FILM))
    await model.complete(asking("What happens?", SMALL))
    [form] = shop.forms
    assert form["file"] == FILM.data
    assert form["key"] == f"dashscope-instant/1/{FILM.sha256[:32]}.mp4"
    assert form["authorization"] is None, "the store is shown no key"
    assert shop.policies == [{"path": "/api/v1/uploads", "action": "getPolicy", "model": MODEL, "key": f"Bearer {KEY}"}]
    large, small = shop.asked
    assert film_in(large) == address(form)
    assert large.headers["X-DashScope-OssResourceResolve"] == "enable"
    assert len(large.raw) < 900
    assert film_in(small).startswith("data:;base64,")
    assert "X-DashScope-OssResourceResolve" not in small.headers


async def test_it_is_uploaded_once_for_all_questions_and_attempts(studio: Studio) -> None:
    shop = Shop(play.server_error(), play.says("A film."))
    server = await studio.server(shop)
    chat = studio.model(server, dialect="dashscope", model=MODEL, overrides={"max_part_bytes": 1000})
    model = Retried(chat, quick())
    questions = [asking(f"What happens at {n} s?", FILM) for n in range(4)]
    await asyncio.gather(*(model.complete(question) for question in questions))
    await model.complete(asking("And this?", OTHER))
    assert [form["file"] for form in shop.forms] == [FILM.data, OTHER.data]
    assert {film_in(seen) for seen in shop.asked[:5]} == {address(shop.forms[0])}


async def test_a_call_that_is_refused_makes_the_next_one_upload_anew(studio: Studio) -> None:
    gone = play.fails(400, {"code": "InvalidParameter", "message": "the file is gone"})
    shop = Shop(gone, play.says("A film."))
    server = await studio.server(shop)
    model = studio.model(server, dialect="dashscope", model=MODEL, overrides={"max_part_bytes": 1000})
    with pytest.raises(BadRequestError):
        await model.complete(asking("What happens?", FILM))
    assert (await model.complete(asking("What happens?", FILM))).text == "A film."
    assert [film_in(seen) for seen in shop.asked] == [address(form) for form in shop.forms]
    assert len({address(form) for form in shop.forms}) == 2


async def test_what_the_store_has_forgotten_is_uploaded_again(studio: Studio) -> None:
    shop, hour = Shop(), [0.0]
    server = await studio.server(shop)
    endpoint = own_interface(Endpoint("dashscope", server.base_url, KEY))
    store = TemporaryStore(endpoint, model=MODEL, name=f"dashscope:{MODEL}", timeout_s=5.0, now=lambda: hour[0] * 3600)
    try:
        first = await store.addresses([FILM])
        hour[0] = 46.9
        assert await store.addresses([FILM, FILM]) == first
        hour[0] = 47.1
        assert await store.addresses([FILM]) != first
    finally:
        await store.aclose()
    assert len(shop.forms) == 2


async def test_an_upload_that_fails_is_tried_again_and_its_error_shows_no_key(studio: Studio) -> None:
    tries: list[str] = []
    shop = Shop()

    def script(seen: play.Seen) -> play.Behaviour:
        if seen.path.endswith("/uploads"):
            tries.append(seen.path)
            if len(tries) % 2:
                return play.body({"code": "InternalError", "message": f"bad {KEY}"}, status=500)
        return shop(seen)

    server = await studio.server(script)
    chat = studio.model(server, dialect="dashscope", model=MODEL, overrides={"max_part_bytes": 1000})
    with pytest.raises(TransientError) as caught:
        await chat.complete(asking("What happens?", FILM))
    assert KEY not in str(caught.value)
    assert (await Retried(chat, quick()).complete(asking("What happens?", OTHER))).text == "A film."
    assert [form["file"] for form in shop.forms] == [OTHER.data]


@pytest.mark.parametrize(
    ("dialect", "model", "overrides"),
    [
        ("dashscope", MODEL, {"max_part_bytes": 1000, "video_by": ["inline"]}),
        ("dashscope", MODEL, {"max_part_bytes": 1000, "max_video_bytes": 800}),
        ("vllm", "Qwen/Qwen3-VL-8B", {"max_part_bytes": 1000, "video_by": ["inline", "upload"]}),
    ],
)
async def test_where_no_store_may_take_it_it_is_refused_before_anything_is_sent(
    studio: Studio, dialect: str, model: str, overrides: dict[str, Any]
) -> None:
    server = await studio.server(Shop())
    chat = studio.model(server, dialect=dialect, model=model, overrides=overrides)
    with pytest.raises(ProviderError) as caught:
        await chat.complete(asking("What happens?", FILM))
    assert caught.value.reason == "unsupported_size"
    assert server.calls == 0


@pytest.mark.parametrize(
    ("base_url", "own"),
    [
        ("https://dashscope.aliyuncs.com/compatible-mode/v1", "https://dashscope.aliyuncs.com/api/v1"),
        ("https://w.eu.maas.aliyuncs.com/compatible-mode/v1/", "https://w.eu.maas.aliyuncs.com/api/v1"),
        ("https://gate.example/qwen/compatible-mode/v1", "https://gate.example/qwen/api/v1"),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/api/v1"),
    ],
)
def test_the_own_interface_beside_the_compatible_one(base_url: str, own: str) -> None:
    assert own_interface(Endpoint("dashscope", base_url, KEY)).base_url == own
