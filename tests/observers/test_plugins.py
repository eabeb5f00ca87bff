"""Plugins as separate packages in a second process: a good one is offered, a broken one is a row with its reason."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

GOOD = '''
from omnidetective.observers.base import ObserverSettings, ObserverSpec, observation

class Settings(ObserverSettings):
    word: str = "bright"
    """What it says."""

class Plug:
    spec = ObserverSpec(name="{name}", kind="instrument", modalities=("video", "audio", "image"),
                        description="Says one word.", attributes=("scene",), settings=Settings)
    def __init__(self, settings, context):
        self.word = settings.word
    async def observe(self, clip, question, span):
        return observation(self.spec, question, span, answer=f"{{self.word}}, {{clip.duration_s:.1f}} s")
'''


def package(folder: Path, name: str, code: str, *, entry: str | None = None) -> None:
    """An installed package, as an installer leaves it: a module and its metadata."""
    (folder / f"{name}_plug.py").write_text(code)
    info = folder / f"{name}_plug-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-plug\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[omnidetective.observers]\n{name} = {entry or f'{name}_plug:Plug'}\n")


def omnidetective(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "omnidetective", *arguments],
        capture_output=True, text=True, timeout=120, check=False, env=os.environ | {"PYTHONPATH": str(site)},
    )  # fmt: skip


def row(listing: str, name: str) -> str:
    (found,) = [line for line in listing.splitlines() if line.startswith(f"{name} ")]
    return found


def test_an_installed_package_is_listed_shown_set_and_asked(tmp_path: Path) -> None:
    package(tmp_path, "lamp", GOOD.format(name="lamp"))
    listed = omnidetective(tmp_path, "observers", "list")
    assert listed.returncode == 0
    assert "lamp-plug 1.2" in row(listed.stdout, "lamp")
    assert "ready" in row(listed.stdout, "lamp")
    shown = omnidetective(tmp_path, "observers", "show", "lamp", "--set", "observers.lamp.word=dim").stdout
    assert "observers.lamp.word = 'dim'" in shown
    assert "What it says." in shown
    clip = tmp_path / "tone.wav"
    _tone(clip)
    asked = omnidetective(
        tmp_path, "observers", "ask", "lamp", str(clip), "How bright?", "--set", "observers.lamp.word=dim"
    )
    assert asked.stdout.strip() == "dim, 1.0 s", asked.stderr


def test_the_observer_in_the_guide_works_as_it_stands_there(tmp_path: Path) -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "guides" / "observers.md").read_text(encoding="utf-8")
    code = guide.split("```python\n")[1].split("```")[0]
    package(tmp_path, "loudest", code, entry="loudest_plug:Loudest")
    clip = tmp_path / "swell.wav"
    _tone(clip, "aevalsrc=sin(2*PI*440*t)*lt(abs(t-2.05)\\,0.1)/2+0.01:d=4")
    asked = omnidetective(tmp_path, "observers", "ask", "loudest", str(clip), "--span", "1-4")
    assert asked.stdout == "It is loudest at 2.0 s.\n", asked.stderr
    fine = ("--set", "observers.loudest.window_s=0.5", "--json")
    answer = json.loads(omnidetective(tmp_path, "observers", "ask", "loudest", str(clip), *fine).stdout)
    assert answer["data"] == {"type": "other", "values": {"loudest_s": 2.0}}


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import a_module_that_is_not_there", "cannot be imported: ModuleNotFoundError"),
        ("raise SystemError('no')", "cannot be imported: SystemError: no"),
        ("def broken(:\n", "cannot be imported: SyntaxError"),
        ("class Plug: pass", "no `spec`"),
        (GOOD.format(name="other"), "must agree"),
        (GOOD.format(name="bad").replace("async def observe", "async def look"), "no method `observe`"),
        (GOOD.format(name="bad").replace("self.word = settings.word", "1 / 0"), "ZeroDivisionError"),
    ],
    ids=["missing import", "raises", "syntax", "no spec", "wrong name", "no observe", "constructor"],
)
def test_a_broken_package_is_a_row_and_the_others_go_on(tmp_path: Path, code: str, told: str) -> None:
    package(tmp_path, "bad", code)
    package(tmp_path, "lamp", GOOD.format(name="lamp"))
    listed = omnidetective(tmp_path, "observers", "list")
    assert listed.returncode == 0
    assert told in row(listed.stdout, "bad")
    assert "ready" in row(listed.stdout, "lamp")
    assert "ready" in row(listed.stdout, "shots")


def test_a_package_cannot_take_the_name_of_a_built_in(tmp_path: Path) -> None:
    package(tmp_path, "shots", GOOD.format(name="shots"))
    lines = [x for x in omnidetective(tmp_path, "observers", "list").stdout.splitlines() if x.startswith("shots ")]
    assert len(lines) == 2
    assert "built-in" in lines[0]
    assert "the name is taken" in lines[1]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise RuntimeError('lens cap on')", "lens cap on"),
        ("import asyncio; await asyncio.sleep(60)", "did not answer within 1 s"),
        ("return 'a plain string'", "not an Observation"),
        ("return None", "not an Observation"),
        ("return observation(self.spec, question, span, answer='')", "empty answer"),
        ("return observation(self.spec, question, span, answer='x' * 10_000_000)", "10,000,000 characters"),
        ("return observation(self.spec, question, span, answer='\\ud800')", "not valid"),
        ("import os; return observation(self.spec, question, span, answer=b'\\xff')", "validation error"),
    ],
    ids=["raises", "hangs", "string", "nothing", "empty", "10 MB", "no unicode", "bytes"],
)
def test_whatever_a_plugin_does_costs_its_inquiry_and_says_why(tmp_path: Path, body: str, told: str) -> None:
    answer = 'return observation(self.spec, question, span, answer=f"{self.word}, {clip.duration_s:.1f} s")'
    package(tmp_path, "lamp", GOOD.format(name="lamp").replace(answer, body))
    clip = tmp_path / "tone.wav"
    _tone(clip)
    asked = omnidetective(tmp_path, "observers", "ask", "lamp", str(clip), "--set", "investigate.observer_timeout_s=1")
    assert asked.returncode == 1
    assert told in asked.stderr
    assert "Traceback" not in asked.stderr


def _tone(path: Path, source: str = "sine=d=1") -> None:
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", source, str(path)]
    subprocess.run(command, check=True, timeout=30)
