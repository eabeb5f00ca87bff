"""Help is quick because nothing heavy is imported for it; the time itself is in `make bench`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from omnidetective.cli.main import COMMANDS

HEAVY = {
    "openai", "dashscope", "numpy", "av", "PIL", "pydantic", "jinja2", "tqdm", "aiohttp", "httpx", "tenacity",
    "faster_whisper", "rapidocr", "onnxruntime", "cv2", "ctranslate2", "asyncio", "multiprocessing", "sqlite3",
}  # fmt: skip
MODEL_LIBRARIES = {
    "openai", "dashscope", "numpy", "av", "faster_whisper", "rapidocr", "onnxruntime", "cv2", "ctranslate2", "torch",
    "torchaudio", "transformers", "whisperx", "pyannote", "speechbrain", "tokenizers", "huggingface_hub", "mcp",
    "ray", "opentelemetry",
}  # fmt: skip


def modules_after(code: str) -> set[str]:
    listing = f"import sys, json\n{code}\nprint(json.dumps([m for m in sys.modules if '.' not in m]), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stderr.strip().splitlines()[-1]))


def test_help_imports_nothing_heavy() -> None:
    code = "sys.argv = ['omnidetective', '--help']\nfrom omnidetective.cli.main import cli\ncli(standalone_mode=False)"
    assert modules_after(code) & HEAVY == set()


def test_importing_the_package_imports_no_model_library() -> None:
    assert (
        modules_after("import omnidetective; omnidetective.CaptionRecord; omnidetective.load_config") & MODEL_LIBRARIES
        == set()
    )


def test_listing_the_observers_imports_no_model_library_and_no_network() -> None:
    code = (
        "sys.argv = ['omnidetective', 'observers', 'list']\n"
        "from omnidetective.cli.main import cli\ncli(standalone_mode=False)"
    )
    assert modules_after(code) & (MODEL_LIBRARIES | {"aiohttp", "PIL"}) == set()


@pytest.mark.parametrize("command", list(COMMANDS))
def test_the_help_of_a_command_imports_no_model_library(command: str) -> None:
    code = (
        f"sys.argv = ['omnidetective', {command!r}, '--help']\n"
        "from omnidetective.cli.main import cli\ncli(standalone_mode=False)"
    )
    assert modules_after(code) & MODEL_LIBRARIES == set()
