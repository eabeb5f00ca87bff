"""Where the files that travel with the program are: prompts, model sets, workflows, prices, the example observer.

They live at the top of the repository, where people look for them, and reach the wheel as
``omnidetective/_resources`` by the one build mapping in ``pyproject.toml``.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def resource_root() -> Path:
    """Folder that holds ``prompts/``, ``configs/`` and ``tools/example/``, in a wheel and in a checkout alike."""
    package = Path(__file__).resolve().parent
    installed = package / "_resources"
    return installed if installed.is_dir() else package.parent


def cache_root() -> Path:
    """The user's cache folder of this program: weights, downloads. ``OMNIDETECTIVE_CACHE`` moves it."""
    override = os.environ.get("OMNIDETECTIVE_CACHE")
    return Path(override).expanduser() if override else Path(platformdirs.user_cache_dir("omnidetective"))
