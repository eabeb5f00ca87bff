"""Daily-Omni and WorldSense by captions: accuracy, abstentions, native forms, kill and resume."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from evals.bench import Bench, scores, write_lines
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.evals.caption_qa import parse

_CHOICES = ["A. a cat", "B. a dog", "C. a cow", "D. a hen"]


def _question(video: str, n: int, answer: str, kind: str) -> dict[str, Any]:
    return {
        "Question": f"q {video}{n}?", "Choice": _CHOICES, "Answer": answer, "video_id": video, "Type": kind,
        "video_category": "x", "video_duration": "30s",
    }  # fmt: skip


_QUESTIONS = [
    _question("a", 1, "A", "Reasoning"), _question("a", 2, "B", "Inference"),
    _question("b", 1, "C", "Reasoning"), _question("b", 2, "D", "Inference"),
    _question("c", 1, "A", "Reasoning"),
]  # fmt: skip
_REPLIES = {"a1": "A", "a2": "N/A", "b1": "**C**", "b2": "Probably the hen, since it clucks."}


def _bench(folder: Path, *, grouped: bool = False, clips: str = "ab", options: tuple[str, ...] = ()) -> Bench:
    data = folder / ("grouped_data.json" if grouped else "qa.json")
    rows: list[dict[str, Any]] = _QUESTIONS
    if grouped:
        rows = [
            {"video_id": v, "video_duration": "30s", "questions": [q for q in _QUESTIONS if q["video_id"] == v]}
            for v in "abc"
        ]
    data.write_text(json.dumps(rows))
    captions = [{"video_id": f"{clip}_video", "caption": f"caption of {clip}"} for clip in clips]
    return Bench(folder, "daily-omni", data=data, captions=write_lines(folder / "c.jsonl", captions), options=options)


def _reply(_: str, user: str) -> str:
    asked = re.search(r"q ([a-z]\d)\?", user)
    assert asked
    assert f"caption of {asked[1][0]}" in user
    return _REPLIES.get(asked[1], "A")


@pytest.mark.parametrize("grouped", [False, True])
async def test_daily_omni_by_hand(tmp_path: Path, grouped: bool) -> None:
    """a1 right, a2 abstained, b1 right, b2 neither letter nor N/A (asked six times), c without a caption."""
    ran = await _bench(tmp_path, grouped=grouped).run(_reply)
    assert ran.status == 0, ran.stderr
    assert scores(ran, "overall") == pytest.approx({"accuracy": 50, "abstained": 25, "right when answered": 100})
    assert scores(ran, "clips without a caption as wrong")["accuracy"] == pytest.approx(40)
    assert scores(ran, "Reasoning", table=1)["accuracy"] == pytest.approx(100)
    assert scores(ran, "Inference", table=1) == {"accuracy": 0, "abstained": 50, "right when answered": None}
    assert ran.calls == 3 + 6
    assert [(one["item"], one["reason"]) for one in ran.result["unjudged"]] == [("c", "missing_caption")]
    assert "1 replies were neither a letter nor N/A" in ran.stdout


@pytest.mark.integration
async def test_a_killed_run_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    bench = _bench(tmp_path, clips="abc", options=("--concurrency", "1"))
    assert (await bench.run(_reply, kill_after=5)).status == -9
    resumed = await bench.run(_reply)
    assert resumed.calls <= 10 - 5 + 3
    assert scores(resumed)["accuracy"] == pytest.approx(60)
    assert (await bench.run(_reply)).calls == 0


def _worldsense(folder: Path, *options: str) -> Bench:
    task = {"question": "q a1?", "candidates": _CHOICES, "answer": "A", "task_domain": "Recognition", "task_type": "x"}
    other = {**task, "question": "q b1?", "answer": "D", "task_domain": "Reasoning"}
    data = folder / "worldsense_qa.json"
    data.write_text(
        json.dumps(
            {
                "a": {"duration": "30s", "domain": "Sports", "audio_class": ["x"], "task0": task},
                "b": {"video_duration": "30s", "domain": "Music", "task0": other, "task1": {**other, "answer": "C"}},
            }
        )
    )
    captions = write_lines(folder / "c.jsonl", [{"video_id": v, "caption": f"caption of {v}"} for v in "ab"])
    return Bench(folder, "worldsense", data=data, captions=captions, options=options)


async def test_worldsense_in_its_native_form(tmp_path: Path) -> None:
    ran = await _worldsense(tmp_path).run(_reply)
    # a1: A, right; b: C twice, once right
    assert scores(ran, "overall")["accuracy"] == pytest.approx(200 / 3)
    assert scores(ran, "Sports", table=1)["accuracy"] == 100
    assert scores(ran, "Reasoning", table=2)["accuracy"] == 50


@pytest.mark.integration
async def test_a_killed_run_of_worldsense_goes_on(tmp_path: Path) -> None:
    """Three questions, two of which are the same but for their answer: two calls."""
    bench = _worldsense(tmp_path, "--concurrency", "1")
    assert (await bench.run(_reply, kill_after=1)).status == -9
    resumed = await bench.run(_reply)
    assert 1 <= resumed.calls <= 2
    assert scores(resumed, "overall")["accuracy"] == pytest.approx(200 / 3)
    assert (await bench.run(_reply)).calls == 0


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("B", "B"), ("b", "B"), (" B.\n", "B"), ("(B)", "B"), ("Answer: B", "B"), ("The correct answer is: **B**", "B"),
        ("B. a dog", "B"), ("a dog", "B"), ("N/A", "N/A"), ("n/a.", "N/A"),
        ("A cow is seen", None), ("E", None), ("A or B", None), ("", None), ("B\n\nbecause of the bark", None),
        ("答案是B吗", None),
    ],
)  # fmt: skip
def test_replies(reply: str, expected: str | None) -> None:
    assert parse(reply, _CHOICES) == expected


@given(st.text(max_size=100))
def test_no_reply_breaks_it(reply: str) -> None:
    assert parse(reply, _CHOICES) in (None, "A", "B", "C", "D", "N/A")
