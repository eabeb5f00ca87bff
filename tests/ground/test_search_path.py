"""What processes that are started are told to import from."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from omnidetective.search_path import search_path


def test_packages_come_last_and_the_working_directory_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, plain, archive = tmp_path / "package", tmp_path / "plain", tmp_path / "modules.zip"
    package.mkdir()
    (package / "__init__.py").touch()
    plain.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(package), "plain", str(archive), str(tmp_path / "gone")])
    assert search_path().split(os.pathsep) == [str(plain), str(archive), str(tmp_path / "gone"), str(package)]
