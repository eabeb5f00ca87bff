"""MMAU and MMAR: the official matcher, the cascade, files that hold answers already."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from evals.bench import Bench, scores, write_lines
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.errors import ConfigError
from omnidetective.evals.audio_qa import AudioQa, Mmar, Mmau, matches

_CHOICES = ["a barking dog", "a dog and a cat", "rain", "no animal"]


def _row(n: int, answer: str, task: str) -> dict[str, Any]:
    return {
        "id": f"id{n}", "audio_id": f"./test-mini-audios/id{n}.wav", "question": f"q{n}?", "choices": _CHOICES,
        "answer": answer, "task": task, "difficulty": "easy", "sub-category": "Animals",
    }  # fmt: skip


_ROWS = [
    _row(1, "rain", "sound"),
    _row(2, "a barking dog", "sound"),
    _row(3, "no animal", "speech"),
    _row(4, "rain", "music"),
]


@pytest.mark.parametrize(
    ("said", "answer", "right"),
    [
        ("rain", "rain", True),
        ("It is RAIN.", "rain", True),
        ("a barking dog", "a barking dog", True),
        ("a dog that is barking", "a barking dog", True),
        ("a barking dog and a cat", "a barking dog", False),  # "and" and "cat" are of another choice alone
        ("a dog", "a barking dog", False),
        ("", "rain", False),
        ("brain", "rain", False),
    ],
)
def test_the_official_matcher(said: str, answer: str, right: bool) -> None:
    assert matches(said, answer, _CHOICES) is right


@given(st.sampled_from(_CHOICES), st.text(max_size=30))
def test_the_right_choice_itself_matches_and_nothing_breaks(answer: str, said: str) -> None:
    assert matches(answer, answer, _CHOICES)
    matches(said, answer, _CHOICES)


async def test_a_cascade_over_http(tmp_path: Path) -> None:
    data = tmp_path / "mmau-test-mini.json"
    data.write_text(json.dumps(_ROWS))
    captions = write_lines(
        tmp_path / "c.jsonl", [{"audio_id": f"id{n}.wav", "caption": f"caption {n}"} for n in (1, 2, 3)]
    )
    bench = Bench(tmp_path, "mmau", data=data, captions=captions, options=("--concurrency", "1"))
    replies = {1: "rain", 2: "a dog and a cat", 3: "no animal"}

    def reply(_: str, user: str) -> str:
        asked = re.search(r"q(\d)\?", user)
        assert asked
        assert f"caption {asked[1]}" in user
        return replies[int(asked[1])]

    assert (await bench.run(reply, kill_after=2)).status == -9
    ran = await bench.run(reply)
    assert ran.calls <= 3
    assert scores(ran, "overall")["accuracy"] == pytest.approx(200 / 3)
    assert scores(ran, "questions without an answer as wrong")["accuracy"] == pytest.approx(50)
    assert scores(ran, "sound", table=1)["accuracy"] == 50
    assert (await bench.run(reply)).calls == 0


async def test_answers_that_are_there_need_no_judge(tmp_path: Path) -> None:
    """The official form: benchmark rows with the answers in them; rows without one are told, and counted both ways."""
    rows = [
        {"id": f"id{n}", "audio_path": f"a/id{n}.wav", "question": "?", "choices": _CHOICES, "answer": "rain",
         "modality": "sound", "category": "Signal Layer", "sub-category": "x"}
        for n in (1, 2, 3)
    ]  # fmt: skip
    answered = [{**rows[0], "answer_prediction": "rain"}, {**rows[1], "answer_prediction": "no animal"}]
    data = write_lines(tmp_path / "MMAR-meta.jsonl", rows)
    ran = await Bench(tmp_path, "mmar", data=data, captions=write_lines(tmp_path / "c.jsonl", answered)).run(
        lambda *_: "never asked"
    )
    assert ran.status == 0, ran.stderr
    assert ran.calls == 0
    assert ran.result["judge"] == "nobody"
    assert scores(ran, "overall")["accuracy"] == pytest.approx(50)
    assert scores(ran, "questions without an answer as wrong")["accuracy"] == pytest.approx(100 / 3)
    assert scores(ran, "Signal Layer", table=2)["accuracy"] == 50


@pytest.mark.integration
async def test_a_killed_cascade_of_mmar_goes_on(tmp_path: Path) -> None:
    rows = [
        {"id": f"id{n}", "audio_path": f"a/id{n}.wav", "question": f"q{n}?", "choices": _CHOICES, "answer": "rain",
         "modality": "sound", "category": "Signal Layer", "sub-category": "x"}
        for n in range(6)
    ]  # fmt: skip
    data = write_lines(tmp_path / "MMAR-meta.jsonl", rows)
    captions = write_lines(tmp_path / "c.jsonl", [{"id": f"id{n}", "caption": f"caption {n}"} for n in range(6)])
    bench = Bench(tmp_path, "mmar", data=data, captions=captions, options=("--concurrency", "1"))

    def reply(_: str, user: str) -> str:
        return "rain" if any(f"q{n}?" in user for n in (0, 1, 2, 3)) else "no animal"

    assert (await bench.run(reply, kill_after=3)).status == -9
    resumed = await bench.run(reply)
    assert resumed.calls <= 6 - 3 + 2
    assert scores(resumed)["accuracy"] == pytest.approx(400 / 6)
    assert (await bench.run(reply)).calls == 0


@pytest.mark.parametrize("kind", [Mmau, Mmar])
def test_data_that_is_no_list_is_told(tmp_path: Path, kind: type[AudioQa]) -> None:
    data = tmp_path / "data.json"
    data.write_text("5")
    with pytest.raises(ConfigError, match="is no list of questions"):
        kind().read(data)
