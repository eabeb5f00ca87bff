"""Scoring captions by published protocols; rewards of the same kind are in :mod:`omnidetective.rewards`."""

from __future__ import annotations

from collections.abc import Mapping

BENCHMARKS: Mapping[str, str] = {
    "omni-cloze": "omnidetective.evals.omni_cloze:OmniCloze",
    "video-salmonn-2": "omnidetective.evals.salmonn2:Salmonn2",
    "vdc": "omnidetective.evals.vdc:Vdc",
    "vidcapbench": "omnidetective.evals.vidcapbench:VidCapBench",
    "daily-omni": "omnidetective.evals.daily_omni:DailyOmni",
    "worldsense": "omnidetective.evals.worldsense:WorldSense",
    "dream-1k": "omnidetective.evals.dream_1k:Dream1k",
    "charades-sta": "omnidetective.evals.charades_sta:CharadesSta",
    "attributes": "omnidetective.evals.attributes:AttributeFollowing",
    "mmau": "omnidetective.evals.audio_qa:Mmau",
    "mmar": "omnidetective.evals.audio_qa:Mmar",
    "ugc-videocap": "omnidetective.evals.ugc_videocap:UgcVideoCap",
    "samples": "omnidetective.evals.samples:Samples",
}
"""Name on the command line → the class, imported when it is asked for."""
