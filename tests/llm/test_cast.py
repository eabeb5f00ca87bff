"""Who plays which role, and what is said when nobody can."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from servers import faulty_openai as play
from servers.studio import KEY, Studio, asking, quick

from omnidetective.config import load_model_set
from omnidetective.errors import ConfigError, ObserverUnavailableError
from omnidetective.llm.cast import Cast
from omnidetective.llm.usage import usage_scope
from omnidetective.model_sets import ModelSet


def model_set(models: dict[str, Any], **roles: str) -> ModelSet:
    return ModelSet.model_validate({"name": "test", "description": "", "models": models, "roles": roles})


OPENAI = {"provider": "openai", "model": "gpt-4.1", "base_url_env": "OPENAI_BASE_URL", "api_key_env": "OPENAI_API_KEY"}


async def test_a_role_is_retried_and_metered(studio: Studio) -> None:
    server = await studio.server([play.server_error(), play.says("yes")])
    environ = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.base_url}
    cast = Cast(model_set({"gpt": OPENAI}, detective="gpt", verifier="gpt"), quick(), environ=environ)
    assert cast.chat("detective") is cast.chat("detective"), "what was learnt about a model is kept with it"
    with usage_scope() as meter:
        assert (await cast.chat("detective").complete(asking())).text == "yes"
    await cast.aclose()
    await cast.aclose()
    usage = meter.usage()
    assert (usage.calls, usage.failed_attempts, list(usage.by_model)) == (1, 1, ["openai:gpt-4.1"])
    assert usage.cost_usd is None, "a list price of OpenAI does not hold at another host"
    assert cast.names() == {"detective": "openai:gpt-4.1", "verifier": "openai:gpt-4.1"}


@pytest.mark.parametrize(
    ("environ", "role", "reason", "names"),
    [
        ({}, "stranger", "no_model", "stranger"),
        ({}, "detective", "no_key", "OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": "  "}, "detective", "no_key", "OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "localhost:8000"}, "detective", "no_address", "OPENAI_BASE_URL"),
        ({}, "served", "no_address", "VLLM_BASE_URL"),
        ({}, "ruled", "no_model", "ruled"),
    ],
)
def test_nobody_can_play(environ: dict[str, str], role: str, reason: str, names: str) -> None:
    models = {
        "gpt": OPENAI,
        "vllm": {"provider": "openai", "dialect": "vllm", "base_url_env": "VLLM_BASE_URL"},
        "rules": {"provider": "embedded", "model": "rules"},
    }
    cast = Cast(model_set(models, detective="gpt", served="vllm", ruled="rules"), quick(), environ=environ)
    with pytest.raises(ObserverUnavailableError) as caught:
        cast.chat(role)
    assert caught.value.reason == reason
    assert names in str(caught.value)
    assert caught.value.hint
    assert KEY not in str(caught.value)
    assert cast.is_embedded(role) is (role == "ruled")


async def test_an_optional_key_and_a_name_from_the_server(studio: Studio) -> None:
    server = await studio.server([play.says("yes")], models=["Qwen/Qwen2.5-Omni-7B"])
    cast = Cast(load_model_set("vllm"), quick(), environ={"VLLM_BASE_URL": server.base_url})
    assert cast.names()["detective"] == "vllm:?"
    assert not cast.chat("audio_llm").capabilities.audio
    await cast.discover()
    assert cast.names()["detective"] == "vllm:Qwen/Qwen2.5-Omni-7B"
    assert cast.chat("audio_llm").capabilities.audio
    assert (await cast.chat("detective").complete(asking())).model == "vllm:Qwen/Qwen2.5-Omni-7B"
    assert "Authorization" not in server.seen[0].headers
    await cast.aclose()


async def test_discovery_leaves_a_dead_server_to_the_calls() -> None:
    cast = Cast(load_model_set("vllm"), quick(), environ={"VLLM_BASE_URL": "http://127.0.0.1:9/v1"})
    await cast.discover()
    assert cast.names()["detective"] == "vllm:?"
    await cast.aclose()


def test_the_environment_names_the_model() -> None:
    environ = {"VLLM_BASE_URL": "http://gpu:8000/v1", "VLLM_MODEL": "mine"}
    assert Cast(load_model_set("vllm"), quick(), environ=environ).names()["omni_llm"] == "vllm:mine"


@pytest.mark.parametrize("name", ["openai", "dashscope", "vllm"])
def test_the_built_in_sets(name: str) -> None:
    found = load_model_set(name)
    environ = {
        "OPENAI_API_KEY": KEY,
        "DASHSCOPE_API_KEY": KEY,
        "VLLM_BASE_URL": "http://gpu:8000/v1",
        "VLLM_MODEL": "Qwen/Qwen2.5-Omni-7B",
    }
    cast = Cast(found, quick(), environ=environ)
    for role in set(found.roles) - {"asr"}:
        can = cast.chat(role).capabilities
        assert can.audio or role not in ("audio_llm", "omni_llm"), role
        assert can.images or role not in ("frame_captioner", "omni_llm"), role
    if "asr" in found.roles:
        assert cast.transcriber().name == cast.names()["asr"]
    missing = Cast(found, quick(), environ={})
    with pytest.raises(ObserverUnavailableError) as caught:
        missing.chat("detective")
    assert found.needs_env[0] in str(caught.value)


def test_the_dialect_is_known_by_the_host_or_said() -> None:
    def name(base_url: str, **extra: str) -> str:
        spec = {**OPENAI, **extra}
        environ = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": base_url}
        return Cast(model_set({"m": spec}, detective="m"), quick(), environ=environ).names()["detective"]

    assert name("") == "openai:gpt-4.1"
    assert name("https://dashscope-intl.aliyuncs.com/compatible-mode/v1") == "dashscope:gpt-4.1"
    assert name("https://ws1.cn-beijing.maas.aliyuncs.com/compatible-mode/v1") == "dashscope:gpt-4.1"
    assert name("https://aliyuncs.com.evil.example/v1") == "openai:gpt-4.1"
    assert name("http://127.0.0.1:1/v1", dialect="vllm") == "vllm:gpt-4.1"


async def test_a_scripted_cast(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_text(json.dumps({"text": "A dog barks."}) + "\n")
    spec = {"provider": "scripted", "replies": str(path), "capabilities": {"tools": False}}
    cast = Cast(model_set({"s": spec}, detective="s"), quick())
    model = cast.chat("detective")
    assert (model.name, model.capabilities.tools, model.capabilities.audio) == ("scripted:script", False, True)
    assert (await model.complete(asking())).text == "A dog barks."
    with pytest.raises(ConfigError):
        Cast(model_set({"s": {"provider": "scripted"}}, detective="s"), quick()).chat("detective")


@pytest.mark.parametrize(
    ("models", "status", "wanted", "ready", "says"),
    [
        (["gpt-4.1", "b"], 200, "gpt-4.1", True, "serves it"),
        (["b"], 200, "gpt-4.1", None, "lacks gpt-4.1"),
        ([], 200, "gpt-4.1", None, "lists no models"),
        ([], 404, "gpt-4.1", None, "lists no models"),
        ([], 401, "gpt-4.1", False, "401"),
        (["b"], 200, "", True, "serves it"),
        ([], 200, "", False, "lists no model"),
    ],
)
async def test_probe(
    studio: Studio, models: list[str], status: int, wanted: str, ready: bool | None, says: str
) -> None:
    server = await studio.server([play.says("yes")], models=models, models_status=status)
    environ = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.base_url}
    cast = Cast(model_set({"m": {**OPENAI, "model": wanted or None}}, detective="m"), quick(), environ=environ)
    probe = await cast.probe("detective")
    await cast.aclose()
    assert probe.ready is ready
    assert says in probe.learnt
    assert bool(probe.reason) is (ready is False)
    assert server.calls == 0, "a probe must cost nothing"


async def test_probe_without_a_server_key_or_role() -> None:
    environ = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    cast = Cast(
        model_set({"m": OPENAI, "e": {"provider": "embedded"}}, detective="m", ruled="e"), quick(), environ=environ
    )
    assert (await cast.probe("detective")).reason == "no_key"
    assert (await cast.probe("stranger")).reason == "no_model"
    assert (await cast.probe("ruled")).ready is True
    dead = Cast(model_set({"m": OPENAI}, detective="m"), quick(), environ={**environ, "OPENAI_API_KEY": KEY})
    probe = await dead.probe("detective")
    assert (probe.ready, probe.reason) == (False, "connection")
    assert "127.0.0.1" in probe.hint
    await dead.aclose()
