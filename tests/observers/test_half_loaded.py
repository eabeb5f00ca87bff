"""A package that one thread is still loading is no reason for an observer in another to fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from observers.conftest import SAMPLES

_SCRIPT = """
import asyncio, json, sys, threading
from importlib.machinery import ExtensionFileLoader
from pathlib import Path

inside, go_on = threading.Event(), threading.Event()
create = ExtensionFileLoader.create_module

def held(loader, spec):
    module = create(loader, spec)
    if spec.name == "cv2":
        inside.set()
        go_on.wait()
    return module

ExtensionFileLoader.create_module = held

from observers.conftest import context, instrument
from omnidetective.media.decoder import close_decoders
from omnidetective.media.intake import open_clip
from omnidetective.observers.ask import ask
from omnidetective.observers.shots import Shots
from omnidetective.rows import parse_row

async def main():
    path = Path(sys.argv[1])
    async with open_clip(parse_row({"path": str(path)}), context().settings.media, base_dir=path.parent) as clip:
        if sys.argv[2] == "new":
            close_decoders()
        loading = threading.Thread(target=__import__, args=("cv2",))
        loading.start()
        await asyncio.to_thread(inside.wait)
        # What OpenCV does to a process while it is being loaded. Where it no longer does, this shows nothing.
        half = [sys.modules["cv2"].__spec__ is None, any(p.endswith("/cv2") for p in sys.path)]
        answer = await ask(instrument(Shots), clip, "What is there?", None, timeout_s=120)
        still_half = sys.modules["cv2"].__spec__ is None
        go_on.set()
        loading.join()
    print(json.dumps([*half, still_half, answer.model_dump(mode="json")]))

asyncio.run(main())
"""


@pytest.mark.parametrize("decoder", ["running", "new"])
def test_shots_are_told_while_another_thread_is_loading_opencv(decoder: str) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-c", _SCRIPT, str(SAMPLES / "mountains.mkv"), decoder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, env=environment)
    assert done.returncode == 0, done.stderr
    no_spec, own_folder_first, still_half, answer = json.loads(done.stdout)
    assert (no_spec, own_folder_first, still_half) == (True, True, True)
    assert "error" not in answer or answer["error"] is None, answer["error"]
    assert [cut["time_s"] for cut in answer["data"]["cuts"]] == pytest.approx([5.28], abs=0.1)
    assert answer["data"]["camera"] != []
    assert answer["data"]["still"] is False
