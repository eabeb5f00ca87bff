"""Scoring captions by published protocols; rewards of the same kind are in :mod:`omnidetective.rewards`."""

from __future__ import annotations

from collections.abc import Mapping

BENCHMARKS: Mapping[str, str] = {
    "ugc-videocap": "omnidetective.evals.ugc_videocap:UgcVideoCap",
}
"""Name on the command line → the class, imported when it is asked for."""
