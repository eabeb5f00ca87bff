"""omnidetective: agentic caption data generation.

The public library surface; importing it imports no model library::

    pipeline = Pipeline.from_config(load_config())
    record = await pipeline.caption({"video": "clip.mp4"})
"""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omnidetective.config import Config as Config
    from omnidetective.config import load_config as load_config
    from omnidetective.errors import OmnidetectiveError as OmnidetectiveError
    from omnidetective.pipeline import Pipeline as Pipeline
    from omnidetective.records import CaptionRecord as CaptionRecord
    from omnidetective.records import FailureRecord as FailureRecord

_PUBLIC = {
    "CaptionRecord": "omnidetective.records",
    "Config": "omnidetective.config",
    "FailureRecord": "omnidetective.records",
    "OmnidetectiveError": "omnidetective.errors",
    "Pipeline": "omnidetective.pipeline",
    "load_config": "omnidetective.config",
}

__all__ = ["CaptionRecord", "Config", "FailureRecord", "OmnidetectiveError", "Pipeline", "__version__", "load_config"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        try:
            found = version("omnidetective")
        except PackageNotFoundError:
            found = "0+unknown"
        return globals().setdefault(name, found)  # Looking it up takes a millisecond, and every record names it.
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
