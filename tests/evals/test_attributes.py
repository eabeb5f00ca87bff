"""Attribute instruction following: by hand, captions by video and prompt, kill and resume."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from evals.bench import Bench, scores, write_lines
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.evals.attributes import ATTRIBUTES, AttributeFollowing, follows, parse

_TASKS = [
    {"video_rel": "0.mp4", "k": 1, "attributes": ["scene"], "prompt": "Describe the scene."},
    {"video_rel": "0.mp4", "k": 2, "attributes": ["scene", "actions"], "prompt": "Describe scene and actions."},
    {"video_rel": "1.mp4", "k": 1, "attributes": [], "prompt": "What dialogue is there?"},
    {"video_rel": "2.mp4", "k": 1, "attributes": ["camera"], "prompt": "Describe the camera."},
    {"video_rel": "3.mp4", "k": 2, "attributes": ["camera", "emotions"], "prompt": "Camera and emotions."},
]


def _says(*explicit: str, minor: tuple[str, ...] = ()) -> str:
    levels = {n: "explicit" if n in explicit else "minor" if n in minor else "none" for n in ATTRIBUTES}
    return f"```json\n{json.dumps({'levels': levels, 'missing_targets': ['ignored'], 'notes': 'x'})}\n```"


_REPLIES = {
    "0a": _says("scene", minor=("actions",)),  # followed
    "0b": _says("scene"),  # actions are missing
    "1": _says("speech"),  # meant by the prompt: followed
    "2": "not today",  # could not be judged: not followed
}


def _bench(folder: Path, *options: str) -> Bench:
    captions = [
        {"video_id": "0", "prompt": "Describe the scene.", "caption": "caption 0a."},
        {"video_id": "0", "prompt": "Describe scene and actions.", "caption": "caption 0b."},
        {"video_id": "1", "caption": "caption 1."},
        {"video_id": "2", "prompt": "Describe the camera.", "caption": "caption 2."},
        {"video_id": "3", "prompt": "Another prompt.", "caption": "caption 3."},
    ]
    data = write_lines(folder / "prompts.jsonl", _TASKS)
    return Bench(folder, "attributes", data=data, captions=write_lines(folder / "c.jsonl", captions), options=options)


def _reply(_: str, user: str) -> str:
    asked = re.search(r"caption (\w+)\.", user)
    assert asked
    return _REPLIES[asked[1]]


async def test_by_hand(tmp_path: Path) -> None:
    ran = await _bench(tmp_path).run(_reply)
    assert ran.status == 0, ran.stderr
    assert scores(ran, "overall")["followed"] == pytest.approx(50)
    assert scores(ran, "k = 1")["followed"] == pytest.approx(200 / 3)
    assert scores(ran, "k = 2")["followed"] == 0
    assert scores(ran, "missing captions as not followed")["followed"] == pytest.approx(40)
    assert [(one["item"], one["reason"]) for one in ran.result["unjudged"]] == [
        ("2.mp4", "unparsable"),
        ("3.mp4", "missing_caption"),
    ]
    assert ran.calls == 3 + 8


@pytest.mark.integration
async def test_a_killed_run_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    bench = _bench(tmp_path, "--concurrency", "1")
    assert (await bench.run(_reply, kill_after=6)).status == -9
    assert (await bench.run(_reply)).calls <= 11 - 6 + 3
    assert (await bench.run(_reply)).calls == 0


@pytest.mark.parametrize(
    ("reply", "explicit"),
    [
        (_says("scene", "camera"), {"scene", "camera"}),
        ("{'levels': {'scene': 'Explicit', 'speech': 'very', },}", {"scene"}),
        ('{"levels": ["scene"]}', None),
        ('{"levels": {}}', None),
        ('{"scene": "explicit"}', None),
        ("", None),
    ],
)
def test_replies(reply: str, explicit: set[str] | None) -> None:
    found = parse(reply)
    assert (None if found is None else {n for n, level in found.levels.items() if level == "explicit"}) == explicit


@given(st.sets(st.sampled_from(ATTRIBUTES)), st.sets(st.sampled_from(ATTRIBUTES), min_size=1))
def test_followed_is_no_more_and_no_less(explicit: set[str], wanted: set[str]) -> None:
    levels: dict[str, Any] = {n: "explicit" if n in explicit else "minor" for n in ATTRIBUTES}
    assert follows(levels, frozenset(wanted)) is (explicit == wanted)


@given(st.text(max_size=150))
def test_no_reply_breaks_it(reply: str) -> None:
    found = parse(reply)
    assert found is None or set(found.levels) == set(ATTRIBUTES)


def test_unknown_attributes_are_told(tmp_path: Path) -> None:
    from omnidetective.errors import ConfigError

    path = write_lines(
        tmp_path / "prompts.jsonl", [{"video_rel": "0.mp4", "k": 1, "attributes": ["smell"], "prompt": "?"}]
    )
    with pytest.raises(ConfigError, match="line 1 wants attributes that are not known"):
        AttributeFollowing().read(path)
