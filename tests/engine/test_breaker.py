"""The circuit breaker: the rule, and runs with worker processes against a server that refuses calls."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Sequence

import pytest
from e2e.media_files import video
from engine.harness import Folder
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from servers.faulty_openai import (
    Behaviour,
    FaultyOpenAI,
    Script,
    Seen,
    fails,
    says,
    server_error,
    tool_call,
    unauthorized,
)

from omnidetective.engine.breaker import Breaker, Cause
from omnidetective.records import FailureDetail

GPT = "openai:gpt-4.1 at api.openai.com"
MINI = "openai:gpt-4.1-mini at api.openai.com"
STOPPING = ("AuthError", "QuotaError", "MissingModelError")
OTHERS = ("RateLimitError", "TransientError", "MediaError", "ClipTimeoutError", "NoCandidatesError", "CrashError")


def failed(type_: str, where: str = GPT, said: str = "HTTP 401: no", hint: str = "") -> FailureDetail:
    return FailureDetail(
        type=type_,
        message=f"{where}: {said}",
        stage="investigate",
        attempts=1,
        reason="any",
        retryable=False,
        hint=hint,
    )


def fed(breaker: Breaker, ends: Sequence[FailureDetail | None]) -> Breaker:
    """The breaker after clips have ended so; ``None`` is a record."""
    for end in ends:
        if end is None:
            breaker.saw_record()
        else:
            breaker.saw_failure(end)
    return breaker


A, B, Q, OTHER, RECORD = (
    failed("AuthError"),
    failed("AuthError", MINI),
    failed("QuotaError"),
    failed("MediaError"),
    None,
)


@pytest.mark.parametrize(
    ("ends", "opens"),
    [
        ([A, A], False),
        ([A, A, A], True),
        ([A, A, RECORD, A, A], False),
        ([A, A, OTHER, OTHER, A], True),
        ([A, B, A, B], False),
        ([A, B, A, B, A], True),
        ([A, Q, A, Q], False),
        ([OTHER] * 9, False),
        (
            [A, failed("AuthError", said="HTTP 401: request 1f3a"), failed("AuthError", said="HTTP 403: req 77: no")],
            True,
        ),
        ([A, A, A, RECORD], True),
    ],
)
def test_what_opens_it(ends: list[FailureDetail | None], opens: bool) -> None:
    assert (fed(Breaker(3), ends).stop is not None) == opens


_ENDS = st.lists(
    st.none() | st.builds(failed, st.sampled_from(STOPPING + OTHERS), st.sampled_from([GPT, MINI]), st.text()),
    max_size=40,
)


@given(_ENDS, st.integers(0, 5))
def test_it_opens_at_the_first_end_that_makes_a_row_long_enough(
    ends: list[FailureDetail | None], most_in_a_row: int
) -> None:
    opened_at = None
    for number in range(1, len(ends) + 1):
        so_far = ends[:number]
        since = so_far[max((at + 1 for at, end in enumerate(so_far) if end is None), default=0) :]
        causes = Counter(Cause.of(end) for end in since if end is not None and end.type in STOPPING)
        if most_in_a_row and max(causes.values(), default=0) >= most_in_a_row:
            opened_at = number
            break
    breaker = Breaker(most_in_a_row)
    for number, end in enumerate(ends, start=1):
        fed(breaker, [end])
        assert (breaker.stop is not None) == (opened_at is not None and number >= opened_at)
    if opened_at is not None and breaker.stop is not None:
        assert breaker.stop.example == ends[opened_at - 1]
        assert breaker.stop.in_a_row == most_in_a_row


def test_what_it_explains_is_the_cause_that_opened_it() -> None:
    breaker = fed(Breaker(2), [A])
    assert not breaker.explains(A)
    fed(breaker, [A])
    assert breaker.explains(failed("AuthError", said="other words"))
    assert not any(breaker.explains(one) for one in (B, Q, OTHER))


@pytest.mark.parametrize(
    ("not_started", "said"),
    [
        (0, "No clip was left to start. When that is mended, --retry-failed does those that failed."),
        (1, "1 clip was not started."),
        (12345, "12,345 clips were not started."),
    ],
)
def test_the_message(not_started: int, said: str) -> None:
    stop = fed(Breaker(3), [A, A, failed("AuthError", hint="check OPENAI_API_KEY")]).stop
    assert stop is not None
    message = stop.message(not_started=not_started)
    assert message.startswith(f"stopped early: 3 clips in a row failed with AuthError: {GPT}: HTTP 401: no")
    assert "(check OPENAI_API_KEY)" in message
    assert said in message
    assert "--retry-failed" in message


# Real runs -----------------------------------------------------------------------------------------------------------

ASKED = ("shots", "frame_captioner")
CAPTION = "A red square fills the whole picture from edge to edge."
REFUSALS: dict[str, tuple[Behaviour, str, str]] = {
    "wrong key": (unauthorized(), "AuthError", "check OPENAI_API_KEY"),
    "no money": (fails(429, {"message": "pay first", "code": "insufficient_quota"}), "QuotaError", "billing page"),
    "no such model": (
        fails(404, {"message": "gone", "code": "model_not_found"}),
        "MissingModelError",
        "name of the model",
    ),
}


def detective(seen: Seen) -> Behaviour:
    """A cast that captions: the detective looks once and concludes, the witness answers."""
    if seen.body.get("model") != "gpt-4.1":
        return says("A plain red square.")
    told = json.dumps(seen.body["messages"])
    if '\\"observation\\"' in told:
        events = [{"start_s": 0, "text": CAPTION, "modality": "visual", "evidence": ["o1"]}]
        return tool_call("conclude", {"caption": CAPTION, "events": events})
    return tool_call("inquire", {"observer": "frame_captioner", "question": "What is there?", "attributes": ["scene"]})


async def run(folder: Folder, script: Script, *options: str) -> tuple[int, str, FaultyOpenAI]:
    """``omnidetective run`` with real workers; what it says on stderr, and the server that it asked."""
    async with FaultyOpenAI(script) as server:
        env = {k: v for k, v in os.environ.items() if not k.endswith(("_API_KEY", "_BASE_URL"))}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "omnidetective", "run", "--input", "in.jsonl", "--output", "out.jsonl",
            "--models", "openai", "--workflow", "omni-detective", "--set", "observers.ocr.enabled=false", *options,
            cwd=folder.path, env={**env, "OPENAI_API_KEY": "sk-canary", "OPENAI_BASE_URL": server.base_url},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, said = await asyncio.wait_for(process.communicate(), 120)
    assert out == b""
    assert process.returncode is not None
    assert "Traceback" not in said.decode()
    return process.returncode, said.decode(), server


def pictures(folder: Folder, count: int) -> list[str]:
    """An input of so many clips, no two of them alike; their ids."""
    ids = [f"c{number}" for number in range(count)]
    for number, one in enumerate(ids):
        Image.new("RGB", (64, 48), (200, 5 * number, 0)).save(folder.path / f"{one}.png")
    folder.input.write_text("".join(json.dumps({"id": one, "image": f"{one}.png"}) + "\n" for one in ids))
    return ids


def errors(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("error:")]


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refusal_of_every_call_stops_the_run_with_one_message(folder: Folder, name: str) -> None:
    refusal, type_, hint = REFUSALS[name]
    ids = pictures(folder, 40)
    options = ("--num-workers", "2", "--concurrency", "2", "--log-file", "log.jsonl")
    status, said, server = await run(folder, [refusal], *options)
    assert status == 1
    (message,) = errors(said)
    assert f"failed with {type_}: openai:gpt-4.1 at 127.0.0.1: HTTP" in message
    assert hint in message
    failures = folder.failures()
    # At most: all that is in flight when the third one fails, and the places of the two before it.
    assert 3 <= len(failures) <= 2 * 2 + 2
    assert {failure["error"]["type"] for failure in failures.values()} == {type_}
    assert server.calls == len(failures)
    assert folder.ids() == []
    assert f"{len(ids) - len(failures)} clips were not started" in message
    assert len([line for line in said.splitlines() if line.startswith("warning:")]) == 3
    assert re.search("try them again: .* --retry-failed", said)
    log = [json.loads(line) for line in (folder.path / "log.jsonl").read_text().splitlines()]
    assert [entry["message"] for entry in log if entry["level"] == "error"] == [message.removeprefix("error: ")]
    assert any("circuit breaker" in entry["message"] for entry in log)


@pytest.mark.integration
async def test_once_it_is_mended_the_same_command_goes_on(folder: Folder) -> None:
    ids = pictures(folder, 12)
    options = ("--num-workers", "2", "--concurrency", "1")
    await run(folder, [unauthorized()], *options)
    failed_ids = set(folder.failures())
    again = await run(folder, [unauthorized()], *options, "--retry-failed", "--quiet")
    assert (again[0], len(errors(again[1]))) == (1, 1)
    failed_ids |= set(folder.failures())
    status, said, _ = await run(folder, detective, *options)
    assert (status, errors(said)) == (1, [])
    assert set(folder.ids()) == set(ids) - failed_ids
    assert set(folder.failures()) == failed_ids
    status, said, _ = await run(folder, detective, *options, "--retry-failed")
    assert (status, errors(said)) == (0, [])
    assert sorted(folder.ids()) == sorted(ids)
    assert folder.failures() == {}


async def test_set_to_0_it_never_stops_a_run(folder: Folder) -> None:
    ids = pictures(folder, 8)
    status, said, _ = await run(folder, [unauthorized()], "--set", "limits.breaker=0")
    assert (status, errors(said)) == (1, [])
    assert set(folder.failures()) == set(ids)


async def test_a_refusal_now_and_then_stops_nothing(folder: Folder) -> None:
    """Two of three clips are refused, one after the other, and the third one is captioned."""
    ids = pictures(folder, 9)
    begun = 0

    def script(seen: Seen) -> Behaviour:
        nonlocal begun
        if seen.body.get("model") == "gpt-4.1" and '\\"observation\\"' not in json.dumps(seen.body["messages"]):
            begun += 1
            if begun % 3:
                return unauthorized()
        return detective(seen)

    # Without the cache: the detective's first call is the same for all of them.
    status, said, _ = await run(folder, script, "--concurrency", "1", "--set", "cache.enabled=false")
    assert (status, errors(said)) == (1, [])
    assert (folder.ids(), len(folder.failures())) == ([ids[2], ids[5], ids[8]], 6)


async def test_a_witness_that_is_refused_stops_nothing(folder: Folder) -> None:
    """An instrument saw something, so each clip gets its record all the same."""
    video(folder.path / "film.mp4", seconds=1.0, sound=False)
    folder.input.write_text("".join(json.dumps({"id": f"c{n}", "video": "film.mp4"}) + "\n" for n in range(5)))

    def script(seen: Seen) -> Behaviour:
        if seen.body.get("model") != "gpt-4.1":
            return unauthorized()
        if '\\"observation\\"' in json.dumps(seen.body["messages"]):
            return detective(seen)
        asks = [{"observer": name, "question": "What is there?", "attributes": ["scene"]} for name in ASKED]
        return says(None, tool_calls=[("inquire", json.dumps(ask)) for ask in asks], finish_reason="tool_calls")

    status, said, server = await run(folder, script, "--concurrency", "1")
    assert len([seen for seen in server.seen if seen.body.get("model") == "gpt-4.1-mini"]) >= 5
    assert (status, errors(said)) == (0, []), folder.failures()
    assert len(folder.ids()) == 5


async def test_errors_that_pass_stop_nothing(folder: Folder) -> None:
    ids = pictures(folder, 5)
    status, said, _ = await run(folder, [server_error()], "--set", "retry.attempts=1", "--set", "limits.breaker=1")
    assert (status, errors(said)) == (1, [])
    assert set(folder.failures()) == set(ids)
