"""The reference in docs/ is what the code says today."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from scripts import write_reference

PAGES = ("record.schema.json", "failure.schema.json", "settings.md", "cli.md")


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """As a process of its own writes them: click keeps parts of a help text from the first use of a command."""
    code = "import json; from scripts.write_reference import pages; print(json.dumps(pages()))"
    root = write_reference.REFERENCE.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=120, check=True
    )
    made = json.loads(done.stdout)
    assert isinstance(made, dict)
    return made


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_current(name: str, pages: dict[str, str]) -> None:
    written = (write_reference.REFERENCE / name).read_text(encoding="utf-8")
    assert written == pages[name], "run `make reference`"


def test_there_is_a_test_for_every_page(pages: dict[str, str]) -> None:
    assert set(pages) == set(PAGES)
