"""Images through every workflow: a record comes, without time and sound, and nobody who only hears is paid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from e2e.test_model_sets import _said_by_others, records
from pictures import files
from PIL import Image
from planning.role_studio import about_one_attribute, asked, cast_by_role, omnidetective, said
from servers.faulty_openai import Behaviour, FaultyOpenAI, Seen, says, tool_call

from omnidetective.resources import resource_root

WORKFLOWS = sorted(
    file.stem for file in (resource_root() / "configs" / "workflows").glob("*.yaml") if file.stem != "capflow"
)
"""The one by domain has tests of its own, with a router and agents to play."""
CAPTION = "At 0s, a sheet of coloured paper fills the frame, and the words “SPRING FAIR” stand on it."
TIMELESS = "A sheet of coloured paper fills the frame, and the words “SPRING FAIR” stand on it."
NOT_OF_AN_IMAGE = {"speech", "narrative"}


def plays(seen: Seen) -> Behaviour:
    """Models that write times into the caption of an image, and captions of attributes that it cannot have."""
    told = said(seen)
    if about_one_attribute(seen):
        return says(json.dumps({"errors": [], "missing": [], "expressiveness": []}))
    if "You are a detective" in told:
        return _detective(seen)
    if "You are an editor" in told:
        return says(json.dumps({"sentences": [{"text": CAPTION, "evidence": ["o1"]}]}))
    if "You are the verifier" in told:
        blank = {"non_speech_deficiency_specific": "", "speech_deficiency_specific": ""}
        return says(json.dumps({**blank, "caption": CAPTION}))
    if "You take captions apart" in told:
        return says(json.dumps({"scene": TIMELESS, "speech": "Somebody says so.", "narrative": "Then it ends."}))
    answer = _said_by_others(json.dumps(seen.body["messages"]))
    return says(answer if answer.startswith("{") else CAPTION)


def _detective(seen: Seen) -> Behaviour:
    """Asks whom it can, also about a span that an image does not have, and concludes with times."""
    messages = json.dumps(seen.body["messages"])
    named = [n for n in ("audio_llm", "frame_captioner", "omni_llm", "video_llm") if f"- {n} (" in messages]
    asks = [{"observer": n, "question": "What is there?", "start_s": 0, "end_s": 2, "attributes": []} for n in named]
    event = {"start_s": 0, "end_s": 1.5, "text": "paper", "modality": "visual", "evidence": ["o1"]}
    end = {"caption": CAPTION, "events": [event]}
    answered = '\\"observation\\"' in messages
    if "tools" not in seen.body:
        return says(json.dumps({"conclusion": end} if answered else {"inquiries": asks}))
    if answered:
        return tool_call("conclude", end)
    return says(None, tool_calls=[("inquire", json.dumps(a)) for a in asks], finish_reason="tool_calls")


def write_pictures(folder: Path) -> list[str]:
    """A picture, a document of three pages, a picture with transparency."""
    pages = [
        files.plain(f"SPRING FAIR {n}", size=(900, 700), ground=colour) for n, colour in enumerate(("red", "lime"))
    ]
    pages[0].save(folder / "picture.jpg")
    files.tiff(folder / "paper.tiff", [*pages, files.plain("SPRING FAIR", size=(300, 200))])
    Image.new("RGBA", (320, 200), (0, 0, 255, 90)).save(folder / "clear.png")
    names = ["picture.jpg", "paper.tiff", "clear.png"]
    rows = [json.dumps({"id": name, "image" if n else "path": name}) for n, name in enumerate(names)]
    (folder / "in.jsonl").write_text("\n".join(rows) + "\n")
    return names


def times_in(value: Any) -> list[str]:
    """The places in a record where a time is told."""
    if isinstance(value, dict):
        own = [key for key in value if key.endswith(("start_s", "end_s", "duration_s", "times_s")) or key == "span"]
        return own + [found for key, one in value.items() if key != "trajectory" for found in times_in(one)]
    return [found for one in value for found in times_in(one)] if isinstance(value, list) else []


def pictures_in(seen: Seen) -> int:
    contents = [m["content"] for m in seen.body["messages"] if isinstance(m.get("content"), list)]
    return sum(part["type"] == "image_url" for content in contents for part in content)


@pytest.mark.parametrize("workflow", WORKFLOWS)
async def test_images_go_through_a_workflow(workflow: str, tmp_path: Path) -> None:
    names = write_pictures(tmp_path)
    async with FaultyOpenAI(plays) as server:
        status, _, told = await omnidetective(
            "run", "--input", "in.jsonl", "--output", "out.jsonl", "--models", cast_by_role(tmp_path),
            "--workflow", workflow, "--set", "observers.ocr.enabled=false", "--concurrency", "1",
            cwd=tmp_path, base_url=server.base_url,
        )  # fmt: skip
    assert status == 0, told
    made = {record["id"]: record for record in records(tmp_path / "out.jsonl")}
    assert sorted(made) == sorted(names)
    for record in made.values():
        assert record["caption"] == TIMELESS, workflow
        assert times_in(record) == []
        # A detective that must spend ten inquiries on one picture runs out of questions: its report is partial.
        wanted = "partial" if workflow == "omni-detective" else "accepted"
        assert record["outcome"] == wanted, record["quality"]
        assert record["media"]["modality"] == "image"
        assert "transcript" not in record
        for part in ("attributes", "audit", "audit_after"):
            assert not NOT_OF_AN_IMAGE & set(record.get(part, {})), part
    assert made["paper.tiff"]["media"]["pages"] == 3
    assert all("pages" not in made[name]["media"] for name in ("picture.jpg", "clear.png"))
    roles = asked(server)
    assert "frame_captioner" in roles
    assert not {"audio_llm", "asr"} & roles.keys(), "nobody who only hears has anything to say of a picture"
    sent = json.dumps([seen.body for seen in server.seen])
    assert "input_audio" not in sent
    assert "page 3 of 3" in sent
    assert ("parts of it larger" in sent) is (workflow != "omni-detective")
    assert max(pictures_in(seen) for seen in server.seen) >= 3


async def test_the_embedded_cast_captions_images(tmp_path: Path) -> None:
    names = write_pictures(tmp_path)
    status, _, told = await omnidetective("run", "--input", "in.jsonl", "--output", "out.jsonl", cwd=tmp_path)
    assert status == 0, told
    made = {record["id"]: record for record in records(tmp_path / "out.jsonl")}
    assert sorted(made) == sorted(names)
    for record in made.values():
        assert times_in(record) == []
        assert not NOT_OF_AN_IMAGE & set(record.get("attributes", {}))
    paper = made["paper.tiff"]
    assert "still image of three pages" in paper["caption"]
    assert "of page 2" in paper["caption"]
    assert "“SPRING FAIR 1”" in paper["caption"]
    (ocr,) = [one for one in paper["observations"] if one["observer"] == "ocr"]
    assert [card["page"] for card in ocr["data"]["cards"]] == [1, 2, 3]
    assert paper["usage"]["calls"] == 0
