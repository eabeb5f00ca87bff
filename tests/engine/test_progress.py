"""What progress says: rates and the end of the run, in any width, and what clips in flight have spent."""

from __future__ import annotations

import asyncio
import json
import math
import os
import pty
import re
import select
import termios
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from e2e.media_files import video
from e2e.test_model_sets import studio
from hypothesis import given
from hypothesis import strategies as st
from servers.faulty_openai import Behaviour, FaultyOpenAI, Seen, hangs

from omnidetective.config import load_config
from omnidetective.engine.moment import Moment, details, duration, headline, tokens
from omnidetective.engine.pace import Pace
from omnidetective.engine.progress import Bar, Silent, progress_for
from omnidetective.engine.run import run_batch
from omnidetective.engine.tally import Tally
from omnidetective.engine.wire import Finished, Spending
from omnidetective.records import ModelUsage, Usage


def after(seconds: int, *, clip_s: float, lanes: int, calls_each: int = 0, begin_s: float = 0.0) -> Pace:
    """The pace of a run whose clips take equally long, seen twice a second."""
    pace = Pace()
    for tick in range(seconds * 2 + 1):
        working_s = tick / 2 - begin_s
        done = lanes * max(0, math.floor(working_s / clip_s))
        pace.note(1000 + tick / 2, done=done, in_flight=lanes if working_s >= 0 else 0, calls=done * calls_each)
    return pace


def test_the_end_is_unknown_until_there_is_something_to_go_on() -> None:
    assert after(0, clip_s=10, lanes=4).left_s(100) is None
    assert after(9, clip_s=10, lanes=4).left_s(100) is None
    assert after(10, clip_s=10, lanes=4).left_s(100) == pytest.approx(250)
    pace = Pace()
    for second in range(30):  # One of eight lanes has short clips: seven lanes have not said how long theirs take.
        pace.note(second, done=second // 5, in_flight=8, calls=0)
    assert pace.left_s(100) is None


@given(
    st.integers(30, 3000), st.sampled_from([0.5, 3.0, 20.0, 400.0]), st.sampled_from([1, 4, 512]), st.floats(0.0, 20.0)
)
def test_the_end_is_right_however_long_clips_take_and_however_long_workers_start(
    seconds: int, clip_s: float, lanes: int, begin_s: float
) -> None:
    left_s = after(seconds, clip_s=clip_s, lanes=lanes, begin_s=begin_s).left_s(lanes * 10)
    if left_s is None:
        assert seconds - begin_s < clip_s + 1
    else:
        # Never too early, but for the grain of the samples; too late by what is under way of the next wave, at most.
        assert 10 * clip_s * 0.93 <= left_s <= 10 * clip_s * 2 + 1


def test_rates_follow_a_change() -> None:
    pace = Pace()
    done = calls = 0
    for second in range(600):
        done, calls = (done + 4, calls + 40) if second < 300 else (done + 1, calls + 10)
        pace.note(float(second), done=done, in_flight=8, calls=calls)
    assert pace.clips_per_s == pytest.approx(1.0, rel=0.05)
    assert pace.calls_per_s == pytest.approx(10.0, rel=0.05)


BUSY = Moment(
    total=2_000_000,
    recorded=120_000,
    failed=1_234,
    skipped=500,
    in_flight=512,
    spent=ModelUsage(calls=98_765, prompt_tokens=123_456_789, completion_tokens=1_000_000, cost_usd=Decimal("123.4")),
    cap_usd=Decimal(500),
    waiting="12 calls wait: openai:gpt-4.1 paused 23 s",
    clips_per_s=2.5,
    calls_per_s=17.25,
    left_s=751_000,
)


def test_all_is_said_where_there_is_room() -> None:
    assert headline(BUSY, 160) == "121,734/2,000,000 clips · 1,234 failed · 150 clips/min · ETA 8 d 17 h"
    assert details(BUSY, 160) == (
        "512 in flight · 17.2 calls/s · 98,765 calls · 124.46M tokens · $123.40 of $500.00 · "
        "12 calls wait: openai:gpt-4.1 paused 23 s · 500 skipped"
    )


def test_at_80_columns_the_lesser_parts_go_first() -> None:
    assert headline(BUSY, 64) == "121,734/2,000,000 clips · 1,234 failed · ETA 8 d 17 h"
    assert details(BUSY, 80) == "512 in flight · $123.40 of $500.00 · 12 calls wait: openai:gpt-4.1 paused 23 s"


@given(st.integers(1, 200))
def test_what_is_said_fits_or_is_one_part(columns: int) -> None:
    for text in (headline(BUSY, columns), details(BUSY, columns)):
        assert len(text) <= columns or " · " not in text


@pytest.mark.parametrize("columns", [30, 80, 160])
def test_a_terminal_of_any_width_shows_whole_lines(columns: int) -> None:
    ours, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, columns))
    with os.fdopen(terminal, "w") as stream:
        bar = progress_for(stream, quiet=False)
        assert isinstance(bar, Bar)
        for total in (None, 2_000_000):
            bar.show(replace(BUSY, total=total))
        bar.write("a line of text")
        bar.close()
        stream.flush()
        shown = os.read(ours, 2000)
        while select.select([ours], [], [], 0)[0]:
            shown += os.read(ours, 2000)
    os.close(ours)
    lines = [line.rstrip() for line in re.split(r"[\r\n]+|\x1b\[A", shown.decode())]
    assert max(len(line) for line in lines) <= columns
    assert "a line of text" in lines
    last = next(line for line in reversed(lines) if "clips" in line)
    assert re.fullmatch(r"(  6%\|█+.? +\| )?121,734/2,000,000 clips.*", last)
    assert ("%" in last) == (columns > 60)
    assert "clip/s" not in lines
    assert any(line.startswith("512 in flight") for line in lines)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (89.4, "89 s"), (90, "2 min"), (3599, "1 h 0 min"), (7800, "2 h 10 min"), (100_000, "1 d 4 h")],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_tokens_are_exact_while_they_are_short() -> None:
    assert [tokens(n) for n in (99_999, 123_456, 2_310_000)] == ["99,999", "123k", "2.31M"]


