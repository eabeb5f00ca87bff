"""`run --dry-run` and `estimate`, as a user meets them: what they say, and that they do nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from e2e.media_files import tone, video
from planning.role_studio import KEY, asked, cast_by_role, omnidetective, plays
from report.output_files import failure, record, write
from servers.faulty_openai import FaultyOpenAI

WITHOUT_INSTRUMENTS = ("--set", "observers.ocr.enabled=false", "--set", "observers.asr.enabled=false")


def rows(folder: Path, *lines: dict[str, Any] | str) -> None:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    (folder / "in.jsonl").write_text(text)


def run(folder: Path, *more: str) -> tuple[str, ...]:
    cast = cast_by_role(folder)
    return ("run", "--input", "in.jsonl", "--output", "out.jsonl", "--models", cast, *WITHOUT_INSTRUMENTS, *more)


async def plan(folder: Path, *more: str, base_url: str = "") -> dict[str, Any]:
    status, printed, said = await omnidetective(
        "estimate", "--json", *run(folder, *more)[1:], cwd=folder, base_url=base_url
    )
    assert status in (0, 2), said
    found = json.loads(printed)
    assert isinstance(found, dict)
    return found


async def test_a_dry_run_asks_nobody_and_writes_nothing(tmp_path: Path) -> None:
    video(tmp_path / "film.mp4")
    rows(tmp_path, {"id": "a", "video": "film.mp4"})
    arguments = run(tmp_path, "--dry-run")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    async with FaultyOpenAI(plays) as server:
        status, printed, said = await omnidetective(*arguments, cwd=tmp_path, base_url=server.base_url)
        assert server.calls == 0
    assert status == 0, said
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert "1 row: 1 to do" in printed
    assert "detective" in printed
    assert "unknown" in printed, "the models of this cast have no price"
    assert max(map(len, printed.splitlines())) <= 80
    assert KEY not in printed + said


async def test_a_missing_key_is_named_and_the_plan_is_made_all_the_same(tmp_path: Path) -> None:
    video(tmp_path / "film.mp4")
    rows(tmp_path, {"id": "a", "video": "film.mp4"})
    async with FaultyOpenAI(plays) as server:
        status, printed, _ = await omnidetective(
            *run(tmp_path, "--dry-run"), cwd=tmp_path, base_url=server.base_url, key=""
        )
    assert status == 2
    assert "STUDIO_API_KEY is not set" in printed
    assert "detective" in printed


async def test_a_server_that_does_not_answer_is_told(tmp_path: Path) -> None:
    video(tmp_path / "film.mp4")
    rows(tmp_path, {"id": "a", "video": "film.mp4"})
    status, printed, _ = await omnidetective(*run(tmp_path, "--dry-run"), cwd=tmp_path)
    assert status == 2
    assert "not ready" in printed


async def test_what_is_done_what_failed_and_what_cannot_be_used_is_counted_and_named(tmp_path: Path) -> None:
    video(tmp_path / "film.mp4", seconds=3.0)
    (tmp_path / "text.mp4").write_text("no film")
    rows(
        tmp_path,
        {"id": "done", "video": "film.mp4"},
        {"id": "failed", "video": "film.mp4"},
        {"id": "new", "video": "film.mp4"},
        {"id": "broken", "video": "text.mp4"},
        {"id": "new", "video": "film.mp4"},
        "{no json",
    )
    write(tmp_path / "out.jsonl", record("done"))
    write(tmp_path / "out.failures.jsonl", failure("failed"), failure("done"))
    async with FaultyOpenAI(plays) as server:
        found = await plan(tmp_path, base_url=server.base_url)
        again = await plan(tmp_path, "--limit", "1", base_url=server.base_url)
    assert found["clips"] == {
        "rows": 6, "to_do": 2, "done": 1, "failed_before": 1, "unusable": 2, "downloads": 0,
    }  # fmt: skip
    assert found["media"]["probed"] == 2
    assert found["media"]["unreadable"] == 1
    assert 3600 * found["media"]["hours"]["low"] == pytest.approx(3.0, rel=0.05)
    assert [problem["where"] for problem in found["problems"]] == ["line 5", "line 6", "clip broken"]
    assert again["clips"]["to_do"] == 0
    assert again["total"]["calls"]["most"] == 0


async def test_urls_are_not_fetched_and_taken_to_be_like_the_others(tmp_path: Path) -> None:
    tone(tmp_path / "tone.wav")
    async with FaultyOpenAI(plays) as server:
        url = f"{server.base_url}/film.mp4"
        rows(tmp_path, {"id": "here", "path": "tone.wav"}, *({"id": f"u{n}", "url": url} for n in range(3)))
        more = ("--set", "media.allow_private=true")
        mixed = await plan(tmp_path, *more, base_url=server.base_url)
        rows(tmp_path, {"id": "u", "url": url})
        only = await plan(tmp_path, *more, base_url=server.base_url)
        assert server.calls == 0, "something was fetched"
    assert mixed["clips"]["downloads"] == 3
    assert mixed["media"]["hours"]["low"] < 8 / 3600 < mixed["media"]["hours"]["high"]
    assert any("extrapolated" in note for note in mixed["notes"])
    assert "total" not in only
    assert any("--pilot" in note for note in only["notes"])


async def test_the_embedded_cast_costs_nothing(tmp_path: Path) -> None:
    tone(tmp_path / "tone.wav")
    rows(tmp_path, {"path": "tone.wav"})
    status, printed, said = await omnidetective(
        "run", "--input", "in.jsonl", "--output", "out.jsonl", "--dry-run", cwd=tmp_path
    )
    assert status == 0, said
    assert "nothing is spent" in printed


@pytest.mark.integration
async def test_a_pilot_is_the_beginning_of_the_run_and_is_not_paid_twice(tmp_path: Path) -> None:
    for n in range(4):
        video(tmp_path / f"{n}.mp4", seconds=2.0, rate=5 + n)
    rows(tmp_path, *({"id": str(n), "video": f"{n}.mp4"} for n in range(4)))
    # These clips are so alike that one would be answered from what was said of another.
    arguments = run(tmp_path, "--set", "cache.enabled=false")
    estimating = ("estimate", "--json", "--pilot", "2", *arguments[1:])
    async with FaultyOpenAI(plays) as server:
        status, printed, said = await omnidetective(*estimating, cwd=tmp_path, base_url=server.base_url)
        assert status == 0, said
        pilot, paid = json.loads(printed), server.calls
        repeated = await omnidetective(*estimating, cwd=tmp_path, base_url=server.base_url)
        assert server.calls == paid, "the second pilot paid again"
        lines = (tmp_path / "out.jsonl").read_bytes().splitlines()
        status, _, said = await omnidetective(*arguments, cwd=tmp_path, base_url=server.base_url)
        assert status == 0, said
    assert (pilot["chosen"], pilot["recorded"], len(lines)) == (2, 2, 2)
    assert json.loads(repeated[1])["recorded"] == 2
    assert pilot["clips"]["to_do"] == 2
    assert pilot["clips"]["done"] == 2
    assert pilot["total"]["taken"]["calls"] == paid
    # All clips are alike, so what is foreseen is what comes.
    assert pilot["total"]["calls"]["expected"] == pytest.approx(server.calls - paid, rel=0.02)
    assert pilot["total"]["cost_usd"] is None, "the models of this cast have no price"
    roles = {account["name"]: account["taken"]["calls"] for account in pilot["by_role"]}
    assert roles.keys() <= asked(server).keys()
    assert (tmp_path / "out.jsonl").read_bytes().splitlines()[:2] == lines
    assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == 4
