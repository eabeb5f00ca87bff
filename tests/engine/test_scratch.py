"""Temporary files of a run: gone with their worker, with the run, and at the latest when the next run begins."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from engine.harness import Folder, Start, until

from omnidetective.engine.scratch import scratch_folder, sweep


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's processes put temporary files."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


async def test_a_worker_that_dies_leaves_nothing(folder: Folder, temporary: Path) -> None:
    """While the run still goes on: another clip waits for the folder to be gone."""
    folder.rows([{"id": "poison", "do": "download", "die": True}, {"id": "good"}])
    await folder.run(settings=("concurrency=1",))
    downloaded = Path((folder.path / "downloading").read_text())
    assert downloaded.is_relative_to(temporary)
    assert folder.reasons() == {"poison": "worker_died"}
    assert list(temporary.iterdir()) == []


def test_what_a_killed_run_has_left_goes_when_the_next_one_begins(
    folder: Folder, start: Start, temporary: Path
) -> None:
    folder.rows([{"id": 1, "do": "download", "seconds": 120}])
    killed = start("--quiet")
    until((folder.path / "downloading").exists)
    killed.kill()
    killed.wait(20)
    assert len(list(temporary.rglob("media.mp4"))) == 1
    folder.rows([{"id": 1}])
    again = start("--quiet")
    again.communicate(timeout=30)
    assert (again.returncode, folder.ids()) == (0, ["1"])
    assert list(temporary.iterdir()) == []


def test_the_folder_of_a_run_that_lives_is_left_alone(folder: Folder, start: Start, temporary: Path) -> None:
    folder.rows([{"id": 1, "do": "download", "seconds": 120}])
    start("--quiet")
    until((folder.path / "downloading").exists)
    sweep()
    assert len(list(temporary.rglob("media.mp4"))) == 1


def test_only_what_is_surely_a_dead_run_of_this_user_is_removed(temporary: Path) -> None:
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (elsewhere / "precious").touch()
    (temporary / "omnidetective-run-link").symlink_to(elsewhere)
    (temporary / "omnidetective-run-open").mkdir(mode=0o755)
    (temporary / "omnidetective-run-file").touch()
    (temporary / "omnidetective-run-dead").mkdir(mode=0o700)
    with scratch_folder() as mine:
        assert mine.stat().st_mode & 0o777 == 0o700
        sweep()
        assert {path.name for path in temporary.iterdir()} == {
            "elsewhere",
            "omnidetective-run-link",
            "omnidetective-run-open",
            "omnidetective-run-file",
            mine.name,
        }
    assert not mine.exists()
    assert (elsewhere / "precious").exists()
    sweep(temporary / "nowhere")
    assert [path.name for path in elsewhere.iterdir()] == ["precious"]
