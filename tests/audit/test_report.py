"""The report: which findings stand, which an instrument overrules, and how several reports become one."""

from __future__ import annotations

import pytest
from audit.claims import asr, captioned, clip, ocr, shots
from hypothesis import given
from hypothesis import strategies as st

from omnidetective.audit.inspection import Finding, Inspection, inspect
from omnidetective.audit.report import (
    Report,
    errors,
    has_errors,
    has_missing,
    is_clean,
    missing,
    of_inspection,
    outranked,
    standing,
    united,
)
from omnidetective.findings import AttributeAudit, AuditError, AuditMissing
from omnidetective.records import ATTRIBUTES, Attribute


def wrong(attribute: Attribute, *snippets: str, check: str | None = None) -> Report:
    found = tuple(AuditError(snippet=snippet, why="it is not so", check=check) for snippet in snippets)
    return {attribute: AttributeAudit(errors=found)}


def lacking(attribute: Attribute, *whats: str, check: str | None = None) -> Report:
    return {
        attribute: AttributeAudit(missing=tuple(AuditMissing(what=what, why="seen", check=check) for what in whats))
    }


def test_findings_of_instruments_become_a_report_of_the_attributes_asked_for() -> None:
    caption = "At 3s, the scene cuts to a yard. At 3s, a man says “Look over there, my friend.”"
    inspection = inspect(caption, clip(asr((12, 14, "Nothing to be seen here.")), shots()))
    whole = of_inspection(inspection, ATTRIBUTES)
    assert list(whole) == ["narrative", "speech", "camera"]
    assert {(a, e.check) for a, e in errors(whole)} == {("narrative", "time"), ("speech", "quote"), ("camera", "cuts")}
    assert [(a, m.check, m.evidence) for a, m in missing(whole)] == [("speech", "quote", ("o1",))]
    assert "Nothing to be seen here." in next(missing(whole))[1].what
    assert list(of_inspection(inspection, ["camera"])) == ["narrative", "camera"]


CAPTION = "A man in a “red  coat” walks.\nHe says: ‘I’m HOME’ – and sits."


@pytest.mark.parametrize(
    ("snippet", "stands_as"),
    [
        ("walks", "walks"),
        ('a "red coat" walks', "a “red  coat” walks"),
        ("WALKS. HE SAYS", "walks.\nHe says"),
        ("'I'm home' - and sits", "‘I’m HOME’ – and sits"),
        ("“He says: 'I'm home'”", "He says: ‘I’m HOME’"),
        ("and sits...", "and sits"),
        ("a blue coat", None),
        ("", None),
        ("  ", None),
        ("...", None),
    ],
)
def test_a_snippet_stands_in_the_caption_or_the_finding_is_dropped(snippet: str, stands_as: str | None) -> None:
    report, dropped = standing(wrong("characters", snippet), CAPTION)
    assert [error.snippet for _, error in errors(report)] == ([] if stands_as is None else [stands_as])
    assert dropped == (stands_as is None)


@given(st.lists(st.text(max_size=12), max_size=5), st.text(max_size=60))
def test_whatever_stands_is_verbatim(snippets: list[str], caption: str) -> None:
    report, dropped = standing(wrong("scene", *snippets, caption[3:9], caption[3:9].upper()), caption)
    kept = list(errors(report))
    assert all(error.snippet in caption and error.snippet for _, error in kept)
    assert len(kept) + dropped == len(snippets) + 2


SAID = "At 5s, a man says “Good morning, everyone.” At 9s, a sign reads “OPEN DAILY”. At 12s, the scene cuts to a yard."
EVIDENCE = (
    asr((5.2, 7.0, "Good morning, everyone.")),
    ocr((9.0, 11.0, "OPEN DAILY")),
    shots(12.2),
)


