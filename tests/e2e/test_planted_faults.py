"""Planted faults: each is caught by the part that should catch it, and the final record says which.

To add a case, plant something in what one job of the honest cast answers (``planted.HONEST``), and say who has to catch
it: see :func:`catches` for the words. The clip, what is true about it and the cast are in ``e2e/planted.py``.
"""

# One case a line, however long: a table is read by its columns.
# ruff: noqa: E501

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from e2e.media_files import video
from e2e.planted import (
    CAPTION,
    DESK,
    DURATION_S,
    MARKET,
    QUIET,
    SEEN,
    SIGN,
    TODAY,
    TRUTH,
    WELCOME,
    Act,
    improved,
    nothing_found,
    performed,
    replaced,
    sentences,
    verified,
    with_sentence,
)
from servers.faulty_openai import says, server_error

from omnidetective.errors import NoCandidatesError
from omnidetective.records import CaptionRecord
from omnidetective.resources import resource_root

BLOCKED = says(None, finish_reason="content_filter")
WHALE = "At 5s, a purple whale sings opera in the kitchen."
LIES = replaced("a brass bell", "three golden crowns").replace("red apples", "blue pumpkins")
INVENTED = {"snippet": "a herd of elephants", "why": "No elephants are there."}
REAL = {"snippet": "red apples", "why": "The apples are green.", "evidence": ["o5"]}
MISSING_COAT = {"what": "The woman wears a yellow coat.", "why": "Nobody would know her again.", "evidence": ["o5"]}
COLOURS = {
    "what": "The apples are red, or green.",
    "observations": ["o5", "ao1"],
    "question": "What colour are the apples on the stall?",
    "start_s": 0.0,
    "end_s": 4.0,
}


@dataclass(frozen=True)
class Fault:
    """One planted fault.

    Attributes:
        plant: job → what it answers instead of the truth.
        caught_by: who catches it, in the words of :func:`catches`.
        gone, kept: what must not, and what must, be in the final caption.
        outcome: how the clip ends.
        settings: as with ``--set``.
    """

    name: str
    plant: Mapping[str, Any]
    caught_by: str
    gone: str = ""
    outcome: str = "accepted"
    settings: tuple[str, ...] = ()
    workflow: str = "omnidetective"
    kept: tuple[str, ...] = ()


def draft(name: str, old: str, new: str, caught_by: str, **more: Any) -> Fault:
    """A fault in one sentence of the merged draft; the refiner then restores the truth."""
    return Fault(name, {"ensemble": with_sentence(old, new)}, caught_by, gone=more.pop("gone", new), **more)


