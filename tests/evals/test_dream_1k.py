"""DREAM-1K by AutoDQ: by hand, means of subsets, kill and resume."""

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
from omnidetective.evals.dream_1k import Clip, Compared, Dream1k, parse_events, parse_relations


def _row(n: int, subset: str, events: list[str]) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "user", "content": [{"type": "video", "video": {"video_file": f"{subset}/{n}.mp4"}}]},
            {"role": "assistant", "content": [{"type": "text", "reference": f"Reference {n}.", "text": ""}]},
        ],
        "dataset": f"DREAM/{subset}", "task": "video/caption", "idx": n, "vid": n,
        "extra_info": {"duration": 9, "events": events, "n_events": len(events), "n_subjects": n, "n_shots": 1},
    }  # fmt: skip


_ROWS = [
    _row(1, "youtube", ["a runs", "b falls"]),
    _row(2, "youtube", ["c sings"]),
    _row(3, "videvo", ["d jumps", "e sits", "f lies", "g stands"]),
    _row(4, "videvo", ["h"]),
]
_EVENTS = {1: ["p", "q", "r", "s"], 2: [], 3: ["t", "u"]}
_E, _N, _C = "entailment", "neutral", "contradiction"
_RECALL = {1: [_E, _C], 2: [_E], 3: [_E, _N, _N, _N]}
_PRECISION = {1: [_E, _E, _N, _C], 3: [_E, _C]}


def _bench(folder: Path, *options: str, without: int = 0) -> Bench:
    captions = [
        {"video": f"{row['dataset'][6:]}/{row['idx']}.mp4", "caption": f"Caption {row['idx']}."}
        for row in _ROWS
        if row["idx"] != without
    ]
    data = write_lines(folder / "DREAM-1k.jsonl", _ROWS)
    return Bench(folder, "dream-1k", data=data, captions=write_lines(folder / "c.jsonl", captions), options=options)


def _relations(words: list[str]) -> str:
    return json.dumps({"events": [{"event": "x", "relationship": word, "reason": "y"} for word in words]})


def _reply(system: str, user: str) -> str:
    asked = re.search(r"(caption|reference) (\d)\.", user)
    assert asked, user
    n = int(asked[2])
    if n == 4:
        return "sorry"
    if '"text"' in user:
        return json.dumps({"events": _EVENTS[n]})
    return _relations(_RECALL[n] if asked[1] == "caption" else _PRECISION[n])


async def test_by_hand(tmp_path: Path) -> None:
    """youtube: R (.5, 1), P (.5, 1 without events); videvo: R .25, P .5, and one that could not be judged."""
    ran = await _bench(tmp_path).run(_reply)
    assert ran.status == 0, ran.stderr
    assert scores(ran, "youtube") == pytest.approx({"Recall": 75, "Precision": 75, "F1": 75})
    assert scores(ran, "videvo") == pytest.approx({"Recall": 25, "Precision": 50, "F1": 100 / 3})
    f1 = 2 * 50 * 62.5 / 112.5  # of the means of the subsets, not the mean of their F1
    assert scores(ran, "overall") == pytest.approx({"Recall": 50, "Precision": 62.5, "F1": f1})
    assert scores(ran, "with those not judged as 0") == pytest.approx(
        {"Recall": 43.75, "Precision": 50, "F1": 2 * 43.75 * 50 / 93.75}
    )
    assert scores(ran, "≤3", table=3)["Recall"] == pytest.approx(75)
    assert [one["reason"] for one in ran.result["unjudged"]] == ["unparsable"]
    assert ran.calls == 3 + 2 + 3 + 5


