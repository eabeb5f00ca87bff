"""What rejection sampling asks lies in what was foreseen, whose upper ends hold all draws."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from forecast.test_truth import foreseen_for, options, prompt_tokens, write_input
from planning.role_studio import asked, caption_of, omnidetective, plays, said
from servers.faulty_openai import Behaviour, FaultyOpenAI, Seen, says

from omnidetective.planning.plan import Plan

DRAWS = ("--set", "gate.rubric=professional", "--set", "gate.samples=3")
DIMENSIONS = ("temporal_and_factual_accuracy", "event_and_detail_coverage", "temporal_causal_logic")


class Picky:
    """The studio, whose judge finds a fault in the first ``rejects`` captions, and whose integrator varies them."""

    def __init__(self, rejects: int) -> None:
        self.rejects, self.merges = rejects, 0

    def __call__(self, seen: Seen) -> Behaviour:
        told = said(seen)
        if "You are an editor" in told:
            self.merges += 1
            text = f"{caption_of(told)} This is version {self.merges} of it, as seen and heard."
            return says(json.dumps({"sentences": [{"text": text, "evidence": ["o1"]}]}))
        if "You decide which captions are good enough" in told:
            score = 3 if self.merges > self.rejects else 2
            return says(json.dumps({name: {"reasons": ["A fault."], "score": score} for name in DIMENSIONS}))
        return plays(seen)


async def compared(folder: Path, patch: pytest.MonkeyPatch, rejects: int, *more: str) -> tuple[Plan, dict[str, int]]:
    """The plan, after what was really asked was held against it."""
    write_input(folder, "short")
    arguments = (*options(folder, "avocado"), *DRAWS, *more)
    seeing = yaml.safe_load((folder / "by-role.yaml").read_text())
    seeing["models"]["judge"]["capabilities"] = {"images": True}
    (folder / "by-role.yaml").write_text(yaml.safe_dump(seeing))
    async with FaultyOpenAI(Picky(rejects)) as server:
        plan = await foreseen_for(arguments, folder, patch, server.base_url)
        status, _, told = await omnidetective("run", *arguments, cwd=folder, base_url=server.base_url)
    assert status == 0, told
    counts = asked(server)
    assert counts.keys() <= plan.calls_by_role.keys()
    for role, calls in plan.calls_by_role.items():
        assert calls.low <= counts[role] <= calls.high <= calls.most, (role, counts, calls)
    foreseen = next(call.prompt_tokens for call in plan.calls or () if call.role == "judge")
    tokens = sum(prompt_tokens(seen, 0.0) for seen in server.seen if seen.body["model"] == "judge")
    assert 0.2 * foreseen.high * counts["judge"] / plan.calls_by_role["judge"].high <= tokens <= foreseen.high
    return plan, counts


@pytest.mark.parametrize(("rejects", "draws"), [(0, 1), (1, 2), (9, 3)])
async def test_the_calls_of_all_draws_lie_in_what_was_foreseen(
    rejects: int, draws: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, counts = await compared(tmp_path, monkeypatch, rejects, "--set", "gate.shows=[frames]")
    integrator, judge = plan.calls_by_role["integrator"], plan.calls_by_role["judge"]
    assert (integrator.low, integrator.high) == (1, 3)
    assert (judge.low, judge.high) == (0, 3)
    assert plan.calls_by_role["frame_captioner"].high == 1
    assert counts["integrator"] == draws
    assert any("3 captions of each clip" in note for note in plan.notes)


async def test_retries_multiply_the_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, counts = await compared(tmp_path, monkeypatch, 99, "--set", "gate.retry=1", "--set", "gate.shows=[frames]")
    assert plan.calls_by_role["integrator"].high == counts["integrator"] == 6


async def test_without_draws_nothing_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, _ = await compared(tmp_path, monkeypatch, 0, "--set", "gate.samples=1", "--set", "gate.shows=[frames]")
    assert plan.calls_by_role["integrator"].high == 1
    assert not any("captions of each clip" in note for note in plan.notes)
