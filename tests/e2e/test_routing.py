"""Clips on their way to a domain, through the command line: a router over HTTP, real files, the real instruments.

The captions are the embedded cast's, so that every request at the server is the router's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e.media_files import ffmpeg, tone, video
from forecast.test_truth import prompt_tokens
from PIL import Image
from planning.role_studio import omnidetective
from servers.faulty_openai import FaultyOpenAI, Script, Seen, says

WITHOUT_INSTRUMENTS = ("--set", "observers.ocr.enabled=false", "--set", "observers.asr.enabled=false")


def set_up(folder: Path, *rows: dict[str, Any]) -> tuple[str, ...]:
    """An input, a cast and a workflow; the arguments of a run with them."""
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    models = {
        "rules": {"provider": "embedded", "model": "rules"},
        "eye": {
            "provider": "openai",
            "model": "eye",
            "base_url_env": "STUDIO_BASE_URL",
            "api_key_env": "STUDIO_API_KEY",
            "capabilities": {"images": True},
        },
    }
    roles = {"detective": "rules", "agent": "rules", "router": "eye"}
    cast = {"name": "one-eye", "description": "", "models": models, "roles": roles}
    (folder / "cast.yaml").write_text(yaml.safe_dump(cast))
    stages = [{"stage": "route"}, {"stage": "investigate"}]
    flow = {"name": "routed", "description": "", "stages": stages}
    (folder / "flow.yaml").write_text(yaml.safe_dump(flow))
    return (
        "--input", "in.jsonl", "--output", "out.jsonl", "--models", "cast.yaml", "--workflow", "flow.yaml",
        *WITHOUT_INSTRUMENTS,
    )  # fmt: skip


def blue(folder: Path, name: str, *, size: tuple[int, int] = (320, 240)) -> str:
    Image.new("RGB", size, (40, 120, 200)).save(folder / name)
    return name


def answer(domain: str, confidence: str = "high", second: str | None = None) -> str:
    return json.dumps({"reason": "Blue.", "domain": domain, "second": second, "confidence": confidence})


async def ran(folder: Path, script: Script, *arguments: str) -> tuple[dict[str, Any], FaultyOpenAI, str]:
    """The records of a run by id, the server, and what was said."""
    async with FaultyOpenAI(script) as server:
        status, _, said = await omnidetective("run", *arguments, cwd=folder, base_url=server.base_url)
    assert status in (0, 1), said
    lines = (folder / "out.jsonl").read_text().splitlines()
    return {record["id"]: record for record in map(json.loads, lines)}, server, said


async def test_the_router_is_asked_only_where_nothing_cheaper_decides(tmp_path: Path) -> None:
    video(tmp_path / "moves.mp4")
    blue(tmp_path, "a.png")
    ffmpeg("-loop", "1", "-i", str(tmp_path / "a.png"), "-t", "2", "-pix_fmt", "yuv420p", str(tmp_path / "lasts.mp4"))
    arguments = set_up(
        tmp_path,
        {"id": "said", "image": "a.png", "domain": "Medical & Bio-Imaging"},
        {"id": "moves", "video": "moves.mp4"},
        {"id": "lasts", "video": "lasts.mp4"},
        {"id": "shown", "image": blue(tmp_path, "b.png", size=(300, 200))},
        {"id": "theirs", "image": blue(tmp_path, "c.png", size=(200, 200)), "domain": "example.org"},
    )
    records, server, said = await ran(tmp_path, [says(answer("natural", "low", "aesthetic"))], *arguments)
    assert set(records) == {"said", "moves", "lasts", "shown", "theirs"}, said
    routing = {name: record["routing"] for name, record in records.items()}
    assert routing["said"] == {
        "domain": "medical", "confidence": "high", "by": "row", "why": "the input row names it",
    }  # fmt: skip
    assert (routing["moves"]["domain"], routing["moves"]["by"]) == ("video", "kind")
    expected = {
        "domain": "natural", "second": "aesthetic", "confidence": "low", "by": "model", "why": "Blue.",
    }  # fmt: skip
    assert routing["lasts"] == expected, records["lasts"]["observations"]
    assert routing["shown"] == routing["theirs"] == expected
    assert server.calls == 3
    calls = {name: record["usage"]["calls"] for name, record in records.items()}
    assert calls == {"said": 0, "moves": 0, "lasts": 1, "shown": 1, "theirs": 1}
    assert records["shown"]["usage"]["by_role"]["router"]["calls"] == 1
    assert {"capflow/router", "capflow/router_task"} <= set(records["shown"]["provenance"]["prompts"])
    assert any("'example.org'" in reason for reason in records["theirs"]["quality"]["reasons"])
    assert records["theirs"]["input"]["domain"] == "example.org"


async def test_a_recording_fails_with_what_to_do_and_the_others_go_on(tmp_path: Path) -> None:
    tone(tmp_path / "tone.wav")
    arguments = set_up(
        tmp_path, {"id": "song", "path": "tone.wav"}, {"id": "picture", "image": blue(tmp_path, "a.png")}
    )
    records, server, _ = await ran(tmp_path, [says(answer("natural"))], *arguments)
    assert set(records) == {"picture"}
    assert server.calls == 1
    (failure,) = map(json.loads, (tmp_path / "out.failures.jsonl").read_text().splitlines())
    assert failure["outcome"] == "invalid_media"
    assert failure["error"]["reason"] == "no_video"
    assert failure["error"]["stage"] == "route"
    assert "another workflow" in failure["error"]["hint"]


async def test_a_name_that_is_none_is_repaired(tmp_path: Path) -> None:
    def script(seen: Seen) -> Any:
        return says(answer("natural" if "cannot be used" in json.dumps(seen.body) else "landscape"))

    arguments = set_up(tmp_path, {"id": "a", "image": blue(tmp_path, "a.png")})
    records, server, said = await ran(tmp_path, script, *arguments)
    assert records["a"]["routing"]["domain"] == "natural", said
    assert server.calls == 2


def own_domain(folder: Path, text: str = "") -> Path:
    own = folder / "domains"
    own.mkdir()
    data = {
        "name": "herbarium",
        "title": "Herbarium sheets",
        "description": "Pressed plants on paper.",
        "modalities": ["image"],
        "boundaries": ["A living plant is `natural`."],
        "agents": {"ocr": {"kind": "tool", "observer": "ocr"}},
    }
    (own / "herbarium.yaml").write_text(text or yaml.safe_dump(data))
    return own


async def test_a_domain_of_the_users_own_is_offered_to_the_router(tmp_path: Path) -> None:
    own = own_domain(tmp_path)
    arguments = set_up(tmp_path, {"id": "a", "image": blue(tmp_path, "a.png")})
    records, server, said = await ran(
        tmp_path, [says(answer("herbarium", "medium", "natural"))], *arguments, "--set", f"route.domains={own}"
    )
    assert records["a"]["routing"]["domain"] == "herbarium", said
    request = json.dumps(server.seen[0].body)
    assert "Pressed plants on paper." in request
    assert "A living plant is `natural`." in request
    assert "herbarium" in json.dumps(server.seen[0].body["response_format"])


@pytest.mark.parametrize("more", [(), ("--dry-run",), ("--num-workers", "2")])
async def test_a_broken_domain_is_an_error_before_the_first_clip(more: tuple[str, ...], tmp_path: Path) -> None:
    own = own_domain(tmp_path, "name: herbarium\ntitel: Herbarium\n")
    arguments = set_up(tmp_path, {"id": "a", "image": blue(tmp_path, "a.png")})
    async with FaultyOpenAI([says("never")]) as server:
        status, printed, said = await omnidetective(
            "run", *arguments, "--set", f"route.domains={own}", *more, cwd=tmp_path, base_url=server.base_url
        )
        assert server.calls == 0
    assert status == 2, said
    assert "herbarium.yaml is wrong" in said
    assert "did you mean title?" in said
    assert "Traceback" not in said + printed


@pytest.mark.integration
async def test_a_plan_foresees_the_routers_calls(tmp_path: Path) -> None:
    video(tmp_path / "moves.mp4")
    rows = [{"id": f"p{n}", "image": blue(tmp_path, f"{n}.png", size=(300 + n, 200))} for n in range(3)]
    arguments = set_up(
        tmp_path, *rows, {"id": "v", "video": "moves.mp4"}, {"id": "d", "image": "0.png", "domain": "math"}
    )
    plan_arguments = [a for a in arguments if a not in ("--output", "out.jsonl")]
    async with FaultyOpenAI([says(answer("natural"))]) as server:
        status, printed, said = await omnidetective(
            "estimate", "--json", *plan_arguments, cwd=tmp_path, base_url=server.base_url
        )
        measured_alone, nothing, _ = await omnidetective(
            "estimate", "--json", *plan_arguments, "--set", "route.by=measurement",
            cwd=tmp_path, base_url=server.base_url,
        )  # fmt: skip
        assert server.calls == 0
    assert (status, measured_alone) == (0, 0), said
    plan = json.loads(printed)
    (call,) = [call for call in plan["calls"] if call["stage"] == "route"]
    assert (call["role"], call["calls"]["low"], call["calls"]["high"]) == ("router", 0, 5)
    assert "router" not in json.loads(nothing)["calls_by_role"]
    _, server, _ = await ran(tmp_path, [says(answer("natural"))], *arguments)
    assert call["calls"]["low"] <= server.calls == 3 <= call["calls"]["high"]
    longest = max(prompt_tokens(seen, 0.0) for seen in server.seen)
    assert 0.7 * longest <= call["prompt_tokens"]["high"] / 5 <= 1.5 * longest
