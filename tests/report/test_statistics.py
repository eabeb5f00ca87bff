"""The numbers of a file of records: exact in small cases, lenient about what is read."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report.output_files import audit, failure, record

from omnidetective.findings import AuditSummary, Contradiction, Refinement
from omnidetective.records import CaptionRecord, FailureRecord, ModelUsage, Usage
from omnidetective.report.layout import WIDTH, compact, percent, width
from omnidetective.report.numbers import Rates, Statistics
from omnidetective.report.statistics import statistics
from omnidetective.report.tables import tables


def lines(*these: CaptionRecord | FailureRecord) -> list[bytes]:
    return [f"{one.to_line()}\n".encode() for one in these]


def judged(clip_id: str, **changes: Any) -> CaptionRecord:
    """A record whose auditor was asked."""
    summary = changes.pop("audit_summary", AuditSummary()).model_copy(update={"by": "full"})
    return record(clip_id, audit_summary=summary, **changes)


def rates(of: Rates | None) -> tuple[int, int, int, int]:
    assert of is not None
    return of.captions, of.no_error, of.no_missing, of.clean


def test_outcomes_count_records_and_failures() -> None:
    numbers = statistics(
        lines(record("a"), record("b"), record("c", "partial"), record("d", "rejected")),
        lines(failure("e"), failure("f", "timed_out", "clip_timeout")),
    )
    assert (numbers.records, numbers.failures, numbers.bad_lines) == (4, 2, 0)
    assert numbers.outcomes == {"accepted": 2, "partial": 1, "provider_error": 1, "rejected": 1, "timed_out": 1}
    assert numbers.failure_reasons == {"clip_timeout": 1, "rate_limit": 1}
    assert numbers.workflows == {"omnidetective": 4}


def test_only_the_last_failure_of_a_clip_counts_and_none_of_a_clip_with_a_record() -> None:
    numbers = statistics(
        lines(record("done")),
        lines(failure("done"), failure("a", reason="rate_limit"), failure("a", "crashed", "worker_died")),
    )
    assert (numbers.failures, numbers.failure_reasons) == (1, {"worker_died": 1})


def test_a_fault_of_a_row_stands_beside_the_record_of_the_clip() -> None:
    twice = failure("a", "invalid_media", "duplicate_id", type_name="RowError", line_number=7)
    assert statistics(lines(record("a")), lines(twice)).failure_reasons == {"duplicate_id": 1}


def test_rejections_are_the_leading_reasons_with_a_code_each_once_a_caption() -> None:
    numbers = statistics(
        lines(
            record("a", "rejected", reasons=("too_short: 5 tokens", "repetition: a", "repetition: b", "Left out: it")),
            record("b", "rejected", reasons=("too_short: 6 tokens", "A remark", "grounding: not a reason any more")),
            record("c", "accepted", reasons=("sound: a remark of an accepted one",)),
        )
    )
    assert numbers.rejections == {"too_short": 2, "repetition": 1}


def test_shortfalls_are_told_apart_by_their_first_words() -> None:
    numbers = statistics(
        lines(
            record("a", "partial", reasons=("annotate failed: no model", "a remark")),
            record("b", "partial", reasons=("annotate failed: no answer",)),
            record("c", "partial", reasons=("nobody was asked about speech",)),
        )
    )
    assert numbers.shortfalls == {"annotate failed": 2, "nobody was asked about …": 1}


def test_rates_before_refining_are_of_what_was_judged() -> None:
    numbers = statistics(
        lines(
            judged("a", audit=audit()),
            judged("b", audit=audit({"speech": ("quotes",)})),
            judged("c", audit=audit({"speech": (None,)}, {"scene": (None, None)})),
            judged("d", audit=audit(), audit_summary=AuditSummary(unaudited={"speech": "prose"})),
            record("e"),
        )
    )
    found = numbers.audit
    assert found is not None
    assert rates(found.judged) == (4, 2, 3, 2)
    assert found.judged is not None
    assert rates(found.judged.by_attribute["speech"]) == (3, 1, 3, 1)
    assert rates(found.judged.by_attribute["scene"]) == (4, 4, 3, 3)
    assert list(found.judged.by_attribute)[:2] == ["scene", "characters"]
    assert rates(found.instruments) == (4, 3, 4, 3)
    assert found.unaudited == {"speech": 1}
    assert found.again == {}


def test_before_and_after_are_compared_by_the_same_eyes() -> None:
    by = {name: AuditSummary(after_by=name) for name in ("instruments", "full")}
    before = audit({"speech": ("quotes", None)}, {"scene": (None,)})
    numbers = statistics(
        lines(
            judged("a", audit=before, audit_after=audit(), audit_summary=by["instruments"]),
            judged("b", audit=audit({}, {"scene": (None,)}), audit_after=audit(), audit_summary=by["instruments"]),
            judged("c", audit=before, audit_after=audit({"speech": ("quotes",)}), audit_summary=by["full"]),
            judged("d", audit=before),
        )
    )
    assert numbers.audit is not None
    instruments, full = numbers.audit.again["instruments"], numbers.audit.again["full"]
    assert rates(instruments.before) == (2, 1, 2, 1)
    assert rates(instruments.after) == (2, 2, 2, 2)
    assert rates(full.before) == (1, 0, 0, 0)
    assert rates(full.after) == (1, 0, 1, 0)
    assert rates(full.after.by_attribute["scene"]) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    "summary",
    [AuditSummary(), AuditSummary(by="full", unaudited=dict.fromkeys(audit(), "the answer was prose"))],
    ids=["never asked", "never answered"],
)
def test_where_no_auditor_judged_there_are_only_rates_by_instruments(summary: AuditSummary) -> None:
    found = audit({"camera": ("cuts",)})
    numbers = statistics(lines(record(audit=found, audit_summary=summary)))
    assert numbers.audit is not None
    assert numbers.audit.judged is None
    assert rates(numbers.audit.instruments.by_attribute["camera"]) == (1, 0, 1, 0)
    assert "Audit, by instruments alone" in tables(numbers)


def test_a_full_second_audit_without_an_auditor_is_one_by_instruments() -> None:
    full = AuditSummary(after_by="full")
    numbers = statistics(lines(record(audit=audit({"camera": ("cuts",)}), audit_after=audit(), audit_summary=full)))
    assert numbers.audit is not None
    assert list(numbers.audit.again) == ["instruments"]
    assert rates(numbers.audit.again["instruments"].after) == (1, 1, 1, 1)


def test_catches_are_counted_by_check_in_findings_and_captions() -> None:
    summary = AuditSummary(not_in_caption=2, overruled=1, after_by="instruments")
    first = audit({"speech": ("quotes", "quotes", None)}, {"camera": ("cuts",)})
    numbers = statistics(
        lines(
            record("a", audit=first, audit_after=audit({"speech": ("quotes",)}), audit_summary=summary),
            record("b", audit=audit({"speech": ("quotes",)}), audit_summary=AuditSummary(not_in_caption=1)),
        )
    )
    assert numbers.audit is not None
    catches = {name: (c.findings, c.captions, c.left) for name, c in numbers.audit.catches.items()}
    assert catches == {"quotes": (3, 2, 1), "cuts": (1, 1, 0)}
    assert (numbers.audit.not_in_caption, numbers.audit.overruled) == (3, 1)


def test_refining_and_its_guard() -> None:
    numbers = statistics(
        lines(
            record("a", refinement=Refinement(fixed_errors=("x", "y"), refusals=("too much",))),
            record("b", refinement=Refinement(applied=False, refusals=("too much", "again"))),
            record("c", refinement=Refinement(timestamp_adjustments=("z",))),
            record("d"),
        )
    )
    done = numbers.refinement
    assert done is not None
    assert (done.captions, done.applied, done.refused, done.refusals) == (3, 2, 2, 3)
    assert (done.fixed_errors, done.filled_missing, done.timestamp_adjustments) == (2, 0, 1)


def test_contradictions_by_who_settled_them() -> None:
    of = [Contradiction(what="x", settled_by=by) for by in ("instrument", "instrument", "cross_examination", None)]
    numbers = statistics(
        lines(record("a", contradictions=tuple(of[:3])), record("b", contradictions=(of[3],)), record("c"))
    )
    found = numbers.contradictions
    assert found is not None
    assert (found.captions, found.found, found.open) == (2, 4, 1)
    assert found.settled == {"instrument": 2, "cross_examination": 1}


def test_lengths_of_captions_by_clip_and_by_minute() -> None:
    numbers = statistics(
        lines(
            record("a", caption="At 0s, a dog runs. At 3s, it barks.", duration_s=30.0),
            record("b", caption="A dog.", duration_s=None),
            record("c", caption="一只狗在跑。", duration_s=60.0),
        )
    )
    has = numbers.captions
    assert has is not None
    assert (has.words.count, has.words.p10, has.words.median, has.words.p90) == (3, 1.2, 2, 7.6)
    assert (has.tokens.median, has.anchors.mean) == (6, 0.666667)
    assert has.words_per_minute is not None
    assert has.anchors_per_minute is not None
    assert (has.words_per_minute.count, has.words_per_minute.median) == (2, 9.5)
    assert has.anchors_per_minute.p90 == 3.6


def test_scores_have_a_mean_and_a_distribution_on_their_scale() -> None:
    given_scores = [(0.0, 1.0), (0.2, 4.0), (0.99, 4.0), (1.0, 5.0)]
    numbers = statistics(
        lines(*(record(str(n), scores={"grounding": g, "completeness": c}) for n, (g, c) in enumerate(given_scores)))
    )
    grounding, completeness = numbers.scores["grounding"], numbers.scores["completeness"]
    assert (grounding.count, grounding.mean, grounding.median) == (4, 0.5475, 0.595)
    assert grounding.distribution == {"0-20 %": 1, "20-40 %": 1, "40-60 %": 0, "60-80 %": 0, "80-100 %": 2}
    assert completeness.distribution == {"1": 1, "2": 0, "3": 0, "4": 2, "5": 1}


def test_an_attribute_counts_as_present_where_it_has_text() -> None:
    numbers = statistics(
        lines(record("a", attributes={"speech": "She says so.", "scene": "A room."}),
              record("b", attributes={"scene": "A lawn.", "speech": " "}), record("c"))
    )  # fmt: skip
    assert numbers.attributes is not None
    assert numbers.attributes.captions == 2
    assert list(numbers.attributes.by_attribute.items()) == [("scene", 2), ("speech", 1)]


def spent(cost: str | None, tokens: int = 10) -> ModelUsage:
    return ModelUsage(calls=1, prompt_tokens=tokens, cost_usd=None if cost is None else Decimal(cost))


def used(**by_model: ModelUsage) -> Usage:
    total = sum(by_model.values(), ModelUsage())
    parts: dict[str, Any] = {"by_model": by_model, "by_stage": {"annotate": total}, "by_role": {"auditor": total}}
    return Usage(**dict(total), **parts)


def test_usage_is_summed_by_stage_role_and_model_failures_included() -> None:
    numbers = statistics(
        lines(record("a", usage=used(x=spent("0.1"), y=spent("0.02", 500)))),
        lines(failure("b", usage=used(x=spent("0.2")))),
    )
    usage = numbers.usage
    assert usage is not None
    assert (usage.calls, usage.prompt_tokens, usage.cost_usd) == (3, 520, Decimal("0.32"))
    assert usage.on_failures is not None
    assert (usage.on_failures.calls, usage.on_failures.cost_usd) == (1, Decimal("0.2"))
    assert {name: part.cost_usd for name, part in usage.by_model.items()} == {"y": Decimal("0.02"), "x": Decimal("0.3")}
    assert usage.by_stage["annotate"].calls == usage.by_role["auditor"].calls == 3


def test_an_unknown_cost_is_never_free() -> None:
    part = statistics(
        lines(record("a", usage=used(x=spent("0.5"), y=spent(None))), record("b", usage=used(x=spent("1"))))
    )
    assert part.usage is not None
    assert part.usage.cost_usd is None
    assert part.usage.known_cost_usd == Decimal("1.5")
    assert part.usage.by_model["y"].cost_usd is None
    shown = tables(part)
    assert "at least $1.50" in shown
    assert any(line.startswith("y") and line.endswith("unknown") for line in shown.splitlines())
    none = tables(statistics(lines(record(usage=used(y=spent(None))))))
    assert any(line.startswith("cost") and line.endswith("unknown") for line in none.splitlines())


def test_seconds_by_stage_are_medians_in_the_order_of_the_stages() -> None:
    clips = [record(str(n), seconds=s, stages={"split": s / 2, "gate": 0.5}) for n, s in enumerate((10.0, 20.0, 90.0))]
    seconds = statistics(lines(*clips)).seconds
    assert seconds is not None
    assert seconds.clip.median == 20
    assert [(name, s.median) for name, s in seconds.by_stage.items()] == [("split", 10), ("gate", 0.5)]


def test_what_no_record_has_is_absent_and_not_shown() -> None:
    numbers = statistics(lines(record()))
    said = json.loads(numbers.model_dump_json())
    assert {"audit", "refinement", "contradictions", "attributes"}.isdisjoint(said)
    shown = tables(numbers)
    for word in ("Audit", "REFINING", "CONTRADICTIONS", "ATTRIBUTE", "SCORE", "REJECT", "STAGE", "FAILURE", "long"):
        assert word not in shown
    assert tables(statistics([])) == "0 records, 0 failures\n"


def test_lines_of_other_versions_count() -> None:
    old = {"id": "a", "outcome": "accepted", "caption": "A dog."}
    new = json.loads(record("b", audit=audit({"speech": ("quotes",)})).to_line())
    new |= {"schema_version": 2, "mood": {"deep": [1]}, "outcome": "deferred"}
    new["audit"]["weather"] = {"errors": [{"snippet": "rain", "why": "sun", "colour": "red"}], "new": 1}
    new["usage"] |= {"by_planet": {}}
    new["audit_summary"] = {"by": "full", "mood": "kind"}
    numbers = statistics([f"{json.dumps(one)}\n".encode() for one in (old, new)])
    assert (numbers.records, numbers.bad_lines) == (2, 0)
    assert numbers.outcomes == {"accepted": 1, "deferred": 1}
    assert numbers.audit is not None
    assert numbers.audit.judged is not None
    assert list(numbers.audit.judged.by_attribute)[-1] == "weather"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{broken\n", "not JSON"),
        (b"\xff\xfe{}\n", "not JSON"),
        (b"[" * 100_000 + b"\n", "not JSON"),
        (b'{"caption": "\\ud800"}\n', "not JSON"),
        (b"[1, 2]\n", "object"),
        (b'{"id": "x", "video": "x.mp4"}\n', "outcome"),
        (b'{"id": "x", "outcome": "accepted", "caption": 7}\n', "caption"),
        (b'{"id":"x","outcome":"accepted","caption":"","usage":{"calls":-1}}\n', "usage.calls"),
        (b'{"id":"x","outcome":"accepted","caption":"","usage":{"calls":1' + b"0" * 40 + b"}}\n", "usage.calls"),
        (b'{"id":"x","outcome":"accepted","caption":"","usage":{"calls":1' + b"0" * 5000 + b"}}\n", "not JSON"),
        (b'{"id":"x","outcome":"accepted","caption":"","quality":{"scores":{"a":NaN}}}\n', "quality.scores.a"),
        (b'{"id":"x","outcome":"accepted","caption":"","usage":{"cost_usd":1e300}}\n', "usage.cost_usd"),
    ],
)
def test_a_line_that_is_no_record_is_counted_with_its_number(line: bytes, why: str) -> None:
    numbers = statistics([*lines(record("a")), b"\n", line, *lines(record("b"))])
    assert (numbers.records, numbers.bad_lines) == (2, 1)
    assert numbers.first_bad_lines[0].line_number == 3
    assert why in numbers.first_bad_lines[0].why
    assert "line 3: " in tables(numbers)


def test_of_many_bad_lines_the_first_five_are_named() -> None:
    numbers = statistics([*lines(record()), *[b"x\n"] * 12])
    assert (numbers.bad_lines, [bad.line_number for bad in numbers.first_bad_lines]) == (12, [2, 3, 4, 5, 6])
    assert "and 7 more" in tables(numbers)


def test_the_line_that_is_being_written_is_no_fault() -> None:
    whole = lines(record("b"))[0]
    for end in (1, 30, len(whole) - 2):
        numbers = statistics([*lines(record("a")), whole[:end]], [lines(failure("c"))[0][:end]])
        assert (numbers.records, numbers.bad_lines, numbers.bad_failure_lines) == (1, 0, 0)
    assert statistics([whole.rstrip(b"\n")]).records == 1


outcomes = st.sampled_from(["accepted", "rejected", "partial"])
records = st.builds(
    lambda n, outcome, words, cost, score, second, wrong: record(
        f"c{n}",
        outcome,
        caption="At 1s, " + "word " * words,
        usage=used(x=spent(None if cost is None else str(cost))),
        scores={"grounding": score},
        duration_s=second,
        stages={"gate": second},
        seconds=second,
        audit=audit({"speech": (None,) * wrong}),
        audit_summary=AuditSummary(by="full"),
    ),
    st.integers(0, 9),
    outcomes,
    st.integers(0, 2000),
    st.none() | st.decimals(0, 10, places=4),
    st.floats(0, 1),
    st.integers(1, 4000).map(lambda n: n / 8),
    st.integers(0, 2),
)


@given(st.lists(records, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_the_lines_changes_nothing(these: list[CaptionRecord], chance: Any) -> None:
    written = lines(*these)
    mixed = written.copy()
    chance.shuffle(mixed)
    assert statistics(mixed) == statistics(written)


@given(st.lists(records, min_size=1, max_size=8), st.integers(2, 4))
def test_a_file_several_times_over_counts_that_much_more(these: list[CaptionRecord], times: int) -> None:
    once, often = statistics(lines(*these)), statistics(lines(*these) * times)
    assert often.outcomes == {name: count * times for name, count in once.outcomes.items()}
    assert once.usage is not None
    assert often.usage is not None
    assert often.usage.known_cost_usd == once.usage.known_cost_usd * times
    assert (often.usage.cost_usd is None) == (once.usage.cost_usd is None)
    assert once.captions is not None
    assert often.captions is not None
    assert often.captions.words.mean == pytest.approx(once.captions.words.mean, rel=1e-5)
    assert once.audit is not None
    assert often.audit is not None
    assert rates(often.audit.judged) == tuple(n * times for n in rates(once.audit.judged))


def hostile() -> Statistics:
    """Names and numbers that want to break the table."""
    long = {f"模型-{n:06d}-{'name' * 20}\x1b[31m\n": spent("123456.789", 2**46) for n in range(40)}
    return statistics(
        lines(
            record(
                "a",
                "rejected",
                reasons=("x" * 300 + ": y",),
                audit=audit({"speech": ("检" * 99,)}),
                scores={"s\x07" * 80: 1e7},
                stages={"\u202e" + "s" * 200: 1e9},
                duration_s=1e9,
                usage=used(**long),
            ),
            record("b", "partial", reasons=("长" * 300,)),
        )
    )


def test_no_line_is_wider_than_the_terminal_and_none_acts_on_it() -> None:
    shown = tables(hostile())
    for line in shown.splitlines():
        assert width(line) <= WIDTH, line
        assert line.isprintable(), line
    assert "and 20 more" in shown


def test_memory_does_not_grow_with_the_lines() -> None:
    def many(count: int) -> Iterator[bytes]:
        for n in range(count):
            one = record(
                f"c{n}", caption="word " * (n % 50), seconds=1.0 + n / 7, usage=used(**{f"m{n}": spent("0.1")})
            )
            yield from lines(one)

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            numbers = statistics(many(count))
            assert numbers.records == count
            assert numbers.usage is not None
            assert len(numbers.usage.by_model) <= 1001
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(4000) < peak(1500) * 1.5


@pytest.mark.parametrize(
    ("count", "of", "shown"),
    [(0, 0, "–"), (0, 9, "0 %"), (9, 9, "100 %"), (25, 30, "83 %"), (1, 1000, "<1 %"), (999, 1000, ">99 %")],
)
def test_what_is_not_all_is_never_called_all(count: int, of: int, shown: str) -> None:
    assert percent(count, of) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0"),
        (99_999, "99,999"),
        (100_000, "100k"),
        (1_250_000, "1.2M"),
        (999_999_999, "1,000M"),
        (5 * 10**12, "5.0T"),
    ],
)
def test_large_counts_are_short(count: int, shown: str) -> None:
    assert compact(count) == shown
