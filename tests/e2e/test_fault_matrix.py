"""The whole pipeline against a server that plays every fault: each clip ends in a correct record or a clear failure.

Real HTTP, real media, the real model layer; the faults hit the detective at its first call, then at its last, and a
witness at its only one.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
import yaml
from e2e.workflow_files import detective_alone
from servers.faulty_openai import FAULTS, Behaviour, FaultyOpenAI, Seen, says, tool_call

from omnidetective.config import Config, load_config
from omnidetective.pipeline import Pipeline
from omnidetective.records import CaptionRecord, FailureRecord
from omnidetective.rows import parse_row

ATTRIBUTES = ["scene", "characters", "objects", "actions", "narrative", "speech", "camera", "emotions"]
CAPTION = "At 0s, coloured bars are shown while a tone sounds."

RECOVERED = {
    "429 with Retry-After", "500", "reset mid-body", "truncated JSON", "prose instead of JSON",
    "malformed tool arguments", "unknown tool", "empty content", "length stop", "SSE error inside a 200",
    "missing usage", "stream without an end", "hang",
}  # fmt: skip
FAILED = {"401": ("provider_error", "invalid_key"), "content filter": ("refused", "content_filter")}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("media") / "film.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", "smptebars=size=160x90:rate=10"]
    command += ["-f", "lavfi", "-i", "sine=frequency=440", "-t", "2", "-pix_fmt", "yuv420p", str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


def config_for(server: FaultyOpenAI, folder: Path, **retry: Any) -> Config:
    models = {
        name: {
            "provider": "openai",
            "base_url": server.base_url,
            "model": name,
            "capabilities": {"images": name == "eyes"},
        }
        for name in ("mind", "eyes")
    }
    settings = {
        "retry": {"attempts": 3, "first_wait_s": 0.01, "call_timeout_s": 1.0, "total_s": 10.0, **retry},
        # The embedded instruments are not what is tested here.
        "observers": {
            name: {"enabled": False} for name in ("asr", "colour", "faces", "metadata", "ocr", "shots", "sound")
        },
    }
    file = folder / "set.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "name": "test",
                "description": "a server that fails",
                "models": models,
                "roles": {"detective": "mind", "frame_captioner": "eyes"},
                "settings": settings,
            }
        )
    )
    return load_config(options={"models": str(file), "workflow": detective_alone(folder)}, environ={})


def good(seen: Seen) -> Behaviour:
    """A witness that answers, a detective that asks once and concludes, by functions or in JSON as it is asked."""
    if seen.body["model"] == "eyes":
        return says("Seven vertical coloured bars.")
    answered = any('"observation"' in str(m.get("content")) for m in seen.body["messages"])
    inquiry = {"observer": "frame_captioner", "question": "What is shown?", "attributes": ATTRIBUTES}
    end = {
        "caption": CAPTION,
        "events": [{"start_s": 0, "text": "coloured bars", "modality": "visual", "evidence": ["o1"]}],
    }
    if "tools" in seen.body:
        return tool_call("conclude", end) if answered else tool_call("inquire", inquiry)
    return says(json.dumps({"conclusion": end} if answered else {"inquiries": [inquiry]}))


def hit(fault: Behaviour, when: Callable[[Seen], bool]) -> Callable[[Seen], Behaviour]:
    """The fault at the first request that ``when`` picks, good behaviour otherwise."""
    spent: list[Seen] = []

    def play(seen: Seen) -> Behaviour:
        if not spent and when(seen):
            spent.append(seen)
            return fault
        return good(seen)

    return play


def first_decision(seen: Seen) -> bool:
    return seen.body["model"] == "mind"


def last_decision(seen: Seen) -> bool:
    return seen.body["model"] == "mind" and any('"observation"' in str(m.get("content")) for m in seen.body["messages"])


def of_witness(seen: Seen) -> bool:
    return seen.body["model"] == "eyes"


async def work(server: FaultyOpenAI, film: Path, folder: Path, **retry: Any) -> CaptionRecord | FailureRecord:
    async with Pipeline.from_config(config_for(server, folder, **retry), base_dir=film.parent) as pipeline:
        return await pipeline.process(parse_row({"id": "film", "video": film.name}))


def test_the_whole_matrix_is_expected_here() -> None:
    assert set(FAULTS) == RECOVERED | set(FAILED)


@pytest.mark.parametrize("when", [first_decision, last_decision], ids=["first call", "last call"])
@pytest.mark.parametrize("name", sorted(FAULTS))
async def test_a_fault_of_the_detectives_model(
    name: str, when: Callable[[Seen], bool], film: Path, tmp_path: Path
) -> None:
    async with FaultyOpenAI(hit(FAULTS[name], when)) as server:
        result = await work(server, film, tmp_path)
    if name in FAILED:
        assert isinstance(result, FailureRecord)
        assert (result.outcome, result.error.reason) == FAILED[name]
        assert result.error.stage == "investigate"
        assert result.error.retryable is False
    else:
        assert isinstance(result, CaptionRecord), result
        assert result.caption == CAPTION
        assert result.outcome == "accepted"
        assert result.events is not None
        assert result.events[0].evidence == ("o1",)
        assert result.usage.calls + result.usage.failed_attempts == server.calls


@pytest.mark.parametrize("name", sorted(FAULTS))
async def test_a_fault_of_a_witness_costs_its_inquiry_and_never_the_clip(name: str, film: Path, tmp_path: Path) -> None:
    def play(seen: Seen) -> Behaviour:
        if of_witness(seen):
            return FAULTS[name]
        if '"unavailable"' in json.dumps(seen.body["messages"]) and "tools" in seen.body:
            return tool_call(
                "inquire", {"observer": "frame_captioner", "question": "And now?", "attributes": ["scene"]}
            )
        return good(seen)

    async with FaultyOpenAI(play) as server:
        result = await work(server, film, tmp_path, attempts=2)
    answers = {"prose instead of JSON", "length stop", "missing usage"}
    if name in answers:
        assert isinstance(result, CaptionRecord), result
        observation = (result.observations or ())[0]
        assert observation.error is None
        assert ("cut off" in observation.answer) == (name == "length stop")
    else:
        # The only witness never answers: no caption is written from nothing, and the reason is the witness's.
        assert isinstance(result, FailureRecord), result
        assert result.outcome == "no_candidates"
        assert "frame_captioner: " in result.error.message


async def test_missing_usage_makes_the_cost_unknown_and_is_not_guessed(film: Path, tmp_path: Path) -> None:
    async with FaultyOpenAI(lambda seen: good(seen) if of_witness(seen) else _without_usage(seen)) as server:
        result = await work(server, film, tmp_path)
    assert isinstance(result, CaptionRecord)
    assert result.usage.cost_usd is None
    assert result.usage.unreported == 2
    assert result.usage.prompt_tokens == 11


def _without_usage(seen: Seen) -> Behaviour:
    answered = last_decision(seen)
    inquiry = {"observer": "frame_captioner", "question": "What is shown?", "attributes": ATTRIBUTES}
    call = ("conclude", json.dumps({"caption": CAPTION})) if answered else ("inquire", json.dumps(inquiry))
    return says(None, tool_calls=[call], finish_reason="tool_calls", usage=None)


async def test_a_wrong_key_is_tried_once_and_never_shown(film: Path, tmp_path: Path) -> None:
    async with FaultyOpenAI([FAULTS["401"]]) as server:
        result = await work(server, film, tmp_path)
    assert server.calls == 1
    assert isinstance(result, FailureRecord)
    assert result.error.hint


async def test_a_server_that_never_recovers_is_given_up_after_the_attempts(film: Path, tmp_path: Path) -> None:
    async with FaultyOpenAI([FAULTS["500"]]) as server:
        result = await work(server, film, tmp_path, attempts=3)
    assert server.calls == 3
    assert isinstance(result, FailureRecord)
    assert (result.outcome, result.error.attempts, result.error.retryable) == ("provider_error", 3, True)
    assert result.usage is not None
    assert result.usage.failed_attempts == 3


async def test_the_record_says_how_it_came_about(film: Path, tmp_path: Path) -> None:
    async with FaultyOpenAI(good) as server:
        result = await work(server, film, tmp_path)
    assert isinstance(result, CaptionRecord)
    line: Mapping[str, Any] = json.loads(result.to_line())
    assert line["provenance"]["models"] == {"detective": "openai:mind", "frame_captioner": "openai:eyes"}
    assert {"detective/system", "detective/opening", "witness/frame_captioner"} <= line["provenance"]["prompts"].keys()
    assert set(line["provenance"]["stages"]) == {"intake", "investigate"}
    assert line["usage"]["by_model"]["openai:eyes"]["calls"] == 1
    assert [m["role"] for m in line["trajectory"]] == ["system", "user", "assistant", "tool", "assistant"]
    assert "base64" not in result.to_line()
