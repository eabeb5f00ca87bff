"""Packages whose observers do everything that an observer must not do."""

from __future__ import annotations

from pathlib import Path

_CODE = '''
import asyncio, ctypes, os, sys, time
{at_import}
from omnidetective.observers.base import ObserverSettings, ObserverSpec, observation

class Settings(ObserverSettings):
    word: str = "bright"
    """What it says."""

class Plug:
    spec = ObserverSpec(name="{spec_name}", kind="instrument", modalities=("video", "audio", "image"),
                        description="Says a word.", attributes=("scene",), settings=Settings)
    def __init__(self, settings, context):
        self.word, self.context, self.held = settings.word, context, []
        {at_set_up}
    async def observe(self, clip, question, span):
        def say(answer):
            return observation(self.spec, question, span, answer=answer)
        {body}
'''


def package(
    site: Path,
    name: str,
    body: str = "return say(f'{self.word} from {os.getpid()}')",
    *,
    at_import: str = "",
    at_set_up: str = "pass",
    spec_name: str | None = None,
) -> None:
    """Install a package, as an installer leaves it: a module, its metadata and its entry point."""
    site.mkdir(exist_ok=True)
    lines = "\n        ".join(body.splitlines())
    code = _CODE.format(body=lines, at_import=at_import, at_set_up=at_set_up, spec_name=spec_name or name)
    (site / f"{name}_plug.py").write_text(code)
    info = site / f"{name}_plug-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-plug\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[omnidetective.observers]\n{name} = {name}_plug:Plug\n")


ASKED = {
    "raises": ("raise RuntimeError('lens cap on')", "RuntimeError", "lens cap on"),
    "hangs": ("await asyncio.sleep(600)", "observer_timeout", "did not answer within"),
    "blocks": ("time.sleep(600)", "observer_timeout", "did not answer within"),
    "exits": ("sys.exit(3)", "SystemExit", "3"),
    "quits": ("os._exit(4)", "plugin_died", "ended with status 4"),
    "crashes": ("ctypes.string_at(0)", "plugin_died", "signal SIGSEGV"),
    "grows": (
        "while True:\n    self.held.append(b'x' * 50_000_000)\n    await asyncio.sleep(0.05)",
        "plugin_died",
        "far more than observers.grows.memory_mb=300",
    ),
    "floods": ("return say('x' * 100_000_000)", "bad_observation", "100,000,000 characters"),
    "garbles": ("return say('\\ud800')", "bad_observation", "not valid"),
    "bytes": ("return say(b'\\xff\\xfe')", "ValidationError", "valid string"),
    "string": ("return 'a plain string'", "bad_observation", "not an Observation"),
    "cancels": ("asyncio.current_task().cancel()\nawait asyncio.sleep(1)", "cancelled", "cancelled itself"),
}
"""What each does when it is asked, the reason that its observation has, and what the message says."""

LOADED = {
    "missing": ("import a_module_that_is_not_there", "cannot be imported: ModuleNotFoundError"),
    "leaves": ("sys.exit(5)", "cannot be imported: SystemExit: 5"),
    "gone": ("os._exit(6)", "its process ended with status 6 while it was loaded"),
    "stalls": ("time.sleep(600)", "was not ready after 3 s"),
}
"""What each does when it is imported, and what is said of it."""
