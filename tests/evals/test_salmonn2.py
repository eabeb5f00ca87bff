"""The video-SALMONN-2 test set: golden vector, median of several runs, both ways of counting, kill and resume."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from evals.bench import Bench, scores
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.evals.salmonn2 import cleaned, parse, parse_counts


def _bench(folder: Path, events: list[int], *options: str, captions: int | None = None) -> Bench:
    data = folder / "video_salmonn2_test.json"
    data.write_text(
        json.dumps(
            [
                {
                    "video": f"video/{n}.mp4",
                    "conversations": [],
                    "events": [f"event {k} of video {n}" for k in range(count)],
                }
                for n, count in enumerate(events)
            ]
        )
    )
    rows = [{"id": [f"/data/video/{n}.mp4"], "prompt": "?", "pred": f"caption {n}"} for n in range(len(events))]
    predictions = folder / "captions.json"
    predictions.write_text(json.dumps(rows[:captions]))
    return Bench(folder, "video-salmonn-2", data=data, captions=predictions, options=options)


def _says(missed: int, incorrect: int, hallucination: int, **more: Any) -> str:
    return json.dumps({"Missed": missed, "Incorrect": incorrect, "Hallucination": hallucination, **more})


def _number(user: str) -> int:
    found = re.search(r'"caption": "caption (\d+)"', user)
    assert found
    return int(found[1])


async def test_the_golden_vector(tmp_path: Path) -> None:
    """10 and 30 events, (2,1,1) and (9,3,0): 27.5, 10, 2.5; Hall. 12.5, total 40."""
    replies = [_says(2, 1, 1, **{"Missed Event": ["a } brace", "b"]}), _says(9, 3, 0)]
    ran = await _bench(tmp_path, [10, 30], "--runs", "1").run(lambda _, user: replies[_number(user)])
    assert ran.status == 0, ran.stderr
    expected = {"Miss": 27.5, "Incorrect": 10, "Hallucination": 2.5, "Hall.": 12.5, "Total": 40}
    assert scores(ran) == pytest.approx(expected)
    assert ran.items[0]["verdict"]["named"] == {"Missed Event": ["a } brace", "b"]}


async def test_the_median_of_seven_runs(tmp_path: Path) -> None:
    """One video of 10 events; each run draws its own answer: the one with the fourth EER is told, all are kept."""
    draws = iter([5, 1, 4, 0, 9, 3, 2])
    ran = await _bench(tmp_path, [10], "--concurrency", "1").run(lambda *_: _says(next(draws), 0, 0))
    assert ran.calls == 7
    runs = [run[0]["rows"][0]["scores"]["Total"]["value"] for run in ran.result["runs"]]
    assert sorted(runs) == [0, 10, 20, 30, 40, 50, 90]
    assert scores(ran)["Total"] == 30
    assert runs[ran.result["chosen"]] == 30


async def test_a_run_that_fails_takes_over_no_counts_of_another(tmp_path: Path) -> None:
    """Two videos of 10 events, two runs: (1,0,0) and (3,0,0) at first; then (5,0,0), and nothing of the second."""
    asked: Counter[int] = Counter()

    def reply(_: str, user: str) -> str:
        n = _number(user)
        asked[n] += 1
        first = asked[n] == 1
        return (_says(1, 0, 0) if first else _says(5, 0, 0)) if n == 0 else _says(3, 0, 0) if first else "no"

    ran = await _bench(tmp_path, [10, 10], "--concurrency", "1", "--runs", "2").run(reply)
    first, second = (run[0]["rows"] for run in ran.result["runs"])
    assert [(row["name"], row["n"], row["scores"]["Total"]["value"]) for row in first] == [("judged", 2, 20)]
    assert [(row["name"], row["n"], row["scores"]["Total"]["value"]) for row in second] == [
        ("judged", 1, 50),
        ("with those not judged as missed", 2, 75),
    ]
    # of two the one with the lower score is told
    assert (ran.result["chosen"], scores(ran)["Total"]) == (0, 20)


async def test_what_cannot_be_judged(tmp_path: Path) -> None:
    """Nine tries of the long question, three of the short one; then it is told, and counted both ways."""
    asked: Counter[str] = Counter()

    def reply(system: str, user: str) -> str:
        n, short = _number(user), "Correct" in system
        asked[f"{n}{' short' if short else ''}"] += 1
        if n == 0:
            return _says(1, 1, 2)
        if n == 1:  # impossible counts; the short question helps
            return (
                json.dumps({"Missed": 2, "Correct": 7, "Incorrect": 1, "Hallucination": 0}) if short else _says(9, 3, 0)
            )
        return json.dumps({"Missed": 2, "Correct": 2, "Incorrect": 1, "Hallucination": 0}) if short else "no"

    ran = await _bench(tmp_path, [10, 10, 20, 40], "--runs", "1", captions=3).run(reply)
    assert asked == {"0": 1, "1": 9, "1 short": 1, "2": 9, "2 short": 3}
    # judged: (1,1,2) and (2,1,0) of 20; with all 20 events of the third missed: (23,2,2) of 40
    assert scores(ran, "judged") == pytest.approx(
        {"Miss": 15, "Incorrect": 10, "Hallucination": 10, "Hall.": 20, "Total": 35}
    )
    assert scores(ran, "with those not judged as missed")["Total"] == pytest.approx(67.5)
    # and all 40 of the one without a caption: (63,2,2) of 80
    assert scores(ran, "and those without a caption") == pytest.approx(
        {"Miss": 78.75, "Incorrect": 2.5, "Hallucination": 2.5, "Hall.": 5, "Total": 83.75}
    )
    assert [one["reason"] for one in ran.result["unjudged"]] == ["unparsable", "missing_caption"]


@pytest.mark.integration
async def test_a_killed_run_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    bench = _bench(tmp_path, [10] * 8, "--concurrency", "2", "--runs", "3")
    killed = await bench.run(lambda _, user: _says(_number(user), 1, 0), kill_after=12)
    resumed = await bench.run(lambda _, user: _says(_number(user), 1, 0))
    assert killed.status == -9
    assert resumed.calls <= 24 - 12 + 6
    assert (await bench.run(lambda *_: "never asked")).calls == 0
    assert scores(resumed)["Miss"] == pytest.approx(35)
    assert scores(resumed)["Total"] == pytest.approx(45)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ('{"Missed": 2, "Incorrect": 1, "Hallucination": 30}', (2, 1, 30)),
        ("```json\n{'Missed': '2', 'Incorrect': 1, 'Hallucination': 0, 'Missed Event': ['it\\'s }'],}\n```", (2, 1, 0)),
        ('{"Missed": 8, "Incorrect": 3, "Hallucination": 0}', None),
        ('{"Missed": -1, "Incorrect": 3, "Hallucination": 0}', None),
        ('{"Missed": 2.5, "Incorrect": 3, "Hallucination": 0}', None),
        ('{"Missed": 2, "Incorrect": 3}', None),
        ("Missed: 2", None),
    ],
)
def test_replies(reply: str, expected: tuple[int, int, int] | None) -> None:
    found = parse(reply, 10)
    assert (None if found is None else (found.missed, found.incorrect, found.hallucination)) == expected


@given(st.text(max_size=200), st.integers(1, 9))
def test_no_reply_breaks_it(reply: str, count: int) -> None:
    for found in (parse(reply, count), parse_counts(reply, count)):
        assert found is None or found.missed + found.incorrect <= count


def test_loops_are_cut_as_the_scripts_do() -> None:
    sentence = "a sentence of more than fifty characters in all, so long. "
    assert cleaned("no " * 5 + "more") == "no more"
    assert cleaned("no " * 4 + "more") == "no no no no more"
    assert cleaned(sentence * 4) == sentence
    assert cleaned("1000000") == "10"
    assert cleaned("no no no no no no<|im_end|>") == "no no no no no no"
