"""Runs with real worker processes: every clip once, whatever its pipeline does to its process."""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from engine import fakes
from engine.harness import Folder

from omnidetective.engine.source import Shard
from omnidetective.errors import ConfigError, OmnidetectiveError, UserError

SOME = [{"id": n} for n in range(6)]


async def test_every_clip_once(folder: Folder) -> None:
    folder.rows({"id": n, "video": f"{n}.mp4", "mine": {"n": n}} for n in range(50))
    summary = await folder.run(settings=("num_workers=2", "concurrency=4"))
    assert sorted(folder.ids(), key=int) == [str(n) for n in range(50)]
    assert {json.loads(line)["input"]["mine"]["n"] for line in folder.output.read_text().splitlines()} == set(range(50))
    assert summary.exit_status == 0
    assert summary.outcomes == {"accepted": 50}
    assert (summary.usage.calls, summary.usage.by_model["fake:model"].prompt_tokens) == (100, 5000)
    assert not folder.failures_file.exists()
    assert sorted(path.name for path in folder.path.iterdir()) == ["in.jsonl", "out.jsonl", "out.state.sqlite"]


async def test_again_there_is_nothing_to_do(folder: Folder) -> None:
    folder.rows(SOME)
    await folder.run()
    before = folder.output.read_bytes()
    # A pipeline that dies shows that no worker is even started.
    summary = await folder.run(factory=fakes.die_at_start)
    assert (summary.already_done, summary.recorded, summary.exit_status) == (6, 0, 0)
    assert folder.output.read_bytes() == before


async def test_rows_added_later_are_done(folder: Folder) -> None:
    folder.rows(SOME)
    await folder.run()
    folder.rows([{"id": "new"}, *SOME])
    assert (await folder.run()).recorded == 1
    assert folder.ids()[-1] == "new"


async def test_rows_without_an_id_resume(folder: Folder) -> None:
    folder.rows({"video": f"{n}.mp4"} for n in range(4))
    await folder.run(limit=2)
    summary = await folder.run()
    assert (summary.already_done, summary.recorded) == (2, 2)
    assert len(set(folder.ids())) == 4


async def test_bad_rows_do_not_stop_the_run_and_are_told_once(folder: Folder) -> None:
    good = b'{"id": 1, "video": "a"}\n'
    folder.input.write_bytes(b"{bad\n" + good + good + b'{"id": 2}\n\xff\n' + b'{"id": 3, "video": "b"}')
    for _ in range(2):
        summary = await folder.run()
        assert sorted(folder.ids()) == ["1", "3"]
        told = [json.loads(line) for line in folder.failures_file.read_bytes().splitlines()]
        assert [(fault["line_number"], fault["error"]["reason"]) for fault in told] == [
            (1, "invalid_json"),
            (3, "duplicate_id"),
            (4, "no_media"),
            (5, "invalid_utf8"),
        ]
        assert told[0]["input"] == "{bad"
        assert told[2]["input"] == {"id": 2}
        assert (summary.exit_status, summary.failed, summary.faulty_rows) == (1, 4, 4)
    folder.input.write_bytes(
        folder.input.read_bytes().replace(b"{bad", b"").replace(b'"id": 2', b'"id": 2, "url": "u"')
    )
    await folder.run()
    assert [json.loads(line)["line_number"] for line in folder.failures_file.read_bytes().splitlines()] == [3, 5]


async def test_failed_clips_wait_for_retry_failed(folder: Folder) -> None:
    seen = folder.path / "seen"
    folder.rows([{"id": "a"}, {"id": "b", "do": "fail"}, {"id": "c", "do": "fail_once", "seen": str(seen)}])
    first = await folder.run()
    assert first.failure_reasons == {"transient": 2}
    assert folder.reasons() == {"b": "transient", "c": "transient"}

    second = await folder.run()
    assert (second.failed_before, second.recorded, second.failed, second.exit_status) == (2, 0, 0, 1)

    third = await folder.run(retry_failed=True)
    assert (third.recorded, third.failed) == (1, 1)
    assert folder.ids() == ["a", "c"]
    assert folder.reasons() == {"b": "transient"}


async def test_what_a_pipeline_must_not_do_is_an_internal_failure(folder: Folder) -> None:
    wrongs = ["raise", "wrong_id", "nothing", "surrogate", "cancel", "sys_exit"]
    folder.rows([*({"id": wrong, "do": wrong} for wrong in wrongs), {"id": "good"}])
    summary = await folder.run()
    assert folder.ids() == ["good"]
    assert folder.reasons() == dict.fromkeys(wrongs, "internal")
    assert "a fault in the pipeline" in folder.failures()["raise"]["error"]["message"]
    assert summary.crashes == 0


@pytest.mark.parametrize("how", ["kill", "segfault", "exit"])
async def test_a_clip_that_kills_its_worker_is_given_up_and_no_other(folder: Folder, how: str) -> None:
    marks = folder.path / "begun"
    clips = [{"id": n, "do": "sleep", "seconds": 0.05} for n in range(20)]
    clips.insert(7, {"id": "poison", "do": how, "mark": str(marks)})
    folder.rows(clips)
    summary = await folder.run(settings=("num_workers=2", "concurrency=3"))
    assert sorted(folder.ids(), key=int) == [str(n) for n in range(20)]
    failure = folder.failures()["poison"]
    assert (failure["outcome"], failure["error"]["reason"], failure["error"]["attempts"]) == (
        "crashed",
        "worker_died",
        2,
    )
    assert marks.read_bytes() == b"xx"
    assert summary.crashes == 2


