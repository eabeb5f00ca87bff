"""The built-in model sets through the command line, against a server on loopback in place of the provider."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from e2e.media_files import tone, video
from e2e.test_fault_matrix import ATTRIBUTES, CAPTION
from servers.faulty_openai import Behaviour, FaultyOpenAI, Seen, body, says, tool_call

KEY = "sk-canary-0badc0ffee"
WITNESSES = {
    "openai": {"audio_llm", "frame_captioner"},
    "dashscope": {"audio_llm", "frame_captioner", "omni_llm", "video_llm"},
    "vllm": {"audio_llm", "frame_captioner", "omni_llm", "video_llm"},
}


def studio(seen: Seen) -> Behaviour:
    """Plays every model of a set: a detective that asks each witness once, witnesses, a recogniser."""
    if seen.path.endswith("/audio/transcriptions"):
        return body({"text": "", "segments": [], "language": "english"})
    messages = json.dumps(seen.body["messages"])
    if "You are a detective" not in messages:
        return says(_said_by_others(messages))
    end = {
        "caption": CAPTION,
        "events": [{"start_s": 0, "text": "bars", "modality": "visual", "evidence": ["o1"]}],
    }
    named = [n for n in ("audio_llm", "frame_captioner", "omni_llm", "video_llm") if f"- {n} (" in messages]
    asks = [{"observer": n, "question": "What is there?", "attributes": ATTRIBUTES} for n in named]
    answered = '\\"observation\\"' in messages
    if "tools" not in seen.body:
        return says(json.dumps({"conclusion": end} if answered else {"inquiries": asks}))
    if answered:
        return tool_call("conclude", end)
    return says(None, tool_calls=[("inquire", json.dumps(a)) for a in asks], finish_reason="tool_calls")


def _said_by_others(messages: str) -> str:
    """What the roles of the caption stages answer: the detective's caption, and nothing wrong with it."""
    answers: dict[str, Any] = {
        "You are an editor": {"sentences": [{"text": CAPTION, "evidence": ["o1"]}]},
        "You are the verifier": {
            "non_speech_deficiency_specific": "", "speech_deficiency_specific": "", "caption": CAPTION,
        },
        "You are the auditor": {a: {"errors": [], "missing": [], "expressiveness": []} for a in ATTRIBUTES},
        "find where two of their reports": {"contradictions": []},
        "You take captions apart": {"scene": CAPTION},
        "You compare texts": {"reasons": [], "score": 5},
    }  # fmt: skip
    told = next((answer for opening, answer in answers.items() if opening in messages), None)
    return "A tone sounds over a test pattern." if told is None else json.dumps(told)