FAULTS = [
    # -- what instruments catch in the draft ---------------------------------------------------------------------------
    draft("a quote nobody spoke", TODAY, "At 12s, the woman says: “Flour is free on Mondays.”", "audit speech quote"),
    draft("a quote with other words", WELCOME, "At 2s, a woman says: “Welcome to the museum.”", "audit speech quote"),
    draft("a quote far from its moment", TODAY, "At 17s, the woman says: “Everything must go today.”", "audit speech quote"),
    draft("a quote put before it was spoken", WELCOME, "At 2s, a woman says: “Everything must go today.”", "audit speech quote"),
    Fault("speech left out", {"ensemble": with_sentence(TODAY, "At 12s, the woman stands there."), "refine": improved(replaced("At 12s, the woman says:", "At 12s, the woman stands there and says:"))}, "missing speech quote", kept=("and says: “Everything must go today.”",)),
    draft("text on screen that nobody read", SIGN, "At 5s, a sign reads “OPEN 24 HOURS” while music plays.", "audit objects screen_text"),
    draft("text on screen at another time", QUIET, f"{QUIET} A sign reads “SALE 50%”.", "audit objects screen_text", gone="empty. A sign"),
    draft("text on screen left out", SIGN, "At 5s, music plays.", "missing objects screen_text"),
    draft("a cut that is not there", SIGN, "At 5s, the picture cuts to a sign that reads “SALE 50%” while music plays.", "audit camera cuts"),
    draft("one take where there is a cut", MARKET, f"This 20-second video is one continuous shot. {MARKET}", "audit camera cuts", gone="continuous"),
    draft("a wrong number of shots", MARKET, "The video is made of five shots. At 0s, a fruit stall with red apples stands in an open market.", "audit camera cuts", gone="five shots"),
    draft("music in a silent span", QUIET, "At 16s, loud music plays and the desk stands empty.", "audit scene sound"),
    draft("a voice in a silent span", QUIET, "At 16s, the voice of a man is heard and the desk stands empty.", "audit speech sound"),
    draft("an event after the end", QUIET, "At 16s, the sound falls silent and the desk stands empty. At 27s, a dog runs in.", "audit narrative time", gone="At 27s"),
    draft("a wrong length of the clip", MARKET, "This 45-second video shows a market. At 0s, a fruit stall with red apples stands in an open market.", "audit narrative time", gone="45-second"),
    draft("moments out of order", DESK, "At 3s, the picture cuts to a cash desk with a brass bell.", "audit narrative time"),
    draft("talk about sources", MARKET, "According to the transcript, a market opens. At 0s, a fruit stall with red apples stands in an open market.", "audit narrative form", gone="transcript"),
    # -- what is repaired without asking anybody -----------------------------------------------------------------------
    draft("a duplicated anchor", SIGN, "At 2s, a sign reads “SALE 50%” while music plays.", "says “At 2s,” was taken out", gone="At 2s, a sign"),
    draft("a range for an anchor", SIGN, "At 5-9s, a sign reads “SALE 50%” while music plays.", "says became", gone="5-9s"),
    draft("a decimal anchor", SIGN, "At 5.4s, a sign reads “SALE 50%” while music plays.", "says became", gone="5.4s"),
    draft("markdown and special tokens", MARKET, "**At 0s, a fruit stall with red apples stands in an open market.**<|im_end|>", "says markup was taken out", gone="<|im_end|>"),
    draft("ids of observations nobody made", SIGN, "At 5s, a sign reads “SALE 50%” while music plays (o77).", "says 1 citations", gone="o77"),
    Fault(
        "a draft that collapses into repetition",
        {"ensemble": sentences(*TRUTH, "The bell rings and rings again and " * 60 + "rings."), "refine": improved(CAPTION)},
        "form", gone="again and The bell",
    ),
    # -- the verifier --------------------------------------------------------------------------------------------------
    Fault("a verifier who answers in prose", {"verify": "The draft looks good to me!"}, "says verify failed", outcome="partial"),
    Fault("a verifier who cuts the draft down", {"verify": verified("A market.")}, "says verifier's version", kept=TRUTH),
    Fault("a verifier who collapses", {"verify": verified("and so on " * 300)}, "says verifier's version", kept=TRUTH),
    Fault("a verifier who invents speech", {"verify": verified(f"{CAPTION} At 18s, a man says: “I love opera very much.”")}, "audit speech quote", gone="opera"),
    # -- the auditor ---------------------------------------------------------------------------------------------------
    Fault("an auditor who returns prose", {"audit": "I could not find anything wrong, great job!"}, "unaudited", kept=TRUTH),
    Fault("an auditor who is blocked", {"audit": BLOCKED}, "unaudited", kept=TRUTH),
    Fault("an auditor who cites what is not in the caption", {"audit": nothing_found(objects={"errors": [INVENTED]})}, "dropped", kept=TRUTH),
    Fault("an auditor against the transcript", {"audit": nothing_found(speech={"errors": [{"snippet": "“Everything must go today.”", "why": "She says nothing."}]})}, "overruled", kept=TRUTH),
    Fault("an auditor who misses words that nobody spoke", {"audit": nothing_found(speech={"missing": [{"what": "She adds: “Bring your own basket.”", "why": "It was said."}]})}, "overruled", kept=TRUTH),
    Fault("an auditor who misses text that nobody read", {"audit": nothing_found(objects={"missing": [{"what": "A banner reads “GRAND OPENING”.", "why": "It is shown."}]})}, "overruled", kept=TRUTH),
    Fault("an auditor who cites observations that do not exist", {"audit": nothing_found(objects={"errors": [{**REAL, "evidence": ["o5", "o99"]}]}), "refine": improved(replaced("red apples", "green apples"))}, "audit objects auditor", gone="red apples"),
    # -- the refiner ---------------------------------------------------------------------------------------------------
    Fault("a refiner who rewrites everything", {"audit": nothing_found(objects={"errors": [REAL]}), "refine": improved("A lovely market full of life and colour welcomes everybody.")}, "guard", kept=TRUTH),
    Fault("a refiner who adds an invention", {"audit": nothing_found(objects={"errors": [REAL]}), "refine": improved(f"{replaced('red', 'green')} {WHALE}")}, "guard", gone="whale", kept=TRUTH),
    Fault("a refiner who changes what nobody found fault with", {"audit": nothing_found(objects={"errors": [REAL]}), "refine": improved(LIES)}, "guard", gone="crowns", kept=TRUTH),
    Fault("a refiner who drops a moment", {"audit": nothing_found(objects={"errors": [REAL]}), "refine": improved(replaced("red", "green").replace(f"{DESK} ", ""))}, "guard", kept=TRUTH),
    Fault("a refiner who changes the times", {"audit": nothing_found(objects={"errors": [REAL]}), "refine": improved(replaced("red", "green").replace("At 10s", "At 11s"))}, "guard", kept=TRUTH),
    Fault("a refiner who puts words into her mouth", {"audit": nothing_found(characters={"missing": [MISSING_COAT]}), "refine": improved(CAPTION.replace(TODAY, "At 12s, the woman in a yellow coat says: “Nothing must go today.”"))}, "guard", gone="Nothing must go", kept=TRUTH),
    Fault("a refiner who returns prose", {"audit": nothing_found(objects={"errors": [REAL]}), "refine": "Done."}, "guard", kept=TRUTH),
    # -- contradictions ------------------------------------------------------------------------------------------------
    Fault(
        "witnesses who contradict each other, and stay with it",
        {"frames": SEEN.replace("red", "green"), "contradictions": {"contradictions": [COLOURS]},
         "decide": {"decisions": [{"number": 1, "settled": False, "finding": "", "snippet": "red apples", "attribute": "objects"}]},
         "refine": improved(replaced("red apples", "apples"))},
        "contradiction open", gone="red apples",
    ),
    Fault(
        "witnesses who contradict each other, until one is asked again",
        {"frames": SEEN.replace("red", "green"), "contradictions": {"contradictions": [COLOURS]},
         "decide": {"decisions": [{"number": 1, "settled": True, "finding": "The apples are green.", "snippet": "red apples", "attribute": "objects"}]},
         "refine": improved(replaced("red apples", "green apples"))},
        "contradiction cross_examination", gone="red apples",
    ),
    Fault(
        "a witness who contradicts an instrument",
        {"contradictions": {"contradictions": [{**COLOURS, "what": "One cut, or three.", "observations": ["o3", "o5"]}]}},
        "contradiction instrument", kept=TRUTH,
    ),
    # -- sources that fail ---------------------------------------------------------------------------------------------
    Fault("an annotator whose server fails", {"whole": server_error()}, "observation captioner", kept=TRUTH),
    Fault("an annotator who is blocked", {"audio": BLOCKED}, "observation audio", kept=TRUTH),
    Fault("an annotator who says nothing", {"frames": ""}, "observation frames", kept=TRUTH),
    Fault("an integrator who answers in prose", {"ensemble": "Here is a nice caption for you."}, "says ensemble failed", outcome="partial", kept=TRUTH),
    Fault("too few candidates", {"frames": server_error(), "audio": server_error()}, "failure no_candidates", workflow="avocado"),
    # -- split ---------------------------------------------------------------------------------------------------------
    Fault("a split that invents", {"split": {"scene": f"{MARKET} {WHALE}", "speech": WELCOME}}, "attribute scene whale"),
    Fault("a split that invents speech", {"split": {"speech": f"{WELCOME} She adds: “Never come back.”"}}, "attribute speech Never"),
    # -- the gate ------------------------------------------------------------------------------------------------------
    Fault("a merge that lost too much", {"judge": {"reasons": ["The music is lost."], "score": 2}}, "gate incomplete", outcome="rejected"),
    Fault("a caption that is too short", {"ensemble": sentences("A market.")}, "gate too_short", outcome="rejected", settings=("refine.reaudit=nobody", "audit.auditor=false", "gate.min_tokens=30"), workflow="avocado"),
    Fault("a proven error that nobody mends", {"ensemble": with_sentence(TODAY, "At 12s, the woman says: “Flour is free on Mondays.”"), "refine": "No."}, "gate errors", outcome="rejected"),
    Fault("an invention without any evidence", {"ensemble": {"sentences": [{"text": f"At {n}s, {what} glitters wildly.", "evidence": []} for n, what in enumerate(("a comet", "an octopus", "a cathedral", "a submarine"))]}}, "gate ungrounded", outcome="rejected"),
]  # fmt: skip