@pytest.mark.parametrize(
    ("report", "overruled"),
    [
        (wrong("speech", "“Good morning, everyone.”"), 1),
        (wrong("characters", "Good morning, everyone."), 1),
        (wrong("speech", "a man says “Good morning, everyone.”"), 1),
        (wrong("characters", "a man says “Good morning, everyone.”"), 0),
        (wrong("objects", "a sign reads “OPEN DAILY”"), 1),
        (wrong("scene", "a sign reads “OPEN DAILY”"), 1),
        (wrong("speech", "a sign reads “OPEN DAILY”"), 0),
        (wrong("camera", "scene cuts to"), 1),
        (wrong("characters", "a man"), 0),
        (wrong("speech", "not in the caption"), 0),
        (wrong("speech", "“Good morning, everyone.”", check="quote"), 0),
        (lacking("speech", "the man says “See you tomorrow at noon”"), 1),
        (lacking("speech", "“See you tomorrow at noon”"), 1),
        (lacking("speech", "the greeting “Good morning, everyone.”"), 0),
        (lacking("speech", "the tone of his voice"), 0),
        (lacking("objects", "the sign that reads “NO SMOKING”"), 1),
        (lacking("objects", "the sign that reads “OPEN DAILY”"), 0),
        (lacking("actions", "he waves"), 0),
    ],
)
def test_instruments_overrule_the_auditor_in_their_domain(report: Report, overruled: int) -> None:
    case = captioned(clip(*EVIDENCE), SAID)
    inspection = inspect(SAID, case)
    assert not inspection.findings
    kept, count = outranked(report, inspection, case)
    assert count == overruled
    assert is_clean(kept) == bool(overruled)


def test_the_auditor_is_not_overruled_where_nobody_measured() -> None:
    case = captioned(clip(), SAID)
    report = united(wrong("speech", "“Good morning, everyone.”"), lacking("speech", "he says “See you tomorrow”"))
    assert outranked(report, inspect(SAID, case), case) == (report, 0)


def test_words_that_stand_twice_are_overruled_only_where_both_are_borne_out() -> None:
    caption = "At 5s, a man says “Good morning, everyone.” At 15s, a woman says “Good morning, everyone.”"
    case = captioned(clip(EVIDENCE[0]), caption)
    report = wrong("speech", "“Good morning, everyone.”")
    assert outranked(report, inspect(caption, case), case) == (report, 0)


def test_reports_are_united_with_instruments_first_and_nothing_twice() -> None:
    auditor = united(
        wrong("speech", "“Hello”", "softly"), wrong("camera", "pans"), lacking("objects", "the sign “SALE”")
    )
    remarks: Report = {"speech": AttributeAudit(expressiveness=("dull",))}
    instruments = united(
        wrong("speech", "“Hello”", check="quote"), lacking("objects", "The sign “SALE”.", check="screen_text")
    )
    both = united(auditor, instruments, remarks, remarks)
    assert [(a, e.snippet, e.check) for a, e in errors(both)] == [
        ("speech", "“Hello”", "quote"),
        ("speech", "softly", None),
        ("camera", "pans", None),
    ]
    assert [(m.what, m.check) for _, m in missing(both)] == [("The sign “SALE”.", "screen_text")]
    assert both["speech"].expressiveness == ("dull",)
    assert united(both, both) == both


def test_two_checks_may_object_to_the_same_words() -> None:
    both = united(wrong("narrative", "At 3-5s,", check="time"), wrong("narrative", "At 3-5s,", check="form"))
    assert [e.check for _, e in errors(both)] == ["time", "form"]


def test_clean_means_nothing_wrong_and_nothing_missing() -> None:
    assert is_clean({"speech": AttributeAudit(expressiveness=("dull",))})
    assert has_errors(wrong("scene", "x"))
    assert not has_missing(wrong("scene", "x"))
    assert has_missing(lacking("scene", "x"))
    assert not is_clean(lacking("scene", "x"))
    only_missing = Inspection((Finding("quote", "speech", "missing", "the words “x”", "heard"),))
    assert not has_errors(of_inspection(only_missing, ATTRIBUTES))
