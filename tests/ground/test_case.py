"""The case only grows, also side by side."""

from __future__ import annotations

from dataclasses import replace

from detective.cases import make_case, seen_by

from omnidetective.draft import Draft
from omnidetective.evidence import Span, SpeechEvidence, SpeechSegment, Word
from omnidetective.findings import Refinement
from omnidetective.records import Event


def sentence(text: str) -> Event:
    return Event(text=text, modality="visual", evidence=())


def test_ids_of_branches_are_their_own() -> None:
    case = make_case(seen_by("shots"))
    left, right = case.branched(""), case.branched("a")
    left = left.observed([seen_by("asr"), seen_by("ocr")])
    right = right.observed([seen_by("frames")]).proposed("frames", "A dog.")
    joined = case.joined([left, right])
    assert [o.id for o in joined.observations] == ["o1", "o2", "o3", "ao1"]
    assert [c.source for c in joined.candidates] == ["frames"]
    assert joined.observed([seen_by("sound")]).observations[-1].id == "o4"


def test_drafts_of_segments_become_the_sections_of_one() -> None:
    case = make_case(duration_s=120.0)
    spans = Span(start_s=0, end_s=60), Span(start_s=60, end_s=120)
    branches = [
        case.branched(f"s{n}", span).drafted("investigate", Draft.of([sentence(f"Part {n}.")], span))
        for n, span in enumerate(spans, start=1)
    ]
    joined = case.joined([replace(branch, branch="", scope=None) for branch in branches])
    assert joined.draft is not None
    assert [section.span for section in joined.draft.sections] == list(spans)
    assert joined.caption == "Part 1. Part 2."
    assert [(d.stage, d.caption) for d in joined.drafts] == [("investigate", "Part 1. Part 2.")]


def test_a_draft_is_kept_among_the_drafts_only_where_it_says_something_new() -> None:
    case = make_case().drafted("ensemble", Draft.of([sentence("A dog.")]))
    same = case.drafted("verify", Draft.of([sentence("A dog.")]))
    other = same.drafted("refine", Draft.of([sentence("A cat.")]))
    assert [d.stage for d in other.drafts] == ["ensemble", "refine"]


def test_a_result_of_one_branch_is_taken_over() -> None:
    case = make_case()
    refined = replace(case.branched("a"), refinement=Refinement(fixed_errors=("x",)))
    assert case.joined([case.branched(""), refined]).refinement == refined.refinement


def line(start_s: float, end_s: float, text: str, speaker: str | None = None) -> SpeechSegment:
    word = Word(start_s=start_s, end_s=end_s, text=text)
    return SpeechSegment(start_s=start_s, end_s=end_s, text=text, speaker=speaker, words=(word,))


def test_the_transcript_has_speakers_also_where_two_speak_at_once() -> None:
    first = SpeechEvidence(segments=(line(1, 4, "How much?", "S1"), line(3, 5, "Five pounds.", "S2")))
    again = SpeechEvidence(segments=(line(1, 4, "How march?"), line(8, 9, "Good.")))
    case = make_case(seen_by("asr", first), seen_by("asr", again))
    assert [(t.start_s, t.text, t.speaker) for t in case.transcript() or ()] == [
        (1.0, "How much?", "S1"),
        (3.0, "Five pounds.", "S2"),
        (8.0, "Good.", None),
    ]