def catches(record: CaptionRecord, by: str) -> bool:
    """Whether the record says that the fault was caught by this part.

    ``audit ATTRIBUTE CHECK`` and ``missing ATTRIBUTE CHECK``: an error, or something missing, that this instrument check
    (or the ``auditor``) found · ``form``: repaired without a model · ``dropped``, ``overruled``, ``unaudited``: what became
    of the auditor's report · ``guard``: the refiner's version was refused · ``contradiction HOW`` · ``observation NAME``: a
    recorded failure · ``attribute NAME WORD``: kept out of that attribute's caption · ``gate CODE`` · ``says TEXT``.
    """
    kind, _, rest = by.partition(" ")
    return any(_CAUGHT[kind](record, rest))


def _audit(record: CaptionRecord, rest: str) -> Iterator[bool]:
    attribute, check = rest.split()
    known = {o.id for o in record.observations or ()}
    for error in (record.audit or {})[attribute].errors:  # type: ignore[index]
        yield (error.check or "auditor") == check and set(error.evidence) <= known


def _missing(record: CaptionRecord, rest: str) -> Iterator[bool]:
    attribute, check = rest.split()
    for missing in (record.audit or {})[attribute].missing:  # type: ignore[index]
        yield missing.check == check and bool(missing.evidence)


