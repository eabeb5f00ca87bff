"""Small batches with packages installed, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

QUICK = (
    "--set", "observers.ocr.enabled=false",
    "--set", "observers.asr.enabled=false",
    "--set", "observers.sound.enabled=false",
)  # fmt: skip


def pictures(folder: Path, count: int) -> None:
    """An input of small pictures, each of another colour."""
    rows = []
    for number in range(count):
        Image.new("RGB", (64, 48), (40 * number, 90, 200)).save(folder / f"p{number}.jpg")
        rows.append(json.dumps({"id": f"p{number}", "image": f"p{number}.jpg"}))
    (folder / "in.jsonl").write_text("\n".join(rows) + "\n")


def command(site: Path, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line with these packages installed."""
    root = Path(__file__).resolve().parents[2]
    env = os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{root}"}
    return subprocess.run(
        [sys.executable, "-m", "omnidetective", *arguments],
        capture_output=True, text=True, timeout=300, check=False, env=env, cwd=cwd,
    )  # fmt: skip


def run(folder: Path, *more: str) -> tuple[dict[str, dict[str, Any]], subprocess.CompletedProcess[str]]:
    """Do the input of a folder with two workers; its records by id."""
    done = command(
        folder / "site", "run", "--input", "in.jsonl", "--output", "out.jsonl", "--num-workers", "2",
        "--log-file", "log.jsonl", *QUICK, *more, cwd=folder,
    )  # fmt: skip
    output = folder / "out.jsonl"
    records = [json.loads(line) for line in output.read_text().splitlines()] if output.exists() else []
    return {record["id"]: record for record in records}, done


def of(record: Mapping[str, Any], observer: str) -> dict[str, Any]:
    (found,) = [one for one in record["observations"] if one["observer"] == observer]
    return found


def left_behind(site: Path) -> list[str]:
    """Processes that have this folder in their environment, but for the decoders that a process keeps for its clips."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if str(site).encode() in (process / "environ").read_bytes():
                    command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:200]
                    if (
                        "media.decoder_child" not in command
                        or int((process / "stat").read_text().split()[3]) != os.getpid()
                    ):
                        found.append(command)
            except OSError:
                continue
    return found
