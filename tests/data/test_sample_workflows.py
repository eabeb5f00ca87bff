"""The sample clips through whole workflows with the embedded cast: real instruments, no model, nothing invented."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from omnidetective.audit.inspection import inspect
from omnidetective.captions.anchors import find_anchors, is_inside
from omnidetective.captions.quotes import find_quotes
from omnidetective.case import Case
from omnidetective.config import load_config, names
from omnidetective.evals.sample_truth import ClipTruth, Truth
from omnidetective.evidence import ShotEvidence, SoundEvidence, SpeechEvidence, TextEvidence
from omnidetective.media.intake import open_clip
from omnidetective.pipeline import Pipeline
from omnidetective.records import CaptionRecord
from omnidetective.rows import parse_row
from omnidetective.settings import MediaSettings

DATA = Path(__file__).resolve().parents[2] / "data"
CLIPS = {clip.id: clip for clip in Truth.model_validate_json((DATA / "truth.json").read_text()).clips}
SHORT = ("studio", "on-hold", "poster")
"""A film, a sound and a picture that are quick to work on."""

pytestmark = pytest.mark.weights


async def captioned(workflow: str, ids: tuple[str, ...]) -> list[CaptionRecord]:
    config = load_config(options={"workflow": workflow}, environ={})
    rows = [parse_row({"id": i, CLIPS[i].modality: CLIPS[i].file}) for i in ids]
    async with Pipeline.from_config(config, base_dir=DATA) as pipeline:
        return list(await asyncio.gather(*(pipeline.caption(row) for row in rows)))


async def nothing_is_invented(record: CaptionRecord) -> None:
    """Quotations stand in the evidence, anchors in the clip, sentences cite observations, instruments agree."""
    truth, caption = CLIPS[record.id], record.caption
    told = " ".join(o.answer for o in record.observations or ())
    texts = [line.text for line in record.transcript or ()] + _cards(record)
    for quote in find_quotes(caption):
        assert any(quote.text.strip(" .") in text for text in texts), (
            f"{quote.text!r} is in nothing that was measured: {told}"
        )
    duration_s = record.media.duration_s
    assert all(is_inside(anchor, duration_s) for anchor in find_anchors(caption))
    seconds = [anchor.second for anchor in find_anchors(caption)]
    assert seconds == sorted(set(seconds))
    known = {o.id for o in record.observations or ()}
    assert all(event.evidence and set(event.evidence) <= known for event in record.events or ())
    row = parse_row({"id": truth.id, truth.modality: truth.file})
    async with open_clip(row, MediaSettings(), base_dir=DATA) as clip:
        case = Case(row=row, clip=clip, observations=record.observations or ())
        assert inspect(caption, case).findings == ()


def _cards(record: CaptionRecord) -> list[str]:
    found = [o.data for o in record.observations or () if isinstance(o.data, TextEvidence)]
    return [card.text for evidence in found for card in evidence.cards]


def _attributes_with_evidence(record: CaptionRecord) -> set[str]:
    """The attributes that an instrument measured something of; the others no instrument can measure."""
    found: set[str] = set()
    for observation in record.observations or ():
        match observation.data:
            case SpeechEvidence(segments=segments) if segments:
                found.add("speech")
            case TextEvidence(cards=cards) if cards:
                found.add("objects")
            case ShotEvidence():
                found.add("camera")
            case SoundEvidence(events=events, silent=silent) if events or silent:
                found.add("scene")
    return found


@pytest.mark.integration
async def test_the_whole_default_workflow_says_what_was_measured_and_nothing_else() -> None:
    records = await captioned("omnidetective", tuple(CLIPS))
    for record in records:
        await nothing_is_invented(record)
        assert record.outcome == "accepted", record.quality
        assert record.quality.scores["grounding"] == 1
        assert record.usage.calls == 0
        assert {"investigate", "ensemble", "verify", "audit", "refine", "split", "gate"} <= set(
            record.provenance.stages
        )
        said = set(record.attributes or {})
        assert not said & {"characters", "actions", "narrative", "emotions"}, "no instrument measures them"
        measured = _attributes_with_evidence(record)
        assert measured & {"speech", "objects"} <= said, (record.id, said)
        assert said <= measured | {"camera", "scene"}, (record.id, said)
        for text in (record.attributes or {}).values():
            for quote in find_quotes(text):
                assert quote.text in record.caption


@pytest.mark.parametrize(
    "workflow",
    [
        "asid-verify",
        "capflow",
        *(
            pytest.param(name, marks=pytest.mark.integration)
            for name in names("workflows")
            if name not in ("omnidetective", "asid-verify", "capflow")
        ),
    ],
)
async def test_the_published_workflows_run_without_a_model_too(workflow: str) -> None:
    # A recording belongs to no domain, so capflow refuses it.
    ids = tuple(i for i in SHORT if workflow != "capflow" or CLIPS[i].modality != "audio")
    for record in await captioned(workflow, ids):
        await nothing_is_invented(record)
        assert record.outcome == "accepted", (record.id, record.quality)
        assert record.provenance.workflow == workflow
        if workflow == "asid-verify":
            assert record.verification is not None
            assert record.verification.caption == record.caption
            assert record.attributes
        if workflow != "omni-detective":
            assert record.candidates
            assert record.trajectory is None


def _the_long_film(folder: Path, clip: ClipTruth, seconds: int) -> Path:
    from e2e.media_files import ffmpeg

    film = folder / "long.mp4"
    ffmpeg("-stream_loop", "-1", "-i", str(DATA / clip.file), "-c", "copy", "-t", str(seconds), str(film))
    return film


@pytest.mark.integration
async def test_a_clip_of_ten_minutes_is_captioned_to_its_end(tmp_path: Path) -> None:
    film = _the_long_film(tmp_path, CLIPS["reading"], 600)
    config = load_config(environ={})
    async with Pipeline.from_config(config, base_dir=tmp_path) as pipeline:
        record = await pipeline.caption({"id": "long", "video": film.name})
    assert record.outcome == "accepted", record.quality
    assert max(anchor.second for anchor in find_anchors(record.caption)) > 570
    assert len(record.transcript or ()) > 50
