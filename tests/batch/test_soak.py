"""A long night: thousands of clips, a provider that fails in every way it can, broken media, decoders that crash.

All that can succeed does, the rest are failures with true reasons, no call is made beyond its attempts, and memory
stays flat.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from batch.album import has_observed, is_detective, make_album, models_file, picture_in, play
from e2e.workflow_files import detective_alone
from engine.harness import MARK, marked
from servers.faulty_openai import FAULTS, Behaviour, FaultyOpenAI, Seen

KINDS = sorted(FAULTS)
ATTEMPTS, REPAIRS = 3, 2
FOR_GOOD = {
    "401": {"invalid_key"},
    "429 with Retry-After": {"rate_limit"},
    "500": {"server_error"},
    "SSE error inside a 200": {"server_error"},
    "content filter": {"content_filter"},
    "hang": {"timeout"},
    "reset mid-body": {"connection"},
    "stream without an end": {"bad_response"},
    "truncated JSON": {"bad_response"},
}
"""Why a clip fails whose detective meets the fault at every call; the other kinds are answers of a bad form."""
BAD_FORM = {"format", "empty", "truncated"}
AT_ONCE = {"401": "invalid_key", "content filter": "content_filter"}
"""Faults that nobody tries again."""
CRASHED = "the decoder ended"
MEDIA = {
    "missing": "missing",
    "empty": "empty",
    "text": "not_media",
    "cut": "decode_failed",
}


@dataclass(frozen=True)
class Fate:
    """What is done to a clip."""

    kind: str = ""
    how_often: Literal["never", "once", "always"] = "never"
    media: str = ""

    @classmethod
    def of(cls, number: int) -> Fate:
        if number % 20 == 7:
            return cls(media=sorted(MEDIA)[number // 20 % len(MEDIA)])
        if number % 10 < 3:
            turn = number // 10 * 3 + number % 10
            return cls(kind=KINDS[turn % len(KINDS)], how_often="once" if turn // len(KINDS) % 2 else "always")
        return cls()


@dataclass
class Night:
    """The provider: it fails the detective's last decision as the clip's fate says, and counts."""

    calls: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def script(self, seen: Seen) -> Behaviour:
        number = picture_in(seen)
        fate = Fate.of(number)
        deciding = is_detective(seen) and has_observed(seen)
        self.calls[number]["deciding" if deciding else "before"] += 1
        if deciding and (
            fate.how_often == "always" or (fate.how_often == "once" and self.calls[number]["deciding"] == 1)
        ):
            return FAULTS[fate.kind]
        return play(seen)


def spoil(folder: Path, number: int) -> None:
    """Make the media of a clip what its fate says."""
    file = folder / f"p{number}.png"
    match Fate.of(number).media:
        case "missing":
            file.unlink()
        case "empty":
            file.write_bytes(b"")
        case "text":
            file.write_text("this is no picture\n" * 20)
        case "cut":
            file.write_bytes(file.read_bytes()[:60])


def is_true(number: int, failure: dict[str, Any] | None) -> bool:
    """Whether a clip ended as its fate says."""
    fate = Fate.of(number)
    reason = None if failure is None else failure["error"]["reason"]
    if fate.media:
        return failure is not None and failure["outcome"] == "invalid_media" and reason == MEDIA[fate.media]
    if fate.how_often == "once":
        return reason == AT_ONCE.get(fate.kind)
    if fate.how_often == "always":
        return reason in FOR_GOOD.get(fate.kind, BAD_FORM)
    return reason is None


async def soak(folder: Path, clips: int, *, crashes: int) -> None:
    make_album(folder, range(clips))
    for number in range(clips):
        spoil(folder, number)
    night = Night()
    mark = uuid.uuid4().hex
    async with FaultyOpenAI(night.script) as server:
        models = models_file(folder, server)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "omnidetective", "run", "--input", "in.jsonl", "--output", "out.jsonl",
            "--models", str(models), "--workflow", detective_alone(folder), "--num-workers", "2",
            "--concurrency", "16", "--quiet", "--set", "limits.breaker=0", "--set", f"retry.attempts={ATTEMPTS}",
            "--set", f"retry.repairs={REPAIRS}", "--set", "retry.first_wait_s=0.01", "--set", "retry.call_timeout_s=3",
            cwd=folder, env={**os.environ, MARK: mark}, stderr=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        watching = asyncio.create_task(watch(process.pid, mark, folder / "out.jsonl", crashes))
        _, told = await asyncio.wait_for(process.communicate(), 1500)
        memory, crashed = await watching
    assert process.returncode == 1, told.decode()
    assert "Traceback" not in told.decode()
    records = [json.loads(line)["id"] for line in (folder / "out.jsonl").read_text().splitlines()]
    lines = (folder / "out.failures.jsonl").read_text().splitlines()
    failures = {failure["id"]: failure for failure in map(json.loads, lines)}
    assert len(records) == len(set(records))
    assert len(failures) == len(lines)
    assert {*records, *failures} == {f"clip-{n}" for n in range(clips)}
    assert not {*records} & {*failures}
    assert crashed == crashes
    # At the opening of the clip the crash is its failure, later it leaves the only witness without an answer.
    broken = {n for n in range(clips) if CRASHED in failures.get(f"clip-{n}", {}).get("error", {}).get("message", "")}
    assert len(broken) <= crashed * 16, "more clips are blamed on crashes than decoders could hold"
    untrue = {
        n: failures.get(f"clip-{n}") for n in set(range(clips)) - broken if not is_true(n, failures.get(f"clip-{n}"))
    }
    assert not untrue
    # A clip of good form is decided in one call; a fault costs its attempts, a bad form its repairs.
    most = max(calls["deciding"] for calls in night.calls.values())
    assert most <= ATTEMPTS * (REPAIRS + 1), "calls beyond the attempts"
    assert max(memory[len(memory) // 2 :]) - max(memory[: len(memory) // 4 + 1]) < 20 * 2**20, "memory is not flat"


async def watch(pid: int, mark: str, output: Path, crashes: int) -> tuple[list[int], int]:
    """The parent's memory over time, in bytes, while so many decoders are made to crash; and how many were."""
    memory: list[int] = []
    crashed = 0
    chance = random.Random(1)
    while Path(f"/proc/{pid}/statm").exists():
        with contextlib.suppress(OSError, IndexError):
            memory.append(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
        if crashed < crashes and output.exists():
            decoders = decoders_of(marked(mark))
            if decoders:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice(decoders), signal.SIGSEGV)
                    crashed += 1
        await asyncio.sleep(0.5)
    return memory or [0], crashed


def decoders_of(parents: list[int]) -> list[int]:
    """The processes that decode media for these ones; they know nothing of the run, its mark included."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            if b"decoder_child" in (entry / "cmdline").read_bytes():
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                found += [int(entry.name)] if parent in parents else []
    return found


async def test_a_short_night(tmp_path: Path) -> None:
    await soak(tmp_path, 100, crashes=1)


@pytest.mark.integration
async def test_a_night_of_two_thousand_clips(tmp_path: Path) -> None:
    await soak(tmp_path, 2000, crashes=20)