async def test_clips_that_were_only_bystanders_get_their_records(folder: Folder) -> None:
    """Three clips that take the worker down only when they are not alone: too little memory for all of them."""
    folder.rows({"id": n, "do": "kill_unless_alone", "seconds": 0.1} for n in range(3))
    summary = await folder.run(settings=("concurrency=3",))
    assert sorted(folder.ids()) == ["0", "1", "2"]
    assert (summary.exit_status, summary.crashes) == (0, 1)


async def test_every_clip_is_poison(folder: Folder) -> None:
    folder.rows({"id": n, "do": "kill"} for n in range(4))
    summary = await folder.run(settings=("concurrency=4",))
    assert summary.failure_reasons == {"worker_died": 4}
    assert folder.ids() == []


async def test_a_clip_past_its_time(folder: Folder) -> None:
    folder.rows([{"id": "slow", "do": "sleep", "seconds": 60}, {"id": "good"}])
    summary = await folder.run(settings=("limits.clip_timeout_s=0.2",), grace_s=0.2)
    assert folder.ids() == ["good"]
    failure = folder.failures()["slow"]
    assert (failure["outcome"], failure["error"]["reason"]) == ("timed_out", "clip_timeout")
    assert summary.crashes == 0


async def test_a_worker_that_is_stuck_is_killed(folder: Folder) -> None:
    """A clip that never gives its event loop back takes its neighbours' answers with it, not their records."""
    neighbours = [{"id": n, "do": "sleep", "seconds": 0.1} for n in range(3)]
    folder.rows([*neighbours, {"id": "stuck", "do": "block", "seconds": 120}, {"id": "later"}])
    await folder.run(settings=("limits.clip_timeout_s=0.5",), grace_s=0.5)
    assert sorted(folder.ids()) == ["0", "1", "2", "later"]
    assert folder.reasons() == {"stuck": "worker_stuck"}


async def test_a_pipeline_that_cannot_be_built(folder: Folder) -> None:
    folder.rows(SOME)
    with pytest.raises(UserError, match=r"no such stage: dance \(known: investigate\)"):
        await folder.run(factory=fakes.refuse, settings=("num_workers=2",))
    with pytest.raises(OmnidetectiveError, match="oops") as caught:
        await folder.run(factory=fakes.broken)
    assert not isinstance(caught.value, UserError)
    with pytest.raises(OmnidetectiveError, match="status 7"):
        await folder.run(factory=fakes.die_at_start)
    assert (await folder.run()).recorded == 6


async def test_limit_and_shards(folder: Folder) -> None:
    folder.rows({"id": n} for n in range(30))
    assert (await folder.run(limit=5)).rows == 5
    assert sorted(folder.ids(), key=int) == ["0", "1", "2", "3", "4"]
    assert (await folder.run(limit=5)).already_done == 5
    for part in (1, 2):
        await folder.run(shard=Shard(part, 2))
    assert sorted(folder.ids(), key=int) == [str(n) for n in range(30)]


async def test_faults_of_other_shards_stay(folder: Folder) -> None:
    folder.input.write_text("".join(f'{{"id": {n}}}\n' for n in range(20)))
    for part in (1, 2, 1):
        await folder.run(shard=Shard(part, 2))
    assert len(folder.failures()) == 20


async def test_no_resume_begins_anew(folder: Folder) -> None:
    folder.rows(SOME)
    await folder.run()
    assert (await folder.run(resume=False)).recorded == 6
    assert len(folder.ids()) == 6
    assert (folder.path / "out.bak1.jsonl").read_bytes().count(b"\n") == 6


async def test_nothing_to_do(folder: Folder) -> None:
    folder.input.write_bytes(b"\n\r\n")
    summary = await folder.run()
    assert (summary.rows, summary.exit_status) == (0, 0)


async def test_unknown_cost_stays_unknown(folder: Folder) -> None:
    folder.rows([{"id": 1}, {"id": 2, "do": "unknown_cost"}])
    summary = await folder.run()
    assert summary.usage.cost_usd is None
    assert summary.usage.calls == 3
    assert (await folder.run()).usage.cost_usd == Decimal(0)


async def test_logs_of_workers_reach_the_parent_with_the_clip(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "omnidetective")
    folder.rows([{"id": "loud", "do": "log"}, {"id": "bad", "do": "raise"}])
    await folder.run()
    said: list[Any] = [(record.name, record.getMessage(), getattr(record, "clip", "")) for record in caplog.records]
    assert ("omnidetective.tests", "from a thread: esc \x1b[31m", "loud") in said
    traceback = next(record for record in caplog.records if getattr(record, "worker_traceback", ""))
    assert "ValueError: a fault in the pipeline" in vars(traceback)["worker_traceback"]
    assert vars(traceback)["clip"] == "bad"


async def test_inputs_and_outputs_that_cannot_be(folder: Folder) -> None:
    folder.rows(SOME)
    (folder.path / "out.failures.jsonl").symlink_to(folder.input)
    with pytest.raises(ConfigError, match="also what the run would write"):
        await folder.run()
    (folder.path / "out.failures.jsonl").unlink()
    folder.output.symlink_to(folder.input)
    with pytest.raises(ConfigError, match="also what the run would write"):
        await folder.run()
    folder.output.unlink()
    with pytest.raises(UserError, match="choose one"):
        await folder.run(resume=False, retry_failed=True)
    folder.input.unlink()
    with pytest.raises(ConfigError, match="there is no input"):
        await folder.run()
    assert list(folder.path.iterdir()) == []


async def test_the_base_folder_is_the_inputs(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.rows([{"id": 1}])
    monkeypatch.chdir(folder.path.parent)
    monkeypatch.setattr(folder, "input", Path(folder.path.name) / "in.jsonl")
    await folder.run(factory=fakes.tell_base_dir)
    assert json.loads(folder.output.read_text())["caption"] == str(folder.path)
