"""A benchmark run as a user runs it: the command, in a process of its own, against a judge over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from servers.faulty_openai import Behaviour, FaultyOpenAI, Seen, says

Reply = Callable[[str, str], str | Behaviour]
"""What the judge says to a system prompt and a user prompt."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How the command ended. ``calls`` is how many requests the judge got in this run."""

    status: int
    stdout: str
    stderr: str
    calls: int
    result: dict[str, Any]
    items: list[dict[str, Any]]


class Bench:
    """One benchmark with its files in a folder."""

    def __init__(self, folder: Path, name: str, *, data: Path, captions: Path, options: Sequence[str] = ()) -> None:
        self.folder = folder
        self.output = folder / "result.json"
        self._arguments = ["eval", name, "--data", str(data), "--captions", str(captions), "--output", str(self.output)]
        self._arguments += options

    async def run(
        self,
        reply: Reply,
        *,
        kill_after: int | None = None,
        by: signal.Signals = signal.SIGKILL,
        seconds: float = 120.0,
    ) -> Ran:
        """Run the command; killed (by SIGKILL, or another signal) when the judge has answered so many calls."""
        reached = asyncio.Event()
        answered = 0

        def script(seen: Seen) -> Behaviour:
            nonlocal answered
            answered += 1
            if kill_after is not None and answered >= kill_after:
                reached.set()
            said = reply(_text(seen.body, "system"), _text(seen.body, "user"))
            return says(said) if isinstance(said, str) else said

        async with FaultyOpenAI(script) as server:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "omnidetective",
                *self.arguments(server.base_url),
                cwd=self.folder,
                env={**os.environ, "JUDGE_KEY": "sk-test", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            if kill_after is not None:
                await asyncio.wait_for(reached.wait(), seconds)
                process.send_signal(by)
            out, err = await asyncio.wait_for(process.communicate(), seconds)
            calls = server.calls
        result, items = self._written() if kill_after is None and self.output.exists() else ({}, [])
        return Ran(
            status=process.returncode or 0,
            stdout=out.decode(),
            stderr=err.decode(),
            calls=calls,
            result=result,
            items=items,
        )

    def arguments(self, base_url: str) -> list[str]:
        """The command line, with a judge at this address."""
        return [*self._arguments, "--models", str(self._models(base_url))]

    def _written(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The result, and the line of each item."""
        items = self.folder / "result.items.jsonl"
        return json.loads(self.output.read_text()), read_lines(items)

    def _models(self, base_url: str) -> Path:
        path = self.folder / "judge.yaml"
        path.write_text(
            "name: judge\ndescription: A judge at a scripted server.\n"
            f"models: {{j: {{provider: openai, model: test-model, base_url: {base_url}, api_key_env: JUDGE_KEY}}}}\n"
            "roles: {judge: j}\n"
        )
        return path


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A JSON Lines file."""
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def read_lines(path: Path) -> list[dict[str, Any]]:
    """What a JSON Lines file holds."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def scores(ran: Ran, row: str = "", *, table: int = 0) -> dict[str, float | None]:
    """The numbers of a row of the result, the first one by default; ``None`` where a score is not defined."""
    rows = ran.result["tables"][table]["rows"]
    found = rows[0] if not row else next(one for one in rows if one["name"] == row)
    return {name: score.get("value") for name, score in found["scores"].items()}


def _text(body: Mapping[str, Any], role: str) -> str:
    parts = []
    for message in body.get("messages", ()):
        if message["role"] == role:
            content = message["content"]
            parts += [content] if isinstance(content, str) else [part.get("text", "") for part in content]
    return "\n".join(parts)
