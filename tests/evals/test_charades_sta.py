"""Charades-STA by captions: IoU by hand, the parse rule, kill and resume."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from evals.bench import Bench, scores, write_lines
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.evals.charades_sta import Placed, iou, parse

_VIDEOS = {
    "AAA": {"duration": 30.0, "timestamps": [[0.0, 10.0], [10.0, 20.0]], "sentences": ["s AAA0", "s AAA1"]},
    "BBB": {"duration": 30.0, "timestamps": [[5.0, 6.0], [20.0, 40.0]], "sentences": ["s BBB0", "s BBB1"]},
    "CCC": {"duration": 9.0, "timestamps": [[1.0, 2.0]], "sentences": ["s CCC0"]},
}
_REPLIES = {"AAA0": "From 0.0 to 10.0", "AAA1": "<answer>20 to 14</answer>", "BBB0": "N/A", "BBB1": "somewhere late"}


def _bench(folder: Path, *, clips: tuple[str, ...] = ("AAA", "BBB"), options: tuple[str, ...] = ()) -> Bench:
    data = folder / "charades_test.json"
    data.write_text(json.dumps(_VIDEOS))
    captions = [{"video_id": clip, "caption": f"At 1s, {clip}."} for clip in clips]
    return Bench(folder, "charades-sta", data=data, captions=write_lines(folder / "c.jsonl", captions), options=options)


def _reply(_: str, user: str) -> str:
    asked = re.search(r"s ([A-Z]{3}\d)", user)
    assert asked
    return _REPLIES.get(asked[1], "1 to 2")


async def test_by_hand(tmp_path: Path) -> None:
    """IoU 1; 6 of 10 seconds (20 to 14 is 14 to 20); N/A 0; no span in ten replies 0; CCC has no caption."""
    ran = await _bench(tmp_path).run(_reply)
    assert ran.status == 0, ran.stderr
    assert scores(ran) == pytest.approx({"mIoU": 40, "R1@0.3": 50, "R1@0.5": 50, "R1@0.7": 25})
    assert scores(ran, "videos without a caption as 0") == pytest.approx(
        {"mIoU": 32, "R1@0.3": 40, "R1@0.5": 40, "R1@0.7": 20}
    )
    assert ran.calls == 3 + 10
    assert "1 sentences have no place (N/A), 1 replies could not be read" in ran.stdout


@pytest.mark.integration
async def test_a_killed_run_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    bench = _bench(tmp_path, clips=("AAA", "BBB", "CCC"), options=("--concurrency", "1"))
    assert (await bench.run(_reply, kill_after=6)).status == -9
    resumed = await bench.run(_reply)
    assert resumed.calls <= 14 - 6 + 3
    assert scores(resumed)["mIoU"] == pytest.approx(52)
    assert (await bench.run(_reply)).calls == 0


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("7.0 to 12.5", (7.0, 12.5)),
        ("between 3 and 4, or rather 5 to 6", (5.0, 6.0)),
        ("12 to 7", (7.0, 12.0)),
        ("N/A", (None, None)),
        ("n / a", (None, None)),
    ],
)
def test_replies(reply: str, expected: tuple[float | None, float | None]) -> None:
    found = parse(reply)
    assert found is not None
    assert ((found.start_s, found.end_s) if found.found else (None, None)) == expected


@pytest.mark.parametrize("reply", ["", "1.2s to 10.8s", "1.2 - 3", "early on", "第三秒", "1 to 99999999999999"])
def test_replies_that_are_none(reply: str) -> None:
    assert parse(reply) is None


_seconds = st.floats(0, 100, allow_nan=False)


@given(_seconds, _seconds, _seconds, _seconds)
def test_iou_keeps_its_bounds(a: float, b: float, c: float, d: float) -> None:
    placed, span = Placed(start_s=min(a, b), end_s=max(a, b), found=True), (min(c, d), max(c, d))
    assert 0 <= iou(placed, span) <= 1
    assert iou(placed, span) == pytest.approx(
        iou(Placed(start_s=span[0], end_s=span[1], found=True), (min(a, b), max(a, b)))
    )
    assert iou(placed, (min(a, b), max(a, b))) in (0, 1)


@given(st.text(max_size=100))
def test_no_reply_breaks_it(reply: str) -> None:
    found = parse(reply)
    assert found is None or found.start_s <= found.end_s
