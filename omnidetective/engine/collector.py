"""When Python looks for garbage in cycles."""

from __future__ import annotations

import gc
from typing import Final

_YOUNG_OBJECTS: Final = 10_000


def collect_rarely() -> None:
    """Leave alone what is there now, and look among newer objects less often than by default (every 700).

    For a process whose modules, prompts and models are loaded, and that now works on clips: without this a fifth of its
    CPU time goes into walking over them again and again (``scripts/bench/engine.py``).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 10, 10)
