"""VidCapBench-AE: golden vector, both ways to read a reply, kill and resume."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from evals.bench import Bench, scores, write_lines
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.evals.vidcapbench import parse, parse_as_reference

_KINDS = ("lighting", "events", "object motion", "common sense", "events")


def _bench(folder: Path, points: dict[str, list[str]], *, words: int = 200, options: tuple[str, ...] = ()) -> Bench:
    rows = [
        {
            "video_dir": f"/abs/videos/Tarsier_{video}.mp4",
            "QA_pairs": [
                {"question": f"q {video}{n}?", "answer": "truth", "sub_category": _KINDS[n], "primary_category": "x"}
                for n in range(len(replies))
            ],
        }
        for video, replies in points.items()
    ]
    captions = [
        {"question": "?", "video": f"Tarsier_{video}.mp4", "model_generation": " ".join(["word"] * words)}
        for video in points
    ]
    return Bench(
        folder,
        "vidcapbench",
        data=write_lines(folder / "VidCapBench-AE_QA.jsonl", rows),
        captions=write_lines(folder / "captions.jsonl", captions),
        options=options,
    )


def _replies(points: dict[str, list[str]]):  # type: ignore[no-untyped-def]
    def reply(_: str, user: str) -> str:
        asked = re.search(r"q ([a-z])(\d)\?", user)
        assert asked
        return points[asked[1]][int(asked[2])] if "right_answer" in user else "an answer"

    return reply


async def test_the_golden_vector(tmp_path: Path) -> None:
    """A, B, C, D = 2, 1, 1, 1 and captions of 200 tokens: Acc 40, Pre 75, Cov 80, Con 20."""
    points = {"a": [f'{{"score": {n}, "analysis": "x"}}' for n in (2, 1, 0, -1, 2)]}
    ran = await _bench(tmp_path, points).run(_replies(points))
    assert ran.status == 0, ran.stderr
    assert scores(ran) == pytest.approx({"Acc": 40, "Pre": 75, "Cov": 80, "Con": 20})
    # content: questions 1 (partial) and 4 (full)
    assert scores(ran, "content") == pytest.approx({"Acc": 50, "Pre": 100, "Cov": 100, "Con": 25})
    assert scores(ran, "physics")["Acc"] == 0
    assert ran.calls == 10


async def test_the_same_replies_read_in_both_ways(tmp_path: Path) -> None:
    points = {
        "a": ['{"score": 0, "analysis": "nothing of the 2 dogs"}', '{"score": -1, "analysis": "x"}'],
        "b": ["score: 1", "none"],
    }
    ran = await _bench(tmp_path, points).run(_replies(points))
    # strict: 0, -1, and two that cannot be read; reference: 2 (of the dogs), -1, 1, and one that it leaves out
    assert scores(ran, "strict", table=1) == pytest.approx({"Acc": 0, "Pre": 0, "Cov": 50, "Con": 0})
    assert scores(ran, "reference", table=1) == pytest.approx(
        {"Acc": 100 / 3, "Pre": 200 / 3, "Cov": 100, "Con": 100 / 6}
    )
    assert "2 answers without points are left out" in " ".join(ran.stdout.split())
    # with those two as 0 points: 0, -1, 0, 0
    assert scores(ran, "answers without points as 0") == pytest.approx({"Acc": 0, "Pre": 0, "Cov": 25, "Con": 0})
    assert ran.calls == 4 + 2 + 2 * 3


async def test_a_video_without_a_caption_is_left_out_and_counted(tmp_path: Path) -> None:
    """2, 1 of one video; two questions of another count as 0 points, and not in the length of captions."""
    points = {"a": ['{"score": 2}', '{"score": 1}'], "b": ["never asked", "never asked"]}
    bench = _bench(tmp_path, points)
    captions = tmp_path / "captions.jsonl"
    captions.write_text(captions.read_text().splitlines(keepends=True)[0])
    ran = await bench.run(_replies(points))
    assert scores(ran) == pytest.approx({"Acc": 50, "Pre": 100, "Cov": 100, "Con": 25})
    assert scores(ran, "and videos without a caption") == pytest.approx({"Acc": 25, "Pre": 100, "Cov": 50, "Con": 12.5})
    assert ran.calls == 4


@pytest.mark.integration
async def test_a_killed_run_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    points = {video: ['{"score": 2}', '{"score": 1}'] for video in "abcdef"}
    bench = _bench(tmp_path, points, options=("--concurrency", "2"))
    assert (await bench.run(_replies(points), kill_after=12)).status == -9
    resumed = await bench.run(_replies(points))
    assert resumed.calls <= 24 - 12 + 6
    assert scores(resumed)["Acc"] == pytest.approx(50)
    assert (await bench.run(_replies(points))).calls == 0


@pytest.mark.parametrize(
    ("reply", "strict", "reference"),
    [
        ('{"score": -1, "analysis": "it is red"}', -1, -1),
        ("```json\n{'score': '1', 'analysis': 'similar'}\n```", 1, 1),
        ('{"score": 0, "analysis": "1 of 2"}', 0, 2),
        ('{"score": 1.5}', None, 1),
        ('{"score": 3}', None, None),
        ("perfect", None, None),
        ("", None, None),
    ],
)
def test_replies(reply: str, strict: int | None, reference: int | None) -> None:
    assert (parse(reply), parse_as_reference(reply)) == (strict, reference)


@given(st.text(max_size=200))
def test_no_reply_breaks_it(reply: str) -> None:
    assert parse(reply) in (None, 2, 1, 0, -1)
    assert parse_as_reference(reply) in (None, 2, 1, 0, -1)
