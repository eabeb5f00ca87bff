"""What importing the media room costs the worker, and what never happens in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import asyncio, json, sys
from pathlib import Path
import omnidetective.media.intake
early = [name for name in ("av", "PIL", "numpy", "aiohttp", "ffmpeg", "tenacity") if name in sys.modules]

from omnidetective.media.intake import open_clip
from omnidetective.records import InputRow
from omnidetective.settings import MediaSettings

async def main():
    path = Path(sys.argv[1])
    async with open_clip(InputRow(id="c", media=path.name, raw={}), MediaSettings(), base_dir=path.parent) as clip:
        await clip.uniform_frames(3)
        await clip.contact_sheet(3, columns=2)
        await clip.pcm()
        await clip.scene_cuts()

asyncio.run(main())
print(json.dumps([early, [name for name in ("av", "PIL") if name in sys.modules]]))
"""


def test_decoders_are_loaded_late_and_never_in_the_worker(numbered: Path) -> None:
    run = subprocess.run([sys.executable, "-c", _SCRIPT, str(numbered)], capture_output=True, check=True, timeout=60)
    early, decoders = json.loads(run.stdout)
    assert early == []
    assert decoders == []
