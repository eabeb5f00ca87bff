"""The commands as a user meets them: what they print, and how they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def omnidetective(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY") and not k.startswith("OMNIDETECTIVE_")}
    env |= {"OMNIDETECTIVE_CACHE": os.environ["OMNIDETECTIVE_CACHE"]} if "OMNIDETECTIVE_CACHE" in os.environ else {}
    return subprocess.run(
        [sys.executable, "-m", "omnidetective", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=cwd,
        env=env | environment,
        check=False,
    )


def test_no_command_prints_the_help_and_every_command() -> None:
    done = omnidetective("--help")
    assert done.returncode == 0
    for name in (
        "run",
        "caption",
        "estimate",
        "stats",
        "status",
        "failures",
        "observers",
        "prompts",
        "config",
        "weights",
        "doctor",
    ):
        assert f"\n  {name} " in done.stdout


def test_a_misspelt_command_is_told_the_nearest() -> None:
    done = omnidetective("captoin", "x.mp4")
    assert done.returncode == 2
    assert "'caption'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("config", "show", "--set", "investigate.inquirys=3"), "did you mean investigate.inquiries?"),
        (("config", "show", "--models", "opnai"), "did you mean openai?"),
        (("prompts", "show", "detective/sistem"), "prompts list"),
        (("observers", "list", "--set", "observers.asr.engin=x"), "did you mean observers.asr.engine?"),
        (("observers", "list", "--set", "observers.ars.engine=x"), "did you mean asr?"),
        (("caption", "x.mp4", "--workflow", "omnidetectiv"), "did you mean omnidetective?"),
    ],
)
def test_a_mistake_of_the_user_is_one_line_and_exit_2(arguments: tuple[str, ...], told: str) -> None:
    done = omnidetective(*arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_config_show_says_where_a_value_comes_from(tmp_path: Path) -> None:
    (tmp_path / "omnidetective.yaml").write_text("investigate: {inquiries: 3}\n")
    done = omnidetective(
        "config", "show", "--sources", "--set", "concurrency=2", cwd=tmp_path, OMNIDETECTIVE_MEDIA__ALLOW_PRIVATE="true"
    )
    assert "investigate.inquiries = 3    # omnidetective.yaml" in done.stdout
    assert "media.allow_private = true    # environment" in done.stdout
    assert "concurrency = 2    # --set" in done.stdout
    assert 'models = "local"    # default' in done.stdout


def test_prompts_are_listed_shown_rendered_and_compared(tmp_path: Path) -> None:
    listed = omnidetective("prompts", "list").stdout
    assert "detective/system" in listed
    shown = omnidetective("prompts", "show", "detective/inquire").stdout
    assert shown.startswith("---\nversion:")
    rendered = omnidetective("prompts", "render", "detective/demand", "must_conclude=the time is up", "truncated=false")
    assert "the time is up" in rendered.stdout
    missing = omnidetective("prompts", "render", "detective/demand")
    assert missing.returncode == 2
    assert "must_conclude" in missing.stderr
    (tmp_path / "detective").mkdir()
    (tmp_path / "detective" / "inquire.md").write_text(shown.replace("Put one question", "Address one question"))
    compared = omnidetective("prompts", "diff", str(tmp_path)).stdout
    assert "+Address one question" in compared
    assert "-Put one question" in compared


def test_observers_show_tells_what_to_ask_and_every_setting() -> None:
    done = omnidetective("observers", "show", "frame_captioner")
    assert "witness" in done.stdout
    assert "observers.frame_captioner.max_frames = 12" in done.stdout
    assert "Not available" in done.stdout


def test_a_missing_clip_is_a_plain_error_and_exit_1(tmp_path: Path) -> None:
    done = omnidetective("caption", str(tmp_path / "nothing.mp4"))
    assert done.returncode == 1
    assert "nothing.mp4" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.weights
def test_caption_prints_the_caption_alone_or_the_whole_record() -> None:
    path = Path(__file__).resolve().parents[2] / "data" / "mountains.mkv"
    done = omnidetective("caption", str(path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    record = json.loads(omnidetective("caption", str(path), "--json").stdout)
    assert [one["error"] for one in record["observations"] if "error" in one] == []
    assert record["caption"] == done.stdout.strip()
    assert record["schema_version"] == 1