def _form(record: CaptionRecord, rest: str) -> Iterator[bool]:
    yield bool(record.refinement and record.refinement.dropped_forbidden)


def _summary(record: CaptionRecord, name: str) -> Iterator[bool]:
    assert record.audit_summary is not None
    yield bool(getattr(record.audit_summary, name))


def _guard(record: CaptionRecord, rest: str) -> Iterator[bool]:
    assert record.refinement is not None
    yield not record.refinement.applied and bool(record.refinement.refusals)


def _contradiction(record: CaptionRecord, how: str) -> Iterator[bool]:
    for contradiction in record.contradictions or ():
        yield (contradiction.settled_by or "open") == how


def _observation(record: CaptionRecord, name: str) -> Iterator[bool]:
    for observation in record.observations or ():
        yield observation.observer == name and observation.error is not None


def _attribute(record: CaptionRecord, rest: str) -> Iterator[bool]:
    name, word = rest.split()
    told = any(f"the {name} caption" in reason for reason in record.quality.reasons)
    yield told and word not in (record.attributes or {}).get(name, "")  # type: ignore[call-overload]


_CAUGHT = {
    "audit": _audit,
    "missing": _missing,
    "form": _form,
    "dropped": lambda record, rest: _summary(record, "not_in_caption"),
    "overruled": lambda record, rest: _summary(record, "overruled"),
    "unaudited": lambda record, rest: _summary(record, "unaudited"),
    "guard": _guard,
    "contradiction": _contradiction,
    "observation": _observation,
    "attribute": _attribute,
    "gate": lambda record, code: (reason.startswith(f"{code}:") for reason in record.quality.reasons),
    "says": lambda record, text: (text in reason for reason in (*record.quality.reasons, *_adjustments(record))),
}