def spent(calls: int) -> ModelUsage:
    return ModelUsage(calls=calls, prompt_tokens=calls * 10, cost_usd=Decimal(calls))


def finished(clip_id: str, calls: int | None) -> Finished:
    usage = None
    if calls is not None:
        usage = Usage(calls=calls, prompt_tokens=calls * 10, cost_usd=Decimal(calls), by_model={"m": spent(calls)})
    return Finished(clip_id, "accepted", b"", usage, None)


@given(st.data())
def test_what_is_told_in_flight_is_never_counted_twice(data: st.DataObject) -> None:
    """However often clips tell, and whenever their workers die: the sum is what all of their lives have spent."""
    tally, lost, done, now = Tally(), 0, 0, dict.fromkeys("abc", 0)
    for _ in range(data.draw(st.integers(0, 30))):
        name = data.draw(st.sampled_from(sorted(now)))
        match data.draw(st.sampled_from(["tell", "tell", "die", "finish", "give up"])):
            case "tell":
                now[name] += data.draw(st.integers(1, 4))
                tally.spending(Spending(((name, spent(now[name])),)))
            case "die" if now[name] > 1:  # Its next life has told of one call.
                lost, now[name] = lost + now[name], 1
                tally.spending(Spending(((name, spent(1)),)))
            case "finish":
                whole = now[name] + data.draw(st.integers(0, 3))
                done, now[name] = done + whole, 0
                tally.finished(finished(name, whole))
            case "give up":
                lost, now[name] = lost + now[name], 0
                tally.finished(finished(name, None))
        assert tally.spent.calls == lost + done + sum(now.values())
    assert tally.spent.cost_usd == tally.spent.calls
    assert tally.usage.calls == tally.spent.calls


class Seeing(Silent):
    """Keeps what a display would show."""

    def __init__(self) -> None:
        super().__init__()
        self.moments: list[Moment] = []

    def show(self, moment: Moment) -> None:
        self.moments.append(moment)


async def test_calls_and_tokens_move_while_a_long_clip_is_in_flight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video(tmp_path / "film.mp4")
    (tmp_path / "in.jsonl").write_text('{"id": "film", "video": "film.mp4"}\n')
    seeing, hanging = Seeing(), asyncio.Event()

    def play(seen: Seen) -> Behaviour:
        if "You take captions apart" in json.dumps(seen.body.get("messages")) and not hanging.is_set():
            hanging.set()
            return hangs(60)
        return studio(seen)

    async with FaultyOpenAI(play) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        settings = ("observers.ocr.enabled=false", "observers.asr.enabled=false", "retry.call_timeout_s=4")
        config = load_config(overrides=("models=openai", *settings))
        summary = await run_batch(config, tmp_path / "in.jsonl", tmp_path / "out.jsonl", progress=seeing)
    (record,) = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    told = {moment.spent.calls for moment in seeing.moments if moment.in_flight == 1 and not moment.recorded}
    assert max(told) >= 8
    last = seeing.moments[-1]
    assert (last.total, last.recorded, last.in_flight) == (1, 1, 0)
    assert last.spent.calls == summary.usage.calls == record["usage"]["calls"] == server.calls - 1
    assert last.spent.prompt_tokens == record["usage"]["prompt_tokens"]
    assert all(a.spent.calls <= b.spent.calls for a, b in zip(seeing.moments, seeing.moments[1:], strict=False))
