"""The examples of docs/guides/mcp.md, as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from observers.mcp.conftest import HttpServer

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs" / "guides" / "mcp.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"^\$ omnidetective (observers ask (?:[^\n]*\\\n)*[^\n]*)\n((?:[^\n`$]+\n)+)", re.MULTILINE)


async def test_the_examples_of_the_guide_give_what_it_shows(tmp_path: Path, http: Callable[..., HttpServer]) -> None:
    (tmp_path / "lamp.py").write_text(GUIDE.split("```python\n")[1].split("```")[0])
    shutil.copytree(ROOT / "data", tmp_path / "data")
    server = http("lamp", tmp_path / "lamp.py")
    await server.start()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PYTHONPATH": str(ROOT), "PATH": path, "LAMP_AUTHORIZATION": "Bearer canary"}
    examples = COMMAND.findall(GUIDE)
    assert len(examples) == 3
    for command, shown in examples:
        arguments = shlex.split(command.replace("\\\n", " ").replace("127.0.0.1:8765", f"127.0.0.1:{server.port}"))
        done = subprocess.run(
            [sys.executable, "-m", "omnidetective", *arguments],
            capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path, env=env,
        )  # fmt: skip
        assert done.stdout == shown, done.stderr
