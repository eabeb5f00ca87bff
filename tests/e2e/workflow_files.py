"""Workflows for tests that are about one stage."""

from __future__ import annotations

from pathlib import Path

import yaml


def detective_alone(folder: Path) -> str:
    """A workflow file of the investigation alone: the detective's report is the caption."""
    file = folder / "detective-alone.yaml"
    file.write_text(
        yaml.safe_dump({"name": "detective-alone", "description": "no more", "stages": [{"stage": "investigate"}]})
    )
    return str(file)
