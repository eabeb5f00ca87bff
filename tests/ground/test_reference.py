"""``docs/reference`` says what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import write_reference

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", ["record.schema.json", "failure.schema.json", "settings.md", "cli.md"])
def test_the_page_is_current(name: str) -> None:
    written = (REFERENCE / name).read_text(encoding="utf-8")
    assert written == write_reference.pages()[name], "run `make reference`"
