"""The co-growth curve: groups and slopes by hand, laws, the inquiries of real records, and the picture."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import pytest
import yaml
from evals.bench import Bench, write_lines
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from servers.faulty_openai import Behaviour, FaultyOpenAI, Seen, says, tool_call

from omnidetective.config import load_config
from omnidetective.evals.base import Judged
from omnidetective.evals.dream_1k import Clip, Compared, Dream1k
from omnidetective.evals.growth import Growth, growth
from omnidetective.evals.growth_plot import draw
from omnidetective.evals.omni_cloze import Blank, Filled, OmniCloze, Passage
from omnidetective.evals.predictions import read_predictions
from omnidetective.evals.salmonn2 import Compared as Counted
from omnidetective.evals.salmonn2 import Salmonn2, Video
from omnidetective.pipeline import Pipeline
from omnidetective.records import CaptionRecord
from omnidetective.token_counts import WORDS

_CAPTIONS = {"long": " ".join(["word"] * 300), "middle": " ".join(["word"] * 200), "short": " ".join(["word"] * 100)}
#             right  not given  wrong   of four blanks, gold AAAA
_TAKEN = {"short": "AEEE", "middle": "AAEE", "long": "AAAB"}


def _bench(folder: Path, *options: str, rows: list[dict[str, Any]] | None = None) -> Bench:
    blanks = [{"A": "a", "B": "b", "E": "none", "answer_key": "A", "required_modality": "audio"}] * 4
    data = [{"video_path": f"{name}.mp4", "cloze": {"passage": name, "blanks": blanks}} for name in (*_TAKEN, "gone")]
    captions = rows or [{"id": name, "caption": caption} for name, caption in _CAPTIONS.items()]
    return Bench(
        folder,
        "omni-cloze",
        data=write_lines(folder / "omni_cloze.jsonl", data),
        captions=write_lines(folder / "captions.jsonl", captions),
        options=options,
    )


def _reply(_: str, user: str) -> str:
    taken = next(letters for name, letters in _TAKEN.items() if f'"passage": "{name}"' in user)
    return json.dumps({str(n): letter for n, letter in enumerate(taken, start=1)})


async def test_by_length_by_hand(tmp_path: Path) -> None:
    """A clip each of 100, 200, 300 tokens: detail 25, 50, 75 %, hallucination 0, 0, 25 %."""
    ran = await _bench(tmp_path, "--by", "length", "--plot", "curve.png").run(_reply)
    assert ran.status == 0, ran.stderr
    groups, slopes = ran.result["tables"][-2:]
    told = [(row["name"], row["n"], *(one["value"] for one in row["scores"].values())) for row in groups["rows"]]
    assert told == [("100 tokens", 1, 25, 0), ("200 tokens", 1, 50, 0), ("300 tokens", 1, 75, 25)]
    assert slopes["title"] == "for every 100 tokens more"
    # slope of (1, 25) (2, 50) (3, 75) is 25; of (1, 0) (2, 0) (3, 25) it is ((3-2)*25)/2 = 12.5
    slope = {name: one["value"] for name, one in slopes["rows"][0]["scores"].items()}
    assert slope == pytest.approx({"detail": 25, "hallucination": 12.5})
    assert "for every 100 tokens more" in ran.stdout
    _is_a_picture_with_both_curves(tmp_path / "curve.png")


async def test_by_inquiries(tmp_path: Path) -> None:
    def told(n: int) -> list[dict[str, Any]]:
        return [
            {"role": "tool", "tool_call_id": "c", "content": json.dumps({"observation": f"o{k}"})} for k in range(n)
        ]

    rows = [
        {"schema_version": 1, "id": "short", "caption": "a", "trajectory": told(1)},
        {"schema_version": 1, "id": "middle", "caption": "a", "trajectory": told(3)},
        {"schema_version": 1, "id": "long", "caption": "a"},
    ]
    ran = await _bench(tmp_path, "--by", "inquiries", rows=rows).run(_reply)
    assert ran.status == 0, ran.stderr
    groups, slopes = ran.result["tables"][-2:]
    assert [(row["name"], row["scores"]["detail"]["value"]) for row in groups["rows"]] == [
        ("1 inquiry", 25),
        ("3 inquiries", 50),
    ]
    assert "1 more do not tell how many inquiries they took" in groups["note"]
    assert slopes["rows"][0]["scores"]["detail"].get("value") is None, "two clips make no line"


async def test_what_cannot_be_had_costs_nothing(tmp_path: Path) -> None:
    ran = await _bench(tmp_path, "--by", "inquiries").run(_reply)
    assert (ran.status, ran.calls) == (2, 0)
    assert "no caption tells how many questions the detective put" in ran.stderr
    ran = await _bench(tmp_path, "--by", "length", "--plot", "curve.gif").run(_reply)
    assert (ran.status, ran.calls) == (2, 0)
    assert ".png or .svg" in ran.stderr
    ran = await _bench(tmp_path, "--plot", "curve.png").run(_reply)
    assert (ran.status, ran.calls) == (2, 0)
    assert "--by" in ran.stderr


async def test_without_matplotlib_it_says_what_to_install(tmp_path: Path) -> None:
    bench = _bench(tmp_path, "--by", "length", "--plot", "curve.svg")
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'matplotlib' else find(name, *more)\n"
    )
    # The command's process takes its path from ours; the one it finds first has no matplotlib.
    sys.path.insert(0, str(tmp_path))
    try:
        ran = await bench.run(_reply)
    finally:
        sys.path.remove(str(tmp_path))
    assert (ran.status, ran.calls) == (2, 0)
    assert "pip install 'omnidetective[plots]'" in ran.stderr


def test_benchmarks_without_both_rates_do_not_offer_it() -> None:
    def help_of(name: str) -> str:
        command = [sys.executable, "-m", "omnidetective", "eval", name, "--help"]
        return subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ}).stdout

    assert "--by" in help_of("dream-1k")
    assert "--by" not in help_of("worldsense")


def test_rates_of_the_other_benchmarks() -> None:
    video = Judged(Video("x", ("a", "b", "c", "d")), "c", Counted(missed=1, incorrect=1, hallucination=2))
    rates = Salmonn2().rates(video)
    assert (rates.detail, rates.detail_of, rates.invention, rates.invention_of) == (3, 4, 3, 4)
    compared = Compared(
        recall=("entailment", "neutral"), precision=("contradiction", "neutral", "entailment"), events=()
    )
    dream = Dream1k().rates(Judged(Clip(("x",), "", "", (), ()), "c", compared))
    assert (dream.detail, dream.detail_of, dream.invention, dream.invention_of) == (1, 2, 1, 3)


# -- laws --------------------------------------------------------------------------------------------------------------

_clips = st.lists(
    st.tuples(st.integers(1, 400), st.text("ABE", min_size=1, max_size=5), st.none() | st.integers(0, 12)), max_size=25
)


def _grown(clips: list[tuple[int, str, int | None]], by: Any = "length") -> Growth:
    judged = [
        Judged(
            Passage((str(n),), "", (Blank("A", "v"),) * len(taken), "", ""),
            "word " * tokens,
            Filled(letters=tuple(taken)),
            inquiries=inquiries,
        )
        for n, (tokens, taken, inquiries) in enumerate(clips)
    ]
    return growth(OmniCloze(), judged, by, tokens=WORDS)


@given(_clips, st.sampled_from(["length", "inquiries"]))
def test_groups_hold_every_clip_once_and_know_no_order(clips: list[tuple[int, str, int | None]], by: str) -> None:
    found = _grown(clips, by)
    assert sum(group.clips for group in found.groups) == found.clips == len(clips) - found.left_out
    ends = [end for group in found.groups for end in (group.low, group.high)]
    assert ends == sorted(ends)
    assert all(before.high < after.low for before, after in zip(found.groups, found.groups[1:], strict=False))
    for group in found.groups:
        assert group.detail.value is not None
        assert group.invention.value is not None
        assert 0 <= group.detail.value + group.invention.value <= 100 + 1e-9
    other = _grown(clips[::-1], by)
    assert [(g.low, g.high, g.clips, g.detail.value) for g in other.groups] == [
        (g.low, g.high, g.clips, g.detail.value) for g in found.groups
    ]
    assert (other.detail.value is None) == (found.detail.value is None)
    if found.detail.value is not None:
        assert other.detail.value == pytest.approx(found.detail.value, abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5)), min_size=3, max_size=20))
def test_the_slope_is_that_of_least_squares(points: list[tuple[int, int]]) -> None:
    import numpy as np

    clips = [(tokens + 1, "A" * right + "B" * (5 - right), None) for tokens, right in points]
    slope = _grown(clips).detail.value
    if len({tokens for tokens, _ in points}) == 1:
        assert slope is None
        return
    x = [(tokens + 1) / 100 for tokens, _ in points]
    expected = np.polynomial.Polynomial.fit(x, [20 * right for _, right in points], 1).convert(domain=[-1, 1]).coef
    assert slope == pytest.approx(expected[1] if len(expected) > 1 else 0.0, abs=1e-5)


# -- the inquiries of real records -------------------------------------------------------------------------------------


def _detective(seen: Seen, *, calls: bool) -> Behaviour:
    """Asks three things at once, the second one twice and one of nobody, then concludes: two questions are put."""
    asks = [("audio_llm", "What is heard?"), ("audio_llm", "Who speaks?"), ("audio_llm", "who speaks"), ("no_one", "?")]
    arguments = [{"observer": observer, "question": q, "attributes": ["scene"]} for observer, q in asks]
    caption = "A bell rings in a small room, and a man laughs."
    text = json.dumps(seen.body["messages"])
    asked = any(m["role"] == "tool" for m in seen.body["messages"]) or '\\"results\\"' in text
    if calls:
        if asked:
            return tool_call("conclude", {"caption": caption})
        return says(None, tool_calls=[("inquire", json.dumps(a)) for a in arguments], finish_reason="tool_calls")
    return says(json.dumps({"conclusion": {"caption": caption}} if asked else {"inquiries": arguments}))


async def _record(folder: Path, *, calls: bool) -> CaptionRecord:
    with wave.open(str(folder / "bell.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 16_000, "NONE", ""))
        file.writeframes(bytes(32_000))
    annotators = {"annotators": {"audio": {"role": "audio_llm", "shows": ["audio"]}}}
    stages = [{"stage": "annotate", "settings": annotators}, {"stage": "investigate"}]
    (folder / "both.yaml").write_text(yaml.safe_dump({"name": "both", "description": "", "stages": stages}))

    def script(seen: Seen) -> Behaviour:
        if seen.body["model"] == "detective":
            return _detective(seen, calls=calls)
        return says("A bell rings.")

    async with FaultyOpenAI(script) as server:
        spec: dict[str, Any] = {"provider": "openai", "base_url": server.base_url}
        models = {
            "detective": {**spec, "model": "detective", "capabilities": {"tools": calls}},
            "witness": {**spec, "model": "witness", "capabilities": {"audio": True}},
        }
        roles = {"detective": "detective", "audio_llm": "witness"}
        (folder / "models.yaml").write_text(
            json.dumps({"name": "two", "description": "", "models": models, "roles": roles})
        )
        overrides = [f"models={folder}/models.yaml", f"workflow={folder}/both.yaml", "investigate.early_stop=true"]
        overrides += [f"observers.{name}.enabled=false" for name in ("asr", "sound", "ocr", "shots")]
        async with Pipeline.from_config(load_config(overrides=overrides, environ={}), base_dir=folder) as pipeline:
            return await asyncio.wait_for(pipeline.caption({"id": "bell", "audio": "bell.wav"}), 60)


@pytest.mark.parametrize("calls", [True, False], ids=["function calls", "JSON protocol"])
async def test_inquiries_are_what_the_detective_put(tmp_path: Path, calls: bool) -> None:
    record = await _record(tmp_path, calls=calls)
    assert len(record.observations or ()) > 2, "others observed too"
    path = tmp_path / "out.jsonl"
    path.write_text(record.to_line() + "\n")
    (only,) = read_predictions(path)
    assert only.inquiries == 2
    without = record.model_copy(update={"trajectory": None})
    path.write_text(without.to_line() + "\n")
    (only,) = read_predictions(path)
    assert only.inquiries is None, "nobody knows"
    stages = {name: s for name, s in record.provenance.stages.items() if name != "investigate"}
    nobody = without.model_copy(update={"provenance": record.provenance.model_copy(update={"stages": stages})})
    path.write_text(nobody.to_line() + "\n")
    (only,) = read_predictions(path)
    assert only.inquiries == 0


# -- the picture -------------------------------------------------------------------------------------------------------


def test_pictures_are_the_same_each_time_and_name_their_axes(tmp_path: Path) -> None:
    found = _grown([(20 * n, "A" * (n % 5) + "BE", n % 4) for n in range(1, 30)], "inquiries")
    for name in ("a.svg", "b.svg"):
        draw(found, tmp_path / name, title="Omni-Cloze: out.jsonl")
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    for words in ("Omni-Cloze: out.jsonl", "inquiries of the detective", "rate (%)", "hallucination (%)", "detail (%)"):
        assert words in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "b.svg"]


def test_a_curve_of_nothing_is_drawn_too(tmp_path: Path) -> None:
    draw(_grown([]), tmp_path / "empty.png", title="nothing")
    with Image.open(tmp_path / "empty.png") as picture:
        assert picture.width > 1000


def _is_a_picture_with_both_curves(path: Path) -> None:
    with Image.open(path) as picture:
        picture = picture.convert("RGB")
        colours = {colour for _, colour in picture.getcolors(1 << 20) or ()}
    assert picture.width > 1000
    assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)} <= colours, "both curves, in colours that everybody tells apart"
