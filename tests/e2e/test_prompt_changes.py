"""Changing a late prompt does not pay for the early stages again."""

from __future__ import annotations

from pathlib import Path

from e2e.media_files import video
from e2e.planted import DURATION_S, Act, improved, nothing_found, performed, replaced

from omnidetective.resources import resource_root

GREEN = {"snippet": "red apples", "why": "The apples are green.", "evidence": ["o5"]}
ACT = Act({"audit": nothing_found(objects={"errors": [GREEN]}), "refine": improved(replaced("red", "green"))})
EARLY = ("detective", "witness", "whole", "frames", "audio", "ensemble", "verify", "audit")


async def test_after_a_change_of_the_refine_prompt_only_the_refiner_and_what_follows_are_asked(tmp_path: Path) -> None:
    clip = video(tmp_path / "market.mp4", seconds=DURATION_S)
    cache = f"cache.path={tmp_path / 'kept.sqlite'}"
    before, _ = await performed(ACT, clip, settings=(cache,))
    mine = tmp_path / "prompts" / "refine" / "system.md"
    mine.parent.mkdir(parents=True)
    built_in = (resource_root() / "prompts" / "refine" / "system.md").read_text(encoding="utf-8")
    mine.write_text(f"{built_in}\nWrite British English.\n", encoding="utf-8")
    after, troupe = await performed(ACT, clip, settings=(cache, f"prompts={mine.parent.parent}"))
    assert after.provenance.prompts["refine/system"] != before.provenance.prompts["refine/system"]
    assert troupe.calls["refine"] == 1
    assert not set(EARLY) & set(troupe.calls), troupe.calls
    assert after.usage.cached_calls == before.usage.calls - after.usage.calls
    assert after.usage.by_stage["investigate"].calls == 0
