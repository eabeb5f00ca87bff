"""Laws of the pure parts: which moments are looked at, and what is remembered."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.evidence import Span
from omnidetective.media.memo import Memo
from omnidetective.media.times import in_requests, sampled_times, shot_times, uniform_times

_STARTS = st.floats(0, 10_000)
_LENGTHS = st.floats(0.04, 5_000)
SPANS = st.builds(lambda start, length: Span(start_s=start, end_s=start + length), _STARTS, _LENGTHS)
SHOTS = st.lists(st.floats(0.04, 60), min_size=1, max_size=40).map(
    lambda lengths: [Span(start_s=sum(lengths[:i]), end_s=sum(lengths[: i + 1])) for i in range(len(lengths))]
)


@given(SPANS, st.integers(1, 200))
def test_uniform_times_are_centres_of_equal_parts(span: Span, count: int) -> None:
    times = uniform_times(count, span)
    assert len(times) == count
    assert all(span.start_s <= time < span.end_s for time in times)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert all(gap == pytest.approx(span.duration_s / count, rel=1e-3) for gap in gaps)
    assert times[0] - span.start_s == pytest.approx(span.end_s - times[-1], rel=1e-3, abs=1e-6)


@given(SPANS, st.floats(0.01, 30))
def test_sampled_times_fill_the_span_and_stay_in_it(span: Span, fps: float) -> None:
    times = sampled_times(fps, span)
    assert times[0] == span.start_s
    assert times[-1] < span.end_s
    assert span.end_s - times[-1] <= 1 / fps * (1 + 1e-4) + 1e-6


@given(SHOTS, st.integers(1, 60), st.floats(0.5, 30))
def test_every_shot_is_shown_where_the_limit_allows_it(shots: list[Span], limit: int, every_s: float) -> None:
    times = shot_times(shots, limit=limit, every_s=every_s)
    assert list(times) == sorted(times)
    assert 1 <= len(times) <= limit
    seen = [shot for shot in shots if any(shot.start_s <= time < shot.end_s for time in times)]
    assert len(seen) == min(limit, len(shots))


@given(st.lists(st.floats(0, 7200), max_size=300).map(sorted), st.sampled_from([1.0, 0.01]))
def test_requests_hold_every_time_once_and_stay_answerable(times: list[float], scale: float) -> None:
    times = [time * scale for time in times]
    parts = in_requests(times)
    assert [time for part in parts for time in part] == times
    assert all(0 < len(part) <= 1024 for part in parts)
    assert all(len(part) <= 32 or part[-1] - part[0] <= 60 for part in parts)


def test_times_refuse_nonsense() -> None:
    span = Span(start_s=0.0, end_s=1.0)
    assert shot_times((), limit=3) == ()
    for wrong in (
        lambda: uniform_times(0, span),
        lambda: sampled_times(0.0, span),
        lambda: shot_times([span], limit=0),
    ):
        with pytest.raises(ValueError, match="must be"):
            wrong()


class _Work:
    """Counts how often it is done, and waits until it may end."""

    def __init__(self) -> None:
        self.begun = self.ended = self.cancelled = 0
        self.may_end = asyncio.Event()

    async def __call__(self) -> bytes:
        self.begun += 1
        try:
            await asyncio.wait_for(self.may_end.wait(), 5)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.ended += 1
        return b"result"


async def test_concurrent_callers_share_the_work_and_survive_each_other() -> None:
    memo, work = Memo(1000), _Work()
    callers = [asyncio.create_task(memo.get("key", work, size=len)) for _ in range(3)]
    await asyncio.sleep(0)
    callers[0].cancel()
    work.may_end.set()
    assert await asyncio.gather(*callers[1:]) == [b"result", b"result"]
    assert await memo.get("key", work, size=len) == b"result"
    assert (work.begun, work.cancelled) == (1, 0)


async def test_work_that_nobody_waits_for_ends_and_can_begin_again() -> None:
    memo, work = Memo(1000), _Work()
    caller = asyncio.create_task(memo.get("key", work, size=len))
    await asyncio.sleep(0.01)
    caller.cancel()
    again = asyncio.create_task(memo.get("key", work, size=len))
    await asyncio.sleep(0.01)
    work.may_end.set()
    assert await again == b"result"
    assert work.begun - work.cancelled == 1 == work.ended


async def test_failures_are_shared_but_not_remembered() -> None:
    memo, calls = Memo(1000), []

    async def fail() -> bytes:
        calls.append(1)
        await asyncio.sleep(0)
        raise ValueError("broken")

    outcomes = await asyncio.gather(*(memo.get("key", fail, size=len) for _ in range(2)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ValueError, ValueError]
    with pytest.raises(ValueError, match="broken"):
        await memo.get("key", fail, size=len)
    assert len(calls) == 2


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 60)), max_size=60))
def test_what_is_remembered_fits(requests: list[tuple[int, int]]) -> None:
    async def run() -> None:
        memo = Memo(100)
        sizes: dict[int, int] = {}
        for key, size in requests:
            wanted = sizes.setdefault(key, size)

            async def make(wanted: int = wanted) -> bytes:
                return bytes(wanted)

            assert len(await memo.get(key, make, size=len)) == wanted
            assert memo.held_bytes <= 100
        await memo.close()
        assert memo.held_bytes == 0

    asyncio.run(run())


async def test_the_least_recently_used_leaves_first() -> None:
    memo, made = Memo(100), []

    async def make(key: str) -> bytes:
        made.append(key)
        return bytes(40)

    for key in ("a", "b", "a", "c", "a", "b"):
        await memo.get(key, lambda key=key: make(key), size=len)  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"]


async def test_closing_ends_what_runs() -> None:
    memo, work = Memo(1000), _Work()
    caller = asyncio.create_task(memo.get("key", work, size=len))
    await asyncio.sleep(0.01)
    await memo.close()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert work.cancelled == 1
