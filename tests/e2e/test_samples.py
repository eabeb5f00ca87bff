"""Rejection sampling through the real pipeline: draws until the judge is content, the best kept, none paid twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from e2e.media_files import video
from e2e.planted import CAPTION, MARKET, TRUTH, Act, performed, sentences
from e2e.test_model_sets import omnidetective, studio
from e2e.test_paid_once import asked, begin
from servers.faulty_openai import Behaviour, FaultyOpenAI, Seen, hangs, says

from omnidetective.records import CaptionRecord

DIMENSIONS = ("temporal_and_factual_accuracy", "event_and_detail_coverage", "temporal_causal_logic")
PROFESSIONAL = ("gate.rubric=professional", "gate.shows=[frames]")
STALLS = ("red", "green", "yellow", "brown")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return video(tmp_path_factory.mktemp("market") / "market.mp4", seconds=20.0)


def judgement(*given: int) -> dict[str, Any]:
    """The judge's answer: a score for each dimension."""
    return {
        name: {"reasons": [] if score == 3 else [f"Fault in {name}."], "score": score}
        for name, score in zip(DIMENSIONS, given, strict=True)
    }


def merged(colour: str) -> dict[str, Any]:
    """The integrator's answer, which differs from draw to draw."""
    return sentences(MARKET.replace("red", colour), *TRUTH[1:])


def act(scores: Sequence[Sequence[int]]) -> Act:
    """An integrator that writes something else each time, and a judge with given scores."""
    return Act(
        {
            "ensemble": lambda call, prompt: merged(STALLS[call - 1]),
            "judge": lambda call, prompt: judgement(*scores[call - 1]),
        }
    )


def told(record: CaptionRecord) -> list[tuple[int, str, list[float]]]:
    """Of each draw its number, its colour and its scores."""
    return [
        (
            sample.number,
            next(colour for colour in STALLS if f"{colour} apples" in sample.caption),
            [sample.scores[name] for name in DIMENSIONS],
        )
        for sample in record.samples or ()
    ]


async def test_a_first_draw_of_all_threes_is_the_only_one(market: Path) -> None:
    record, troupe = await performed(
        act([(3, 3, 3)]), market, workflow="avocado", settings=(*PROFESSIONAL, "gate.samples=4")
    )
    assert record.outcome == "accepted"
    assert record.caption == CAPTION
    assert record.samples is None
    assert (troupe.calls["ensemble"], troupe.calls["judge"]) == (1, 1)
    assert [record.quality.scores[name] for name in DIMENSIONS] == [3, 3, 3]


async def test_of_three_draws_the_best_is_kept_and_all_are_recorded(market: Path) -> None:
    record, troupe = await performed(
        act([(3, 1, 2), (3, 3, 2), (2, 3, 2)]), market, workflow="avocado", settings=(*PROFESSIONAL, "gate.samples=3")
    )
    assert (troupe.calls["ensemble"], troupe.calls["judge"]) == (3, 3)
    assert troupe.calls["frames"] == troupe.calls["audio"] == 1, "no annotator is asked again"
    assert len(set(troupe.prompts["ensemble"])) == 1, "a draw knows nothing of those before"
    assert record.outcome == "rejected"
    assert record.caption == CAPTION.replace("red", "green")
    rejected = [reason for reason in record.quality.reasons if reason.startswith("not_professional: ")]
    assert rejected == ["not_professional: temporal_causal_logic 2 of 3: Fault in temporal_causal_logic."]
    assert told(record) == [(0, "red", [3, 1, 2]), (1, "green", [3, 3, 2]), (2, "yellow", [2, 3, 2])]
    assert [len(sample.reasons) for sample in record.samples or ()] == [2, 1, 2]
    assert [event.text for event in record.events or ()] == [MARKET.replace("red", "green"), *TRUTH[1:]]
    assert record.drafts is None, "there was one in this draw"
    assert record.usage.by_role["judge"].calls == 3
    assert record.usage.by_role["integrator"].calls == 3


async def test_drawing_ends_with_the_first_that_is_accepted(market: Path) -> None:
    record, troupe = await performed(
        act([(3, 1, 2), (3, 3, 3)]), market, workflow="avocado", settings=(*PROFESSIONAL, "gate.samples=4")
    )
    assert record.outcome == "accepted"
    assert not any("not_professional" in reason for reason in record.quality.reasons)
    assert record.caption == CAPTION.replace("red", "green")
    assert [len(sample.reasons) for sample in record.samples or ()] == [2, 0]
    assert troupe.calls["ensemble"] == 2


async def test_the_other_rubric_is_drawn_for_too(market: Path) -> None:
    parts = act([])
    judge = {"judge": lambda call, prompt: {"reasons": ["The music is lost."], "score": (2, 3, 1)[call - 1]}}
    record, _ = await performed(Act({**parts.jobs, **judge}), market, workflow="avocado", settings=("gate.samples=3",))
    assert record.caption == CAPTION.replace("red", "green")
    assert record.quality.scores["completeness"] == 3
    assert [sample.scores["completeness"] for sample in record.samples or ()] == [2, 3, 1]


async def test_each_retry_draws_as_many_again_with_hints(market: Path) -> None:
    record, troupe = await performed(
        act([(3, 1, 2), (3, 3, 2), (3, 2, 2), (1, 1, 1)]),
        market,
        workflow="avocado",
        settings=(*PROFESSIONAL, "gate.samples=2", "gate.retry=1"),
    )
    prompts = troupe.prompts["ensemble"]
    assert [prompt == prompts[0] for prompt in prompts] == [True, True, False, False]
    assert "Fault in temporal_causal_logic." in prompts[2]
    assert "Fault in event_and_detail_coverage." not in prompts[2], "the hints are those of the best"
    assert record.caption == CAPTION.replace("red", "green")
    assert [sample.number for sample in record.samples or ()] == [0, 1, 2, 3]


