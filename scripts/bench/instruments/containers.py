"""``metadata``: facts of the streams, and tags as they were written."""

from __future__ import annotations

from omnidetective.evals.sample_truth import Truth
from omnidetective.evidence import MetadataEvidence
from scripts.bench.instruments.asking import Bench
from scripts.bench.instruments.films import Studio
from scripts.bench.instruments.rows import Row, of

TAGS = {"title": "Harbour, early morning — très tôt", "artist": "A. Nobody", "comment": "take 7"}
FACTS: dict[str, str | int | float] = {
    "video_codec": "h264",
    "audio_codec": "aac",
    "fps": 30.0,
    "width": 322,
    "height": 182,
    "audio_channels": 2,
    "sample_rate_hz": 44100,
}


async def measure(bench: Bench, truth: Truth, studio: Studio) -> list[Row]:
    """See the module."""
    tags = [word for key, value in TAGS.items() for word in ("-metadata", f"{key}={value}")]
    picture = ("-f", "lavfi", "-i", "testsrc2=s=322x182:r=30:d=3")
    sound = ("-f", "lavfi", "-i", "sine=d=3", "-ar", "44100", "-ac", "2")
    coding = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac")
    path = studio.make("tagged.mp4", *picture, *sound, *coding, *tags)
    return on_tagged(await bench.ask("metadata", path, MetadataEvidence))


def on_tagged(found: MetadataEvidence) -> list[Row]:
    """The rows for a file whose facts and tags are known."""
    facts = sum(found.facts.get(key) == value for key, value in FACTS.items())
    told = {key.lower(): value for key, value in found.tags.items()}
    tags = sum(told.get(key) == value for key, value in TAGS.items())
    return [
        Row("metadata", "facts of the streams", of(facts, len(FACTS))),
        Row("metadata", "tags, letter for letter", of(tags, len(TAGS))),
    ]
