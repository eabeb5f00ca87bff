"""A skeleton as its author uses it: written, built and installed, listed, asked, run in a batch, tested.

What is clean here is the environment that it is installed into: a new one that holds no package but the skeleton. It is
shown the packages of the present environment, at the end of its path, in place of a download. Nothing is installed into
the present one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from omnidetective.observers.skeleton import package_name
from omnidetective.records import CaptionRecord

ROOT = Path(__file__).resolve().parents[2]
NAME = "haze_meter"
TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Place:
    """An environment with the skeleton in it, and a folder to work in."""

    python: Path
    folder: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``python ARGUMENTS`` there."""
        environ = {k: v for k, v in os.environ.items() if not k.startswith("OMNIDETECTIVE_") or k.endswith("_CACHE")}
        return subprocess.run(
            [str(self.python), *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
            cwd=self.folder, env=environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    def omnidetective(self, *arguments: str) -> str:
        """Output of a command that must succeed."""
        done = self.run("-m", "omnidetective", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("author")
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True, timeout=TIMEOUT_S)
    there = Place(venv / "bin" / "python", folder)
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "present.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    assert not list(site.glob("*.dist-info"))
    there.omnidetective("observers", "new", NAME)
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--no-cache-dir", "-q", "--disable-pip-version-check")
    installed = there.run("-m", "pip", "install", *options, f"./{package_name(NAME)}")
    assert installed.returncode == 0, installed.stderr
    assert [path.name for path in site.glob("*.dist-info")] == [f"omnidetective_{NAME}-0.1.0.dist-info"]
    return there


def test_it_is_offered_and_says_what_it_is(place: Place) -> None:
    (row,) = [line for line in place.omnidetective("observers", "list").splitlines() if line.startswith(f"{NAME} ")]
    assert f"{package_name(NAME)} 0.1.0" in row
    assert row.endswith("ready")
    shown = place.omnidetective("observers", "show", NAME, "--set", f"observers.{NAME}.blurred_from=0.3")
    assert f"observers.{NAME}.blurred_from = 0.3" in shown
    assert "From which blur on" in shown


def test_it_answers_about_a_clip_and_about_a_span(place: Place) -> None:
    clip = str(ROOT / "data" / "mountains.mkv")
    assert place.omnidetective("observers", "ask", NAME, clip).startswith("The picture is sharp")
    blurred = ("--set", f"observers.{NAME}.blurred_from=0.05")
    answer = json.loads(place.omnidetective("observers", "ask", NAME, clip, "--span", "2-4", "--json", *blurred))
    assert answer["observer"] == NAME
    assert "blurred" in answer["answer"]
    assert [frame["time_s"] for frame in answer["data"]["values"]["frames"]] == [2.0, 2.5, 3.0, 3.5]


def test_a_mistake_in_its_settings_is_told(place: Place) -> None:
    done = place.run("-m", "omnidetective", "observers", "list", "--set", f"observers.{NAME}.blurred_form=0.5")
    assert done.returncode == 2
    assert f"did you mean observers.{NAME}.blurred_from?" in done.stderr


def test_the_detective_asks_it_in_a_batch(place: Place) -> None:
    clips = {"hills": "mountains.mkv", "stills": "poster.jpg"}
    rows = [json.dumps({"id": key, "path": str(ROOT / "data" / name)}) for key, name in clips.items()]
    (place.folder / "input.jsonl").write_text("\n".join(rows))
    others = [word for name in ("asr", "ocr") for word in ("--set", f"observers.{name}.enabled=false")]
    options = ["--num-workers", "1", "--quiet", "--set", f"media.roots=[{json.dumps(str(ROOT / 'data'))}]"]
    place.omnidetective("run", "--input", "input.jsonl", "--output", "output.jsonl", *options, *others)
    lines = (place.folder / "output.jsonl").read_text(encoding="utf-8").splitlines()
    records = {record.id: record for record in map(CaptionRecord.model_validate_json, lines)}
    assert set(records) == set(clips)
    for record in records.values():
        (seen,) = [item for item in record.observations or () if item.observer == NAME]
        assert seen.error is None
        assert seen.answer.startswith("The picture is sharp")
        assert seen.data is not None
        assert seen.data.type == "other"


def test_its_own_tests_pass(place: Place) -> None:
    done = place.run("-m", "pytest", "-q", "-p", "no:cacheprovider", package_name(NAME))
    assert done.returncode == 0, done.stdout + done.stderr
