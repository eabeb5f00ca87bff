"""What a run tells besides its output: the log file and OpenTelemetry spans, from real runs over real HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from e2e.media_files import video
from e2e.test_model_sets import studio
from servers.collector import Collector
from servers.faulty_openai import Behaviour, FaultyOpenAI, Seen, fails, server_error

from omnidetective.errors import ConfigError
from omnidetective.otel import traces_for
from omnidetective.settings import TelemetrySettings

KEY = "sk-canary-5eed5eed5eed"
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "logs.md"


async def run(folder: Path, base_url: str, *options: str, **environment: str) -> tuple[int, str]:
    env = {k: v for k, v in os.environ.items() if not k.endswith(("_API_KEY", "_BASE_URL")) and "OTEL" not in k}
    env |= {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": base_url, **environment}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "omnidetective", "run", "--input", "in.jsonl", "--output", "out.jsonl",
        "--models", "openai", "--log-file", "run.log", "--set", "retry.first_wait_s=0.05",
        "--set", "observers.ocr.enabled=false", "--set", "observers.asr.enabled=false", *options,
        cwd=folder, env=env, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode is not None
    return process.returncode, said.decode()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def films(folder: Path, *names: str) -> None:
    video(folder / "film.mp4")
    rows = (json.dumps({"id": name, "video": "film.mp4"}) + "\n" for name in names)
    (folder / "in.jsonl").write_text("".join(rows))


class Stumbling:
    """The studio, whose editor meets a server error once."""

    def __init__(self) -> None:
        self.stumbled = False

    def __call__(self, seen: Seen) -> Behaviour:
        if "You are an editor" in json.dumps(seen.body.get("messages")) and not self.stumbled:
            self.stumbled = True
            return server_error()
        return studio(seen)


async def test_log_and_spans_tell_the_same_story_and_hold_no_secret(tmp_path: Path) -> None:
    films(tmp_path, "one", "two")
    async with FaultyOpenAI(Stumbling()) as server, Collector() as collector:
        status, said = await run(
            tmp_path, server.base_url, "--num-workers", "2", "--concurrency", "1", "--set", "cache.enabled=false",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
        )  # fmt: skip
        sent = [seen.raw for seen in server.seen]
    assert status == 0, said
    records = {record["id"]: record for record in lines(tmp_path / "out.jsonl")}
    log = lines(tmp_path / "run.log")

    # The log: every call and every stage, with what it took.
    calls = [line for line in log if line.get("event") == "call"]
    retry = next(line for line in log if line.get("event") == "retry")
    for name, record in records.items():
        of_clip = [call for call in calls if call["clip"] == name]
        assert len(of_clip) == record["usage"]["calls"]
        assert sum(call["prompt_tokens"] for call in of_clip) == record["usage"]["prompt_tokens"]
        by_role = Counter(call["role"] for call in of_clip)
        assert by_role == {role: usage["calls"] for role, usage in record["usage"]["by_role"].items()}
        by_stage = Counter(call["stage"] for call in of_clip)
        assert by_stage == {stage: usage["calls"] for stage, usage in record["usage"]["by_stage"].items()}
        own = [line for line in log if line.get("clip") == name]
        stages = {line["stage"]: line["seconds"] for line in own if line.get("event") == "stage"}
        assert stages == pytest.approx(record["provenance"]["stages"], abs=0.1)
        (whole,) = [line for line in own if line.get("event") == "clip"]
        assert (whole["outcome"], whole["calls"]) == (record["outcome"], record["usage"]["calls"])
    assert len({call["call"] for call in calls}) == len(calls)
    assert {call["level"] for call in calls} == {"info"}
    assert (retry["level"], retry["attempt"], retry["role"], retry["stage"]) == ("warning", 1, "integrator", "ensemble")
    (again,) = [call for call in calls if call["call"] == retry["call"]]
    assert (again["attempt"], again["outcome"]) == (2, "ok")
    assert all(call["attempt"] == 1 for call in calls if call is not again)
    assert any(re.search(r"text \d+ chars, \d+ images #[0-9a-f]{8}…", call["digest"]) for call in calls)

    # The spans: the same calls, within their stages, within their clips.
    spans = [span for span in collector.spans if span.is_client]
    assert Counter(span.facts["omnidetective.call"] for span in spans) == Counter(call["call"] for call in calls)
    for span in spans:
        stage = collector.above(span)
        assert stage is not None
        clip = collector.above(stage)
        assert clip is not None
        (line,) = [call for call in calls if call["call"] == span.facts["omnidetective.call"]]
        assert stage.name == f"stage {line['stage']}"
        assert (clip.name, clip.facts["omnidetective.clip"], clip.parent) == ("clip", line["clip"], b"")
        provider, _, model = line["model"].partition(":")
        assert span.name == f"chat {model}"
        assert span.facts["gen_ai.operation.name"] == "chat"
        assert span.facts["gen_ai.provider.name"] == provider == "openai"
        assert span.facts["gen_ai.request.model"] == model
        assert span.facts["gen_ai.usage.input_tokens"] == line["prompt_tokens"]
        assert span.facts["gen_ai.usage.output_tokens"] == line["completion_tokens"]
        assert "error.type" not in span.facts
        assert span.seconds <= stage.seconds <= clip.seconds
    assert all(resource["service.name"] == "omnidetective" for resource in collector.resources)

    # Neither holds the key, what was said, or what was shown.
    told = (tmp_path / "run.log").read_bytes() + collector.raw
    shown = {match for raw in sent for match in re.findall(rb"base64,([A-Za-z0-9+/=]{200})", raw)}
    assert shown
    assert not any(piece in told for piece in shown)
    assert not re.search(rb"[A-Za-z0-9+/]{120,}", told)
    for secret in (KEY, "You are an editor", records["one"]["caption"]):
        assert secret.encode() not in told


async def test_a_call_that_fails_for_good_is_an_error_in_both(tmp_path: Path) -> None:
    films(tmp_path, "film")
    refusal = fails(400, {"message": "no", "code": "no_such_thing"})
    async with FaultyOpenAI([refusal]) as server, Collector() as collector:
        status, said = await run(tmp_path, server.base_url, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint)
    assert status == 1, said
    log = lines(tmp_path / "run.log")
    failed = {line["call"]: line["outcome"] for line in log if line.get("event") == "call"}
    assert failed
    for call in (span for span in collector.spans if span.is_client):
        assert call.is_error
        assert call.facts["error.type"] == failed[str(call.facts["omnidetective.call"])]
    (clip,) = [line for line in log if line.get("event") == "clip"]
    (span,) = [span for span in collector.spans if span.name == "clip"]
    (failure,) = lines(tmp_path / "out.failures.jsonl")
    assert clip["reason"] == span.facts["error.type"] == failure["error"]["reason"]
    assert clip["outcome"] == failure["outcome"]


async def test_a_collector_that_is_not_there_costs_no_clip(tmp_path: Path) -> None:
    films(tmp_path, "film")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound, and never listening: nobody else can answer there.
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with FaultyOpenAI(studio) as server:
            status, said = await run(tmp_path, server.base_url, OTEL_EXPORTER_OTLP_ENDPOINT=nowhere)
    assert status == 0, said
    assert lines(tmp_path / "out.jsonl")[0]["outcome"] == "accepted"
    assert "Traceback" not in said
    assert said.count("spans could not be sent") == 1


async def test_the_guide_finds_the_slow_stage_of_a_slow_clip(tmp_path: Path) -> None:
    """Every field that its jq lines use is there, in the lines that they select."""
    films(tmp_path, "film")
    async with FaultyOpenAI(studio) as server:
        status, said = await run(tmp_path, server.base_url)
    assert status == 0, said
    log = lines(tmp_path / "run.log")
    recipes = re.findall(r"^jq -r '(.*)' run\.log", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(recipes) >= 2
    for recipe in recipes:
        event = re.search(r'\.event == "(\w+)"', recipe)
        assert event is not None
        selected = [line for line in log if line.get("event") == event[1]]
        assert selected
        for name in set(re.findall(r"\.([a-z_]+)", recipe)):
            assert all(name in line for line in selected), (recipe, name)


def test_spans_are_off_unless_asked_for_and_cost_no_import() -> None:
    code = (
        "import sys\n"
        "from omnidetective import Pipeline, load_config\n"
        "Pipeline.from_config(load_config())\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    env = {k: v for k, v in os.environ.items() if "OTEL" not in k}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.strip() == "[]"


def test_missing_packages_are_an_error_only_where_spans_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigError, match="not installed") as told:
        traces_for(TelemetrySettings(otel=True), version="0")
    assert "omnidetective[otel]" in told.value.hint
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    assert traces_for(TelemetrySettings(), version="0") is None
    assert "omnidetective[otel]" in caplog.text
    assert traces_for(TelemetrySettings(otel=False), version="0") is None
