"""The record contract: what is absent stays absent, what is null says something, and a line is one line."""

from __future__ import annotations

import json
import pickle
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from omnidetective.evidence import (
    Cut,
    Evidence,
    OtherEvidence,
    ShotEvidence,
    SoundEvidence,
    Span,
    SpeechEvidence,
    SpeechSegment,
    TextCard,
    TextEvidence,
)
from omnidetective.records import (
    CaptionRecord,
    Event,
    FailureDetail,
    FailureRecord,
    MediaFacts,
    ModelUsage,
    Observation,
    Provenance,
    Quality,
    Usage,
)


def record(**changes: Any) -> CaptionRecord:
    values: dict[str, Any] = {
        "id": "a",
        "outcome": "accepted",
        "input": {"id": "a", "video": "a.mp4"},
        "media": MediaFacts(path="a.mp4", sha256="0" * 64, modality="video", has_audio=False, has_video=True),
        "caption": "A caption.",
        "quality": Quality(verdict="accepted"),
        "usage": Usage(),
        "provenance": Provenance(
            omnidetective="1",
            workflow="w",
            models={},
            config_sha="x",
            prompts={},
            started_at="2026-01-01T00:00:00+00:00",
            seconds=0.1,
            stages={},
        ),
    }
    return CaptionRecord(**(values | changes))


def test_what_no_stage_produced_is_absent_and_not_null() -> None:
    line = json.loads(record().to_line())
    assert {"events", "transcript", "audit", "refinement", "attributes", "trajectory"}.isdisjoint(line)
    assert "duration_s" not in line["media"]


def test_looked_and_found_nothing_is_an_empty_list() -> None:
    assert json.loads(record(transcript=()).to_line())["transcript"] == []


def test_an_unknown_cost_is_null_and_a_known_one_a_number() -> None:
    unknown = Usage(calls=1, cost_usd=None)
    assert json.loads(record(usage=unknown).to_line())["usage"]["cost_usd"] is None
    known = Usage(calls=1, cost_usd=Decimal("0.0125"))
    assert json.loads(record(usage=known).to_line())["usage"]["cost_usd"] == 0.0125


def test_an_unknown_price_makes_the_sum_unknown() -> None:
    total = ModelUsage(calls=1, cost_usd=Decimal("0.5")) + ModelUsage(calls=2, cost_usd=None, prompt_tokens=7)
    assert (total.calls, total.prompt_tokens, total.cost_usd) == (3, 7, None)


def test_the_users_nulls_are_handed_through() -> None:
    row = {"id": "a", "video": "a.mp4", "note": None, "deep": {"x": [None, {"y": None}]}}
    assert json.loads(record(input=row).to_line())["input"] == row


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="colour"):
        record(colour="red")


def test_a_number_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(ValidationError):
        Event(start_s=float("nan"), text="x", modality="visual", evidence=())


def test_records_and_failures_survive_pickling() -> None:
    whole = record(
        observations=(
            Observation(
                id="o1", observer="shots", kind="instrument", question="?", answer="one shot",
                data=ShotEvidence(cuts=(), shots=(Span(start_s=0, end_s=1),)),
            ),
        )
    )  # fmt: skip
    assert pickle.loads(pickle.dumps(whole)) == whole
    failed = FailureRecord(
        id="b",
        outcome="invalid_media",
        error=FailureDetail(
            type="MediaError", message="m", stage="intake", attempts=1, reason="missing", retryable=False
        ),
        input="{torn",
    )
    assert pickle.loads(pickle.dumps(failed)) == failed


@pytest.mark.parametrize(
    "evidence",
    [
        SpeechEvidence(segments=(SpeechSegment(start_s=0, end_s=1, text="a"),)),
        TextEvidence(cards=(TextCard(text="a"),), frames_read=1),
        ShotEvidence(cuts=(Cut(time_s=1),), shots=()),
        SoundEvidence(silent=()),
        OtherEvidence(values={"a": None}),
    ],
    ids=lambda evidence: evidence.type,
)
def test_evidence_with_nothing_optional_reads_back_as_itself(evidence: Evidence) -> None:
    observation = Observation(observer="x", kind="instrument", question="q", answer="a", data=evidence)
    assert Observation.model_validate_json(observation.model_dump_json()) == observation


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values, max_size=4), st.text(min_size=1), json_values)
def test_a_record_is_one_line_and_reads_back_as_itself(row: dict[str, Any], caption: str, value: Any) -> None:
    evidence = OtherEvidence(values={"x": value})
    observation = Observation(observer="p", kind="witness", question="q", answer="a", data=evidence)
    whole = record(input=row, caption=caption, observations=(observation,))
    line = whole.to_line()
    assert "\n" not in line
    assert "\r" not in line
    assert CaptionRecord.model_validate_json(line) == whole
    assert json.loads(line)["input"] == row