def _adjustments(record: CaptionRecord) -> tuple[str, ...]:
    return record.refinement.timestamp_adjustments if record.refinement else ()


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return video(tmp_path_factory.mktemp("market") / "market.mp4", seconds=DURATION_S)


async def test_an_honest_cast_gets_the_truth_through_untouched(market: Path) -> None:
    record, troupe = await performed(Act(), market)
    assert record.caption == CAPTION
    assert record.outcome == "accepted"
    assert record.quality.reasons == ()
    assert record.quality.scores["completeness"] == 5
    assert record.quality.scores["grounding"] == 1
    assert all(not audit.errors and not audit.missing for audit in (record.audit or {}).values())
    assert "refine" not in troupe.calls, "nothing to mend, nothing to pay"
    assert {c.source for c in record.candidates or ()} == {"detective", "captioner", "frames", "audio"}
    assert set(record.attributes or {}) == {"scene", "characters", "objects", "speech", "camera"}
    assert {"investigate", "annotate", "ensemble", "audit", "split", "gate"} <= set(record.usage.by_stage)
    assert record.usage.by_role["integrator"].calls == 2
    follows_its_schema(record)
    assert record.usage.calls == sum(used.calls for used in record.usage.by_stage.values())


def follows_its_schema(record: CaptionRecord) -> None:
    """The line is what ``docs/reference/record.schema.json`` promises."""
    schema = json.loads((resource_root() / "docs" / "reference" / "record.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(json.loads(record.to_line()))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
async def test_a_planted_fault_is_caught_and_the_record_says_by_whom(fault: Fault, market: Path) -> None:
    if fault.caught_by.startswith("failure"):
        with pytest.raises(NoCandidatesError):
            await performed(Act(fault.plant), market, workflow=fault.workflow, settings=fault.settings)
        return
    record, _ = await performed(Act(fault.plant), market, workflow=fault.workflow, settings=fault.settings)
    told = record.model_dump_json(indent=1, exclude={"trajectory", "observations", "usage", "provenance"})
    assert catches(record, fault.caught_by), told
    follows_its_schema(record)
    assert record.outcome == fault.outcome, told
    if fault.outcome != "rejected":
        assert not fault.gone or fault.gone not in record.caption, told
    for sentence in fault.kept:
        assert sentence in record.caption, told


def test_there_are_at_least_thirty_and_each_has_a_name_of_its_own() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(names) == len(set(names)) >= 30


async def test_a_witness_is_asked_again_exactly_once(market: Path) -> None:
    act = Act({"frames": SEEN.replace("red", "green"), "contradictions": {"contradictions": [COLOURS]}})
    record, troupe = await performed(act, market)
    asked = [o for o in record.observations or () if o.question == COLOURS["question"]]
    assert [o.observer for o in asked] == ["frame_captioner"]
    assert asked[0].span is not None
    assert troupe.calls["contradictions"] == 1

    record, troupe = await performed(act, market, settings=("audit.cross_examine=false",))
    assert not any(o.question == COLOURS["question"] for o in record.observations or ())
    assert catches(record, "contradiction open")


async def test_a_rejected_clip_goes_through_once_more_with_the_reasons_as_hints(market: Path) -> None:
    def judge(call: int, prompt: str) -> dict[str, Any]:
        return {"reasons": ["The music is lost."], "score": 2 if call == 1 else 5}

    record, troupe = await performed(Act({"judge": judge}), market, settings=("gate.retry=1",))
    assert record.outcome == "accepted"
    assert troupe.calls["ensemble"] == 2
    assert troupe.calls["detective"] == 3, "no observer is asked again"
    assert troupe.calls["whole"] == 1
    assert "The music is lost." in troupe.prompts["ensemble"][1]