async def omnidetective(*arguments: str, cwd: Path, **environment: str) -> tuple[int, str]:
    env = {k: v for k, v in os.environ.items() if not k.endswith(("_API_KEY", "_BASE_URL"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "omnidetective", *arguments,
        cwd=cwd, env=env | environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode is not None
    return process.returncode, output.decode()


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", ["openai", "dashscope", "vllm"])
async def test_a_set_runs_with_its_key_and_address_and_the_key_is_nowhere(name: str, tmp_path: Path) -> None:
    video(tmp_path / "film.mp4")
    (tmp_path / "in.jsonl").write_text('{"id": "film", "video": "film.mp4"}\n')
    served = ("Qwen/Qwen3-Omni-30B-A3B-Instruct",) if name == "vllm" else ()
    prefix = name.upper()
    async with FaultyOpenAI(studio, models=served) as server:
        status, told = await omnidetective(
            "run", "--input", "in.jsonl", "--output", "out.jsonl", "--models", name, "--log-file", "log.jsonl",
            "--set", "observers.ocr.enabled=false", "--set", "observers.asr.enabled=false",
            cwd=tmp_path, **{f"{prefix}_API_KEY": KEY, f"{prefix}_BASE_URL": server.base_url},
        )  # fmt: skip
    assert status == 0, told
    (record,) = records(tmp_path / "out.jsonl")
    assert record["caption"] == CAPTION
    assert record["outcome"] == "accepted", record["quality"]
    assert record["quality"]["scores"]["completeness"] == 5
    assert record["attributes"] == {"scene": CAPTION}
    asked = {o["observer"] for o in record["observations"] if "error" not in o}
    assert asked >= WITNESSES[name], record["observations"]
    assert all(seen.headers.get("Authorization") == f"Bearer {KEY}" for seen in server.seen)
    written = told + "".join(p.read_text(errors="replace") for p in tmp_path.glob("*.jsonl"))
    assert KEY not in written
    if name == "dashscope":
        omni = [s for s in server.seen if "omni" in str(s.body.get("model"))]
        assert omni
        assert all(s.streams for s in omni), "Qwen-Omni is always streamed"


@pytest.mark.parametrize(
    ("name", "variable"), [("openai", "OPENAI_API_KEY"), ("dashscope", "DASHSCOPE_API_KEY"), ("vllm", "VLLM_BASE_URL")]
)
async def test_without_its_key_a_set_says_which_variable_to_set(name: str, variable: str, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": "film", "video": "film.mp4"}\n')
    status, told = await omnidetective(
        "run", "--input", "in.jsonl", "--output", "out.jsonl", "--models", name, cwd=tmp_path
    )
    assert status == 2
    assert variable in told
    assert "Traceback" not in told


async def test_doctor_probes_a_server_for_free(tmp_path: Path) -> None:
    async with FaultyOpenAI([], models=("my-model",)) as server:
        status, told = await omnidetective("doctor", "--models", "vllm", cwd=tmp_path, VLLM_BASE_URL=server.base_url)
    assert status == 0, told
    assert "my-model" in told
    assert server.calls == 0


async def test_the_reference_implementations_file_runs_unchanged(tmp_path: Path) -> None:
    """Rows of id and url; the audio is fetched, here from loopback, which has to be allowed for this test."""
    sound = tone(tmp_path / "sound.wav").read_bytes()

    async def serve(request: web.Request) -> web.Response:
        return web.Response(body=sound, content_type="audio/wav")

    app = web.Application()
    app.router.add_get("/sound.wav", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    (tmp_path / "in.jsonl").write_text(json.dumps({"id": 1, "url": f"http://127.0.0.1:{port}/sound.wav"}) + "\n")
    try:
        status, told = await omnidetective(
            "run", "--input", "in.jsonl", "--output", "out.jsonl", "--set", "media.allow_private=true",
            "--set", "observers.asr.enabled=false", cwd=tmp_path,
        )  # fmt: skip
    finally:
        await runner.cleanup()
    assert status == 0, told
    (record,) = records(tmp_path / "out.jsonl")
    assert record["media"]["url"].endswith("/sound.wav")
    assert record["media"]["modality"] == "audio"


@pytest.mark.parametrize("witness", sorted(WITNESSES["vllm"]))
async def test_a_witness_is_asked_by_hand(witness: str, tmp_path: Path) -> None:
    video(tmp_path / "film.mp4", seconds=4.0)
    async with FaultyOpenAI([says("Bars move.")], models=("Qwen/Qwen3-Omni-30B-A3B-Instruct",)) as server:
        asking = ("observers", "ask", witness, "film.mp4", "What is there at 2 s?", "--models", "vllm")
        whole = await omnidetective(*asking, cwd=tmp_path, VLLM_BASE_URL=server.base_url)
        part = await omnidetective(*asking, "--span", "1-3", "--json", cwd=tmp_path, VLLM_BASE_URL=server.base_url)
    assert whole == (0, "Bars move.\n")
    status, printed = part
    assert status == 0, printed
    observation = json.loads(printed)
    assert observation["observer"] == witness
    assert observation["span"] == {"start_s": 1.0, "end_s": 3.0}
    assert observation["usage"]["calls"] == 1
    first, second = ([p["type"] for p in s.body["messages"][1]["content"]] for s in server.seen)
    assert first[-1] == second[-1] == "text"
    assert ("video_url" in first) is (witness == "video_llm")
    assert "1.0 to 3.0" in server.seen[1].body["messages"][0]["content"]
