"""UGC-VideoCap: the golden vector, the table against an independent calculation, a run that is killed and resumed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from evals.bench import Bench, scores, write_lines

from omnidetective.evals.ugc_videocap import parse

_IDS = ("PI-a", "PI-b", "PI-c", "PI-d")


def _bench(folder: Path, *, ids: tuple[str, ...] = _IDS, captions: tuple[str, ...] = _IDS) -> Bench:
    data = folder / "final_caption_qa.json"
    samples = [{"video_id": one, "path": f"{one}.mp4", "answer": f"reference of {one}"} for one in ids]
    data.write_text(json.dumps({"question": "?", "valid_count": len(ids), "samples": samples}))
    rows = [{"video_id": one, "caption": f"caption of {one}"} for one in captions]
    return Bench(folder, "ugc-videocap", data=data, captions=write_lines(folder / "captions.jsonl", rows))


def _says(visual: object, audio: object, details: object) -> str:
    return json.dumps({"visual": visual, "audio": audio, "details": details})


async def test_the_golden_vector(tmp_path: Path) -> None:
    """(4,3,5) and (2,2,2) are 60, 50, 70 and 60 percent."""
    judged = {"PI-a": _says(4, 3, 5), "PI-b": _says(2, 2, 2)}
    bench = _bench(tmp_path, ids=("PI-a", "PI-b"), captions=("PI-a", "PI-b"))
    ran = await bench.run(lambda _, user: next(said for one, said in judged.items() if f"caption of {one}" in user))
    assert ran.status == 0, ran.stderr
    assert scores(ran) == pytest.approx({"visual": 60.0, "audio": 50.0, "details": 70.0, "average": 60.0})
    assert re.search(r"overall +2 +60\.00 +50\.00 +70\.00 +60\.00\n", ran.stdout)
    assert ran.calls == 2


async def test_what_cannot_be_judged_is_counted_both_ways(tmp_path: Path) -> None:
    """The reference scores it 0, and so does the first row; it is told by name, and the second row leaves it out."""
    bench = _bench(tmp_path, captions=_IDS[:3])

    def reply(_: str, user: str) -> str:
        if "caption of PI-a" in user:
            return _says(5, 5, 5)
        return (
            "I would rather not."
            if "caption of PI-b" in user
            else "```json\n{'visual': 3, 'audio': 1, 'details': 2,}\n```"
        )

    ran = await bench.run(reply)
    # by hand: judged (5,5,5), (3,1,2); with the zeros of one more item
    assert scores(ran, "clips with a verdict alone") == pytest.approx(
        {"visual": 80, "audio": 60, "details": 70, "average": 70}
    )
    whole = {"visual": 8 / 15, "audio": 6 / 15, "details": 7 / 15, "average": 21 / 45}
    assert scores(ran, "overall") == pytest.approx({k: 100 * v for k, v in whole.items()})
    every = {"visual": 8 / 20, "audio": 6 / 20, "details": 7 / 20, "average": 21 / 60}
    assert scores(ran, "with clips without a caption as 0") == pytest.approx({k: 100 * v for k, v in every.items()})
    assert ran.calls == 2 + 20
    assert [(one["item"], one["reason"]) for one in ran.result["unjudged"]] == [
        ("PI-b", "unparsable"),
        ("PI-d", "missing_caption"),
    ]
    assert "missing caption: 1 (PI-d)" in ran.stdout


@pytest.mark.integration
async def test_a_killed_run_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    ids = tuple(f"PI-{n:02}" for n in range(24))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()

    def reply(_: str, user: str) -> str:
        n = next(n for n, one in enumerate(ids) if f"caption of {one}" in user)
        return _says(1 + n % 5, 1 + (n + 1) % 5, 1 + (n + 3) % 5)

    once = await _bench(whole, ids=ids, captions=ids).run(reply)
    bench = _bench(killed, ids=ids, captions=ids)
    bench._arguments += ["--concurrency", "2"]
    first = await bench.run(reply, kill_after=12)
    second = await bench.run(reply)
    assert first.status == -9
    assert first.calls >= 12
    assert second.result["tables"] == once.result["tables"]
    # what was in flight at the kill may be asked again: two at once, and what was answered and not yet kept
    assert second.calls <= len(ids) - 12 + 6
    third = await bench.run(reply)
    assert third.calls == 0
    assert third.result["tables"] == once.result["tables"]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ('{"visual": 4, "audio": 3, "details": 5}', (4, 3, 5)),
        ("{'visual': 4, 'audio': 3, 'details': 5}", (4, 3, 5)),
        ('Here you are:\n```json\n{"visual": "4", "audio": 3.0, "details": 5,}\n```\nHope it helps!', (4, 3, 5)),
        ('{"visual": 4, "audio": 3}', None),
        ('{"visual": 0, "audio": 3, "details": 5}', None),
        ('{"visual": 4.5, "audio": 3, "details": 5}', None),
        ('{"visual": true, "audio": 3, "details": 5}', None),
        ("visual 4, audio 3, details 5", None),
        ("", None),
    ],
)
def test_replies(reply: str, expected: tuple[int, int, int] | None) -> None:
    found = parse(reply)
    assert (None if found is None else (found.visual, found.audio, found.details)) == expected
