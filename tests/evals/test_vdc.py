"""VDC: the four scripts' numbers of the same replies, by hand; kill and resume; replies that are none."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from evals.bench import Bench, scores, write_lines
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.evals.base import Judged
from omnidetective.evals.vdc import Answers, Compared, Quiz, Vdc, parse

_REPLIES: dict[str, str] = {
    "a1": '{"pred": "yes", "score": 5}', "a2": "{'pred': 'no', 'score': 2,}",
    "b1": '{"pred": "no", "score": 1}', "b2": '{"pred": "no", "score": 0}',
    "c1": '{"pred": "yes", "score": 4}', "c2": "I cannot compare these.",
}  # fmt: skip


def _bench(folder: Path, *options: str, captioned: str = "abc") -> Bench:
    data = folder / "vdc"
    data.mkdir()
    for aspect in ("camera", "short"):
        rows = [
            {video: [{"question": f"{aspect} {video}{n}?", "answer": "truth", "category": ""} for n in (1, 2)]}
            for video in "abc"
        ]
        write_lines(data / f"{aspect}.jsonl", [{"a": [{"question": "overwritten", "answer": "x"}]}, *rows])
    captions = [{"video_id": video, "caption": f"caption of {video}"} for video in captioned]
    return Bench(folder, "vdc", data=data, captions=write_lines(folder / "captions.jsonl", captions), options=options)


def _reply(system: str, user: str) -> str:
    asked = re.search(r"(camera|short) ([abc][12])\?", user)
    assert asked, user
    if "right_answer" not in user:
        assert f"caption of {asked[2][0]}" in user
        return f"answer {asked[2]}"
    assert f"answer {asked[2]}" in user
    assert "caption" not in user
    return '{"pred": "yes", "score": 3}' if asked[1] == "short" else _REPLIES[asked[2]]


async def test_the_same_replies_by_script(tmp_path: Path) -> None:
    """By hand. camera: a (yes 5, no 2), b (no 1, no 0), c (yes 4, not judged); short: all yes 3."""
    ran = await _bench(tmp_path).run(_reply)
    assert ran.status == 0, ran.stderr
    # asid: acc (.5, 0, .5), score (3.5, .5, 2): means 1/3 and 2
    assert scores(ran, "camera") == pytest.approx({"Acc": 100 / 3, "Score": 2.0})
    assert scores(ran, "short") == pytest.approx({"Acc": 100, "Score": 3})
    assert scores(ran, "mean of the aspects") == pytest.approx({"Acc": (100 / 3 + 100) / 2, "Score": 2.5})
    by_script = {name: scores(ran, name, table=1) for name in Vdc.variants}
    expected = {
        "asid": ((100 / 3 + 100) / 2, 2.5),
        "aurora": ((50 + 100) / 2, (2.75 + 3) / 2),  # b is dropped
        "aurora-serial": ((50 + 100) / 2, (3.5 + 3) / 2),  # c too
        "vlmevalkit": ((100 * 2 / 5 + 100) / 2, (12 / 5 + 3) / 2),
    }
    assert {name: tuple(s.values()) for name, s in by_script.items()} == {
        name: pytest.approx(pair) for name, pair in expected.items()
    }
    assert "1 questions were not judged" in ran.stdout
    assert ran.calls == 2 * 12 + 2  # the reply without form is asked for three times


async def test_a_video_without_a_caption_is_left_out_and_counted(tmp_path: Path) -> None:
    """By hand. camera: a (yes 5, no 2), b (no 1, no 0); short: both yes 3; c has no caption."""
    ran = await _bench(tmp_path, captioned="ab").run(_reply)
    assert scores(ran) == pytest.approx({"Acc": (25 + 100) / 2, "Score": (2 + 3) / 2})
    counted = {"Acc": (50 / 3 + 200 / 3) / 2, "Score": (4 / 3 + 2) / 2}
    assert scores(ran, "asid, without a caption as no", table=1) == pytest.approx(counted)
    assert [(one["item"], one["reason"]) for one in ran.result["unjudged"]] == [("c", "missing_caption")] * 2


async def test_a_variant_is_chosen_and_told(tmp_path: Path) -> None:
    ran = await _bench(tmp_path, "--variant", "vlmevalkit").run(_reply)
    assert scores(ran, "camera") == pytest.approx({"Acc": 40, "Score": 2.4})
    assert ran.result["variant"] == "vlmevalkit"
    assert "Counted as vlmevalkit" in ran.stdout


@pytest.mark.integration
async def test_a_killed_run_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    bench = _bench(tmp_path, "--concurrency", "2")
    assert (await bench.run(_reply, kill_after=12)).status == -9
    resumed = await bench.run(_reply)
    assert resumed.calls <= 26 - 12 + 6
    assert scores(resumed, "camera") == pytest.approx({"Acc": 100 / 3, "Score": 2.0})
    # what has no form is kept too: it is not asked for again
    assert (await bench.run(_reply)).calls == 0


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ('{"pred": "yes", "score": 4}', (True, 4)),
        ("```python\n{'pred': 'No', 'score': '0'}\n```", (False, 0)),
        ('{"pred": "yes", "score": 6}', None),
        ('{"pred": "maybe", "score": 3}', None),
        ('{"pred": true, "score": 3}', None),
        ('{"pred": "yes"}', None),
        ("yes, 4", None),
        ("是的", None),
    ],
)
def test_replies(reply: str, expected: tuple[bool, int] | None) -> None:
    assert parse(reply) == expected


_results = st.lists(
    st.lists(st.none() | st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=4), min_size=1, max_size=5
)


@given(_results, st.sampled_from(sorted(Vdc.variants)))
def test_bounds_and_order(videos: list[list[tuple[bool, int] | None]], variant: str) -> None:
    judged = [_judged(n, results) for n, results in enumerate(videos)]
    ours = _first(judged, variant)
    assert ours["Acc"] is None or 0 <= ours["Acc"] <= 100
    assert ours["Score"] is None or 0 <= ours["Score"] <= 5
    backwards = _first(judged[::-1], variant)
    assert {k: v for k, v in backwards.items() if v is not None} == pytest.approx(
        {k: v for k, v in ours.items() if v is not None}
    )


def _judged(n: int, results: list[tuple[bool, int] | None]) -> Judged[Quiz, Answers]:
    found = tuple(None if r is None else Compared(answer="x", yes=r[0], score=r[1]) for r in results)
    return Judged(Quiz("camera", str(n), (("?", "!"),) * len(results)), "caption", Answers(results=found))


def _first(judged: list[Judged[Quiz, Answers]], variant: str) -> dict[str, Any]:
    return {name: one.value for name, one in Vdc(variant).tables(judged)[0].rows[0].scores.items()}


def test_a_file_of_another_form_is_told(tmp_path: Path) -> None:
    (tmp_path / "camera.jsonl").write_text(json.dumps({"a": "no list"}) + "\n")
    from omnidetective.errors import ConfigError

    with pytest.raises(ConfigError, match="line 1 has no list of questions"):
        Vdc().read(tmp_path)