def test_groups_by_number_are_in_the_order_of_the_numbers() -> None:
    verdict = Compared(recall=(), precision=(), events=())
    buckets = [(("subjects", s), ("events", e)) for s, e in (("≥4", "≥8"), ("2", "6–7"), ("≤1", "4–5"), ("3", "≤3"))]
    judged = [Judged(Clip((str(n),), "s", "r", (), one), "c", verdict) for n, one in enumerate(buckets)]
    _, subjects, events = Dream1k().tables(judged)
    assert [row.name for row in subjects.rows] == ["≤1", "2", "3", "≥4"]
    assert [row.name for row in events.rows] == ["≤3", "4–5", "6–7", "≥8"]


async def test_a_clip_without_a_caption_is_left_out_and_counted(tmp_path: Path) -> None:
    """youtube: R (.5), P (.5), and one without a caption; videvo as above."""
    ran = await _bench(tmp_path, without=2).run(_reply)
    assert scores(ran, "overall") == pytest.approx({"Recall": 37.5, "Precision": 50, "F1": 2 * 37.5 * 50 / 87.5})
    # every one counted: youtube R (.5, 0), P (.5, 0); videvo R (.25, 0), P (.5, 0)
    assert scores(ran, "and those without a caption") == pytest.approx(
        {"Recall": 18.75, "Precision": 25, "F1": 2 * 18.75 * 25 / 43.75}
    )
    assert [one["reason"] for one in ran.result["unjudged"]] == ["missing_caption", "unparsable"]


@pytest.mark.integration
async def test_a_killed_run_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    bench = _bench(tmp_path, "--concurrency", "1")
    assert (await bench.run(_reply, kill_after=7)).status == -9
    assert (await bench.run(_reply)).calls <= 13 - 7 + 3
    assert (await bench.run(_reply)).calls == 0


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ('{"events": ["a", "b"]}', ("a", "b")),
        ("Here:\n```json\n{'events': ['it\\'s', 'b'],}\n```", ("it's", "b")),
        ('{"events": []}', ()),
        (json.dumps({"events": [str(n) for n in range(30)]}), tuple(map(str, range(10)))),
        ('{"events": "a"}', None),
        ('{"events": [1]}', None),
        ("- a\n- b", None),
    ],
)
def test_events(reply: str, expected: tuple[str, ...] | None) -> None:
    assert parse_events(reply) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (_relations([_E, _N]), (_E, _N)),
        (_relations([" Entailment", _C]), (_E, _C)),
        (_relations([_E]), None),
        (_relations([_E, _N, _C]), None),
        (_relations([_E, "maybe"]), None),
        ('{"events": ["entailment", "neutral"]}', None),
        ("", None),
    ],
)
def test_relations(reply: str, expected: tuple[str, ...] | None) -> None:
    assert parse_relations(reply, 2) == expected


_words = st.lists(st.sampled_from([_E, _N, _C]), max_size=4).map(tuple)


@given(st.lists(st.tuples(st.sampled_from("ab"), _words, _words), min_size=1, max_size=6))
def test_bounds_order_and_monotonicity(clips: list[tuple[str, tuple[Any, ...], tuple[Any, ...]]]) -> None:
    def overall(some: list[tuple[str, tuple[Any, ...], tuple[Any, ...]]]) -> dict[str, float]:
        judged = [
            Judged(Clip(("x",), subset, "r", ("e",), ()), "c", Compared(recall=r, precision=p, events=()))
            for subset, r, p in some
        ]
        rows = Dream1k().tables(judged)[0].rows
        return {name: one.value or 0.0 for name, one in rows[0].scores.items()}

    ours = overall(clips)
    assert all(0 <= value <= 100 + 1e-9 for value in ours.values())
    assert overall(clips[::-1]) == pytest.approx(ours)
    better = overall([(subset, tuple(_E for _ in r), p) for subset, r, p in clips])
    assert better["Recall"] == pytest.approx(100)
    assert better["F1"] >= ours["F1"] - 1e-9


@given(st.text(max_size=150))
def test_no_reply_breaks_it(reply: str) -> None:
    parse_events(reply)
    assert parse_relations(reply, 1) is None or len(parse_relations(reply, 1) or ()) == 1