async def test_in_the_default_workflow_the_record_is_that_of_one_draw(market: Path) -> None:
    """What the stages after the merge say is about the caption that is kept; what was measured is measured once."""
    record, troupe = await performed(
        act([(2, 2, 2), (3, 3, 2), (2, 3, 2)]), market, settings=(*PROFESSIONAL, "gate.samples=3")
    )
    green = CAPTION.replace("red", "green")
    assert record.caption == green
    assert (record.verification and record.verification.caption) == green
    assert troupe.calls["audit"] == 3
    assert green in troupe.prompts["audit"][1]
    observed = [o.id for o in record.observations or ()]
    assert len(observed) == len(set(observed))
    instruments = Counter(o.observer for o in record.observations or () if o.kind == "instrument")
    assert set(instruments.values()) == {1}
    assert [sample.number for sample in record.samples or ()] == [0, 1, 2]


# Killed and taken up again -------------------------------------------------------------------------------------------

OPTIONS = (
    "--workflow", "avocado",
    "--set", "gate.rubric=professional", "--set", "gate.shows=[frames]", "--set", "gate.samples=3",
)  # fmt: skip
TEXT = "At 0s, coloured bars are shown while a tone sounds, and their edges are {}."


class Draws:
    """The cast of a run by the command line: every merge differs, no judgement is full. ``answered`` counts replies.

    The requests of several draws are the same on the wire: each asks a model that answers by chance.
    """

    def __init__(self, *, hangs_at: int | None = None) -> None:
        self.answered: Counter[str] = Counter()
        self.merges = 0
        self.hanging = asyncio.Event()
        self._hangs_at = hangs_at

    def __call__(self, seen: Seen) -> Behaviour:
        messages = json.dumps(seen.body.get("messages"), ensure_ascii=False)
        if "You are an editor" in messages:
            if self.merges == self._hangs_at and not self.hanging.is_set():
                self.hanging.set()
                return hangs(60)
            self.merges += 1
            text = TEXT.format(STALLS[self.merges - 1])
            behaviour = says(json.dumps({"sentences": [{"text": text, "evidence": ["o1"]}]}))
        elif "You decide which captions are good enough" in messages:
            points = {"red": (2, 1, 2), "green": (3, 2, 3), "yellow": (1, 3, 3)}
            colour = next(colour for colour in points if TEXT.format(colour) in messages)
            behaviour = says(json.dumps(judgement(*points[colour])))
        else:
            behaviour = studio(seen)
        self.answered[asked(seen)] += 1
        return behaviour


def only_record(folder: Path) -> dict[str, Any]:
    (line,) = (folder / "out.jsonl").read_text(encoding="utf-8").splitlines()
    record: dict[str, Any] = json.loads(line)
    return record


@pytest.mark.parametrize("hangs_at", [1, 2])
async def test_a_run_that_is_killed_between_draws_repeats_none_that_had_ended(tmp_path: Path, hangs_at: int) -> None:
    video(tmp_path / "film.mp4")
    (tmp_path / "in.jsonl").write_text('{"id": "film", "video": "film.mp4"}\n')
    draws = Draws(hangs_at=hangs_at)
    async with FaultyOpenAI(draws) as server:
        process = await begin(tmp_path, server.base_url, *OPTIONS)
        await asyncio.wait_for(draws.hanging.wait(), 60)
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        early = sum(draws.answered.values())
        assert draws.merges == hangs_at, "the clip was killed early or late"
        process = await begin(tmp_path, server.base_url, *OPTIONS)
        _, said = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, said.decode()
    assert draws.merges == 3
    assert sorted(draws.answered.values()) == [1] * (len(draws.answered) - 1) + [3], "a call was paid twice"
    record = only_record(tmp_path)
    assert record["usage"]["cached_calls"] == early
    assert record["usage"]["calls"] == sum(draws.answered.values()) - early
    assert record["outcome"] == "rejected"
    assert record["caption"] == TEXT.format("green")
    assert [sample["caption"] for sample in record["samples"]] == [TEXT.format(c) for c in STALLS[:3]]


async def test_the_first_draw_is_the_same_call_as_without_draws(tmp_path: Path) -> None:
    """Who raises ``gate.samples`` after a run pays for the new draws alone."""
    video(tmp_path / "film.mp4")
    (tmp_path / "in.jsonl").write_text('{"id": "film", "video": "film.mp4"}\n')
    draws = Draws()
    async with FaultyOpenAI(draws) as server:
        for samples in ("1", "3"):
            more = (*OPTIONS[:-1], f"gate.samples={samples}", "--no-resume")
            process = await begin(tmp_path, server.base_url, *more)
            _, said = await asyncio.wait_for(process.communicate(), 120)
            assert process.returncode == 0, said.decode()
    assert draws.merges == 3
    assert sorted(draws.answered.values()) == [1] * (len(draws.answered) - 1) + [3]
    assert [sample["number"] for sample in only_record(tmp_path)["samples"]] == [0, 1, 2]


async def test_draws_of_what_is_only_investigated_are_refused_before_the_first_clip(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": "film", "video": "film.mp4"}\n')
    for more in ((), ("--dry-run",)):
        status, said = await omnidetective(
            "run", "--input", "in.jsonl", "--output", "out.jsonl", "--workflow", "omni-detective",
            "--set", "gate.samples=2", *more, cwd=tmp_path,
        )  # fmt: skip
        assert status == 2, said
        assert "no integrator writes its caption" in said
        assert not any(file.stat().st_size for file in tmp_path.glob("out*.jsonl"))
