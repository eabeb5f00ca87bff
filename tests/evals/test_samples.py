"""`omnidetective eval samples`: facts and inventions counted by hand, on the sample clips, from any kind of caption."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from data.test_sample_scores import FILM, FILM_CAPTION, FILM_CUTS, FILM_LINES, FILM_SOUND, FILM_TEXT, TRUTH, record
from hypothesis import given, settings
from hypothesis import strategies as st

from omnidetective.evals.sample_facts import Share
from omnidetective.evals.sample_text import score_text
from omnidetective.evals.sample_truth import ClipTruth, Truth

DATA = Path(__file__).parents[2] / "data"
CLIPS = {clip.id: clip for clip in Truth.load(DATA / "truth.json").clips}

RIGHT = {
    "reading": "At 0s, the title “Sense and Sensibility” is shown. At 4s, the scene cuts to a forest. A man's voice "
    "says in English: “And Mr. John Dashwood had then leisure to consider.”",
    "on-hold": "A woman says: “Thank you for your patience.” Then there is silence, and music plays.",
    "studio": "This 12-second video has no sound. The video consists of four shots.",
    "messagerie": "Two dogs. In French, a voice says: « Tous nos préposés sont présentement occupés ».",
    "mountains": "Music plays over mountains. Then the scene cuts to dandelions.",
}


def share(told: int, known: int) -> Share:
    return Share(told=told, known=known)


@pytest.mark.parametrize(
    ("clip", "expected"),
    [
        # 9 of the 44 words; 1 of 5 lines; 1 of 4 cuts; speech, not silence; English
        ("reading", {"words": share(9, 44), "text": share(1, 5), "cuts": share(1, 4), "sounds": share(1, 2),
                     "languages": share(1, 1)}),
        ("on-hold", {"words": share(5, 28), "sounds": share(3, 3), "languages": share(1, 1)}),
        ("studio", {"text": share(0, 3), "cuts": share(0, 3), "sounds": share(1, 1)}),
        ("messagerie", {"words": share(6, 43), "text": share(0, 3), "sounds": share(1, 1), "languages": share(1, 1)}),
        ("mountains", {"cuts": share(1, 1), "sounds": share(1, 1)}),
    ],
)  # fmt: skip
def test_what_a_true_caption_tells(clip: str, expected: dict[str, Share]) -> None:
    score = score_text(CLIPS[clip], RIGHT[clip])
    assert score.told == expected
    assert score.unsupported == ()


@pytest.mark.parametrize(
    ("clip", "statement", "check"),
    [
        ("reading", "A narrator says: “I love pancakes with maple syrup.”", "quote"),
        ("reading", "A sign reads “Welcome to Paris”.", "screen_text"),
        ("on-hold", "The text “Please hold the line” is shown on the screen.", "screen_text"),
        ("reading", "Upbeat music plays.", "sound"),
        ("mountains", "A voice explains the view.", "sound"),
        ("studio", "Soft music plays in the background.", "sound"),
        ("messagerie", "At 12s, the scene cuts to a cat.", "cuts"),
        ("studio", "The video consists of two shots.", "cuts"),
        ("reading", "At 40s, the film ends.", "time"),
        ("poster", "At 3s, a man appears.", "time"),
        ("studio", "This 30-second video shows a drum.", "time"),
    ],
)
def test_each_kind_of_invention_is_counted_once(clip: str, statement: str, check: str) -> None:
    score = score_text(CLIPS[clip], f"{RIGHT.get(clip, '')} {statement}".strip())
    assert [one.check for one in score.unsupported] == [check]
    assert score.unsupported[0].snippet in statement


@pytest.mark.parametrize(
    "statement",
    [
        "A man in a red coat walks past.",
        "**Bold** [0:01-0:03] a range.",
        "Perhaps music is heard.",
        "Something is said.",
    ],
)
def test_what_no_truth_knows_and_mere_form_count_for_nothing(statement: str) -> None:
    assert score_text(CLIPS["studio"], statement).unsupported == ()


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(list(CLIPS.values())), st.text(max_size=300) | st.sampled_from(list(RIGHT.values())))
def test_bounds(clip: ClipTruth, caption: str) -> None:
    score = score_text(clip, caption)
    assert all(0 <= one.told <= one.known for one in score.told.values())
    assert all(one.snippet in caption for one in score.unsupported)
    assert score == score_text(clip, caption)
    more = score_text(clip, f"{caption}\n\nIt ends.")
    assert more.told["text"].told >= score.told["text"].told if "text" in score.told else True


# -- the command -------------------------------------------------------------------------------------------------------


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "omnidetective", "eval", "samples", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env=environment)


def _scores(result: dict[str, Any], table: int, row: str = "all") -> dict[str, float]:
    found = next(one for one in result["tables"][table]["rows"] if one["name"] == row)
    return {name: one["value"] for name, one in found["scores"].items()}


def test_captions_of_any_model(tmp_path: Path) -> None:
    captions = {"reading.mp4": RIGHT["reading"], "studio": "A voice explains it. Music plays.", "other": "x"}
    (tmp_path / "captions.json").write_text(json.dumps(captions))
    options = ("--captions", "captions.json", "--data", str(DATA), "--output", "result.json")
    done = _run(tmp_path, *options)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    text = (tmp_path / "result.json").read_text()
    result = json.loads(text)
    assert (result["judge"], result["items"], result["judged"], result["unused_captions"]) == ("nobody", 6, 2, 1)
    # words 9 of 44 + 28 + 43; text 1 of 5 + 3 + 4 + 3; cuts 1 of 4 + 3 + 1;
    # sounds 1 of 2 + 3 + 1 + 1 + 1; languages 1 of 3
    told = {"words": 900 / 115, "text": 100 / 15, "cuts": 100 / 8, "sounds": 100 / 8, "languages": 100 / 3}
    assert _scores(result, 0) == pytest.approx({**told, "recall": sum(told.values()) / 5})
    assert _scores(result, 1, "studio") == {
        "speech": 0, "screen text": 0, "sounds": 2, "cuts": 0, "times": 0, "together": 2,
    }  # fmt: skip
    assert "missing caption: 4 (on-hold, poster, messagerie, mountains)" in done.stdout
    assert "1 caption of captions.json belongs to no item" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    items = {one["item"]: one for one in map(json.loads, (tmp_path / "result.items.jsonl").read_text().splitlines())}
    assert [one["snippet"] for one in items["studio"]["verdict"]["text"]["unsupported"]] == [
        "A voice explains",
        "Music plays",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["captions.json", "result.items.jsonl", "result.json"]
    _run(tmp_path, *options)
    again = json.loads((tmp_path / "result.json").read_text())
    assert again["tables"] == result["tables"]


def test_records_are_looked_into(tmp_path: Path) -> None:
    """The film of the record's own tests: what its instruments found stands beside what its caption tells."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "truth.json").write_text(TRUTH.to_text())
    told = record("film", caption=FILM_CAPTION, lines=FILM_LINES, text=FILM_TEXT, cuts=FILM_CUTS, sound=FILM_SOUND)
    (tmp_path / "out.jsonl").write_text(told.to_line() + "\n")
    done = _run(tmp_path, "--captions", "out.jsonl", "--output", "result.json")  # ./data is taken
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert FILM.cuts == (4.0, 15.0)
    assert _scores(result, 0, "film")["text"] == 100
    # 4.5 of 5 s of silence; both cards, both cuts, both sounds
    expected = {"cards": 100, "cuts": 100, "sounds": 100, "silence": 90, "languages": 100, "word errors": 0}
    assert _scores(result, 2, "film") == pytest.approx(expected)
    assert set(_scores(result, 3).values()) == {0}


@pytest.mark.parametrize(
    ("truth", "row", "match"),
    [
        ("{", {"id": "film", "caption": "a"}, "truth.json does not say what is in clips"),
        ('{"clips": [{"id": "film"}]}', {"id": "film", "caption": "a"}, "clips.0.file"),
        (TRUTH.to_text(), {"id": "film", "caption": "a", "schema_version": 1}, "row 1 calls itself a record"),
        (TRUTH.to_text(), {"id": "elsewhere", "caption": "a"}, "no caption belongs to any"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, truth: str, row: dict[str, Any], match: str) -> None:
    (tmp_path / "truth.json").write_text(truth)
    (tmp_path / "out.jsonl").write_text(json.dumps(row) + "\n")
    done = _run(tmp_path, "--captions", "out.jsonl", "--output", "result.json", "--data", "truth.json")
    assert done.returncode == 2, done.stderr
    assert match in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_folder_of_data_it_has_to_be_named(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_text('{"id": "film", "caption": "a"}\n')
    done = _run(tmp_path, "--captions", "out.jsonl", "--output", "result.json")
    assert done.returncode == 2
    assert "--data" in done.stderr
