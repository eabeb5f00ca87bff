"""``--max-cost``: the run stops, says where it stands, and goes on with a higher cap without paying anything twice."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from pathlib import Path

from e2e.media_files import video
from e2e.test_model_sets import KEY, omnidetective, records, studio
from e2e.test_paid_once import asked
from servers.faulty_openai import Behaviour, FaultyOpenAI, Seen, late

# What answers may cost is reserved, up to 4,096 tokens of them ($4.096); they take 7 ($0.007).
PRICES = """
prices:
  - {match: "openai:*", host: 127.0.0.1, prompt: 0, completion: 1000, audio_minute: 0, source: mine, date: 2026-01-01}
"""


async def test_it_stops_and_goes_on_with_a_higher_cap(tmp_path: Path) -> None:
    # One worker: clips whose captions are the same ask the same of the stages after, and two workers would both pay.
    rows = [{"id": n, "video": f"{n}.mp4"} for n in ("a", "b", "c")]
    for number, row in enumerate(rows):
        video(tmp_path / row["video"], seconds=2 + number)
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "prices.yaml").write_text(PRICES)
    answered: Counter[str] = Counter()

    def play(seen: Seen) -> Behaviour:
        answered[asked(seen)] += 1
        return late(studio(seen), 0.05)

    async with FaultyOpenAI(play) as server:
        environment = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.base_url}
        status, told = await omnidetective(
            "run", "--input", "in.jsonl", "--output", "out.jsonl", "--models", "openai",
            "--set", "observers.ocr.enabled=false", "--set", "prices=prices.yaml", "--max-cost", "4.13",
            cwd=tmp_path, **environment,
        )  # fmt: skip
        assert status == 3, told
        before = sum(answered.values())
        # Five answers leave less than the longest answer may cost, which every clip needs before it is done.
        assert before >= 5, told
        assert not (tmp_path / "out.jsonl").read_text()
        assert not (tmp_path / "out.failures.jsonl").exists()
        assert "3 clips were not started" in told
        assert re.search(r"spent \$0\.[01]\d+ of \$4\.13", told), told
        assert "of $4.13; the most that was reserved for one call: $4.10" in told
        assert "Traceback" not in told
        again = re.search(r"to go on with a higher cap: python -m omnidetective (.*)", told)
        assert again is not None, told
        assert "--max-cost 8.26" in again[1]
        status, told = await omnidetective(*shlex.split(again[1]), cwd=tmp_path, **environment)
    assert status == 0, told
    assert sum(answered.values()) > before
    assert max(answered.values()) == 1, "a call was paid twice"
    written = records(tmp_path / "out.jsonl")
    assert sorted(record["id"] for record in written) == ["a", "b", "c"]
    assert all(record["outcome"] == "accepted" for record in written), [record["quality"] for record in written]
    assert all("error" not in o or o["error"]["reason"] != "max_cost" for r in written for o in r["observations"])


async def test_one_clip_is_stopped_too(tmp_path: Path) -> None:
    video(tmp_path / "film.mp4")
    (tmp_path / "prices.yaml").write_text(PRICES)
    async with FaultyOpenAI(studio) as server:
        status, told = await omnidetective(
            "caption", "film.mp4", "--models", "openai", "--set", "limits.max_cost_usd=1",
            "--set", "prices=prices.yaml", "--set", "observers.ocr.enabled=false",
            cwd=tmp_path, OPENAI_API_KEY=KEY, OPENAI_BASE_URL=server.base_url,
        )  # fmt: skip
    assert status == 3, told
    assert "error: the next call may cost $" in told
