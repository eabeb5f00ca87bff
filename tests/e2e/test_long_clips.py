"""A clip of ten minutes with models: worked on by segment, merged in order, one person keeps one name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from e2e.media_files import ffmpeg
from e2e.planted import Act, performed, sentences, verified
from servers.faulty_openai import Behaviour, says, tool_call

from omnidetective.captions.anchors import find_anchors
from omnidetective.records import ATTRIBUTES

MINUTES = 10


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten minutes in which the colour of the whole picture changes every fifty seconds."""
    path = tmp_path_factory.mktemp("long") / "film.mp4"
    colours = "color=c=red:size=160x90:rate=2,hue=h='floor(t/50)*75'"
    sound = ["-f", "lavfi", "-i", "sine=frequency=300:sample_rate=16000"]
    ffmpeg("-f", "lavfi", "-i", colours, *sound, "-t", str(60 * MINUTES), "-g", "20", str(path))
    return path


def part_of(prompt: str) -> tuple[int, int]:
    """The seconds that a request is about."""
    match = re.search(r'"part_s": \[([\d.]+), ([\d.]+)\]|(?:part from|seconds) ([\d.]+)(?: s)? to ([\d.]+)', prompt)
    assert match is not None, prompt[:600]
    start, end = [group for group in match.groups() if group is not None]
    return int(float(start)), int(float(end))


def told(prompt: str) -> str:
    start, _ = part_of(prompt)
    return f"At {start + 1}s, the man in the grey hat paints the wall in colour number {start}."


def detective(call: int, prompt: str) -> Behaviour:
    if '"observation"' in prompt:
        return tool_call("conclude", {"caption": told(prompt), "events": []})
    ask = {"observer": "frame_captioner", "question": "What is painted?", "attributes": list(ATTRIBUTES)}
    return says(None, tool_calls=[("inquire", json.dumps(ask))], finish_reason="tool_calls")


def ensemble(call: int, prompt: str) -> dict[str, Any]:
    return {**sentences(told(prompt)), "characters": [{"name": "the man in the grey hat", "description": "paints"}]}


def verify(call: int, prompt: str) -> dict[str, str]:
    return verified(next(json.loads(line) for line in prompt.splitlines() if line.startswith('"')))


HONEST = Act(
    {
        "detective": detective,
        "witness": "A man in a grey hat paints the wall in colours.",
        "whole": lambda call, prompt: told(prompt),
        "frames": lambda call, prompt: told(prompt),
        "audio": "A brush is heard.",
        "ensemble": ensemble,
        "verify": verify,
        "split": lambda call, prompt: {"actions": verify(call, prompt)["caption"]},
    }
)


@pytest.mark.integration
async def test_ten_minutes_are_worked_on_by_segment_and_merged_in_order(film: Path) -> None:
    record, troupe = await performed(HONEST, film, instruments=())
    spans = [candidate.span for candidate in record.candidates or () if candidate.source == "captioner"]
    parts = len(spans)
    assert parts >= MINUTES
    assert all(span is not None and span.duration_s <= 60 for span in spans)
    starts = [anchor.second for anchor in find_anchors(record.caption)]
    assert len(starts) == parts
    assert starts == sorted(starts)
    assert starts[-1] > 60 * (MINUTES - 1) - 10
    assert record.outcome == "accepted", record.quality
    assert troupe.calls["ensemble"] == troupe.calls["verify"] == troupe.calls["audit"] == parts
    last = troupe.prompts["ensemble"][-1]
    assert "the man in the grey hat" in last
    assert "colour number 0." in last, "the merge of the last segment sees the first"
    ids = {o.id for o in record.observations or ()}
    assert len(ids) == len(record.observations or ())
    assert all(event.evidence and set(event.evidence) <= ids for event in record.events or ())
    assert all(o.span is not None for o in record.observations or () if o.kind == "witness")
    actions = (record.attributes or {})["actions"]
    assert [a.second for a in find_anchors(actions)] == starts


async def test_a_lost_segment_is_told_and_the_rest_stands(film: Path) -> None:
    def whole(call: int, prompt: str) -> Any:
        return says(None, finish_reason="content_filter") if part_of(prompt)[0] == 0 else told(prompt)

    def refusing(call: int, prompt: str) -> Behaviour:
        return says(None, finish_reason="content_filter") if part_of(prompt)[0] == 0 else detective(call, prompt)

    jobs = {**HONEST.jobs, "whole": whole, "frames": whole, "audio": whole, "detective": refusing}
    record, _ = await performed(Act(jobs), film, instruments=())
    assert record.outcome == "partial"
    assert any("0–" in reason for reason in record.quality.reasons)
    assert find_anchors(record.caption)[-1].second > 60 * (MINUTES - 1) - 10
