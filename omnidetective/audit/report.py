"""The audit report: joining what instruments and auditor say, and weighing one against the other. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping

from omnidetective.audit import quotes, screen_text
from omnidetective.audit.finding import Confirmation, Inspection
from omnidetective.captions.alignment import THRESHOLD, plain
from omnidetective.captions.quotes import find_quotes
from omnidetective.case import Case
from omnidetective.findings import AttributeAudit, AuditError, AuditMissing
from omnidetective.records import ATTRIBUTES, Attribute

Report = Mapping[Attribute, AttributeAudit]

WITHIN = 0.8
"""Share of a snippet that must be borne out for the whole of it to be."""
_ALWAYS = frozenset({"form", "time"})
"""Checks whose findings are about the caption as a whole, whatever attributes are asked for."""
_DOMAINS: Mapping[str, frozenset[Attribute]] = {
    quotes.CHECK: frozenset({"speech"}),
    screen_text.CHECK: frozenset({"objects", "scene"}),
}
_SAME_SIGN = str.maketrans(
    {**dict.fromkeys("“”„«»「」『』‟", '"'), **dict.fromkeys("‘’‚‛`´", "'"), **dict.fromkeys("–—‑‒", "-")}
)
_LONGEST_SNIPPET = 2000


def of_inspection(
    inspection: Inspection, attributes: Collection[Attribute], *, elsewhere: Attribute | None = None
) -> Report:
    """The findings of the instruments in the shape of the record.

    Args:
        attributes: which to keep; findings about form and times are always kept.
        elsewhere: where to keep the findings about all others: an image has no narrative that could be wrong.
    """
    found: dict[Attribute, AttributeAudit] = {}
    for finding in inspection.findings:
        attribute = finding.attribute
        if attribute not in attributes and elsewhere is not None:
            attribute = elsewhere
        elif attribute not in attributes and finding.check not in _ALWAYS:
            continue
        part = found.get(attribute, AttributeAudit())
        if finding.kind == "error":
            error = AuditError(snippet=finding.snippet, why=finding.why, evidence=finding.evidence, check=finding.check)
            part = part.model_copy(update={"errors": (*part.errors, error)})
        else:
            lack = AuditMissing(what=finding.snippet, why=finding.why, evidence=finding.evidence, check=finding.check)
            part = part.model_copy(update={"missing": (*part.missing, lack)})
        found[attribute] = part
    return _ordered(found)


def standing(report: Report, caption: str) -> tuple[Report, int]:
    """The report without the errors whose snippet does not stand in the caption, and how many those were.

    Where only quotation marks, spaces or case differ, the snippet is put as it stands in the caption.
    """
    dropped = 0
    kept: dict[Attribute, AttributeAudit] = {}
    folded: tuple[str, list[int]] | None = None
    for attribute, part in report.items():
        errors: list[AuditError] = []
        for error in part.errors:
            snippet = error.snippet.strip()
            if snippet and snippet not in caption:
                folded = folded or _folded(caption)
                snippet = _as_it_stands(snippet, caption, folded)
            if snippet:
                errors.append(error.model_copy(update={"snippet": snippet}))
            else:
                dropped += 1
        kept[attribute] = part.model_copy(update={"errors": tuple(errors)})
    return kept, dropped


def outranked(report: Report, inspection: Inspection, case: Case) -> tuple[Report, int]:
    """The auditor's report without what instruments know better, and how many findings that overrules.

    An error is overruled where an instrument bears out what it disputes: the snippet is (nearly all) confirmed, or it
    disputes, in the attribute of the instrument, a snippet whose quotations are all confirmed. Something missing is
    overruled where it asks for words that the transcript does not hold, or for text that OCR never read.
    """
    overruled = 0
    kept: dict[Attribute, AttributeAudit] = {}
    for attribute, part in report.items():
        errors = tuple(e for e in part.errors if e.check or not _borne_out(attribute, e, inspection, case))
        missing = tuple(m for m in part.missing if m.check or not _never_was(attribute, m, case))
        overruled += len(part.errors) - len(errors) + len(part.missing) - len(missing)
        kept[attribute] = part.model_copy(update={"errors": errors, "missing": missing})
    return kept, overruled


def united(*reports: Report) -> Report:
    """One report of several, findings of instruments first; of the same finding the first is kept."""
    found: dict[Attribute, AttributeAudit] = {}
    for attribute in dict.fromkeys(attribute for report in reports for attribute in report):
        parts = [report[attribute] for report in reports if attribute in report]
        errors = sorted((error for part in parts for error in part.errors), key=lambda error: error.check is None)
        missing = sorted((lack for part in parts for lack in part.missing), key=lambda lack: lack.check is None)
        found[attribute] = AttributeAudit(
            errors=_unique_errors(errors),
            missing=tuple({plain(lack.what) or lack.what: lack for lack in reversed(missing)}.values())[::-1],
            expressiveness=tuple(dict.fromkeys(remark for part in parts for remark in part.expressiveness)),
        )
    return _ordered(found)


def errors(report: Report) -> Iterator[tuple[Attribute, AuditError]]:
    """Every error with its attribute."""
    return ((attribute, error) for attribute, part in report.items() for error in part.errors)


def missing(report: Report) -> Iterator[tuple[Attribute, AuditMissing]]:
    """Everything missing with its attribute."""
    return ((attribute, lack) for attribute, part in report.items() for lack in part.missing)


def has_errors(report: Report) -> bool:
    """Whether the caption says anything wrong."""
    return next(errors(report), None) is not None


def has_missing(report: Report) -> bool:
    """Whether the caption leaves anything important out."""
    return next(missing(report), None) is not None


def is_clean(report: Report) -> bool:
    """Whether nothing is wrong and nothing missing; remarks on expression do not count."""
    return not has_errors(report) and not has_missing(report)


def _ordered(found: Mapping[Attribute, AttributeAudit]) -> Report:
    return {attribute: found[attribute] for attribute in ATTRIBUTES if attribute in found}


def _unique_errors(found: list[AuditError]) -> tuple[AuditError, ...]:
    """Each error once. Two checks may object to the same words; a model then adds nothing to them."""
    kept: dict[tuple[str, str | None], AuditError] = {}
    disputed: set[str] = set()
    for error in found:
        snippet = plain(error.snippet) or error.snippet
        if error.check is None and snippet in disputed:
            continue
        disputed.add(snippet)
        kept.setdefault((error.snippet if error.check else snippet, error.check), error)
    return tuple(kept.values())


# -- standing ----------------------------------------------------------------------------------------------------------


def _folded(text: str) -> tuple[str, list[int]]:
    """A text with marks, spaces and case unified, and for each of its characters the position in the text."""
    kept: list[str] = []
    positions: list[int] = []
    for position, character in enumerate(text.translate(_SAME_SIGN)):
        if character.isspace():
            if kept and kept[-1] != " ":
                kept.append(" ")
                positions.append(position)
            continue
        for folded in unicodedata.normalize("NFKC", character).casefold():
            kept.append(folded)
            positions.append(position)
    return "".join(kept), positions


def _as_it_stands(snippet: str, caption: str, folded: tuple[str, list[int]]) -> str:
    """The words of the caption that a snippet quotes inexactly; empty where there are none."""
    text, positions = folded
    wanted = _folded(snippet[: 4 * _LONGEST_SNIPPET])[0].strip()
    unmarked = wanted[1:-1].strip() if len(wanted) > 2 and wanted[0] == wanted[-1] == '"' else wanted
    for candidate in (wanted, unmarked, unmarked.strip("\"'"), re.sub(r"(?:\.{1,3}|…)$", "", unmarked).strip()):
        at = text.find(candidate) if any(c.isalnum() for c in candidate) else -1
        if at >= 0:
            return caption[positions[at] : positions[at + len(candidate) - 1] + 1]
    return ""


# -- outranked ---------------------------------------------------------------------------------------------------------


def _borne_out(attribute: Attribute, error: AuditError, inspection: Inspection, case: Case) -> bool:
    caption = case.caption or ""
    snippet = error.snippet.strip()
    if not snippet:
        return False
    at = caption.find(snippet)
    places = []
    while at >= 0:
        places.append((at, at + len(snippet)))
        at = caption.find(snippet, at + len(snippet))
    confirmed = [c for c in inspection.confirmed if caption[c.start : c.end] == c.snippet]
    # The auditor may mean any place where the words stand: each must be borne out.
    return bool(places) and all(
        _mostly_confirmed(place, confirmed) or _quotations_confirmed(attribute, place, caption, confirmed)
        for place in places
    )


def _mostly_confirmed(place: tuple[int, int], confirmed: list[Confirmation]) -> bool:
    start, end = place
    return any(min(end, c.end) - max(start, c.start) >= WITHIN * (end - start) for c in confirmed)


def _quotations_confirmed(
    attribute: Attribute, place: tuple[int, int], caption: str, confirmed: list[Confirmation]
) -> bool:
    """Whether the snippet has quotations, and each is confirmed by the instrument of this attribute."""
    known = {(c.start, c.end) for c in confirmed if attribute in _DOMAINS.get(c.check, frozenset())}
    if not known:
        return False
    touched = [(q.start, q.end) for q in find_quotes(caption) if q.start < place[1] and place[0] < q.end]
    return bool(touched) and all(span in known for span in touched)


def _never_was(attribute: Attribute, lack: AuditMissing, case: Case) -> bool:
    for quote in find_quotes(lack.what):
        as_speech = quote.kind == "speech" or (quote.kind == "unclear" and attribute == "speech")
        as_text = quote.kind == "screen" or (quote.kind == "unclear" and attribute in ("objects", "scene"))
        if as_speech and quotes.heard(case, quote.text, at_least=THRESHOLD) is False:
            return screen_text.reads(case, quote.text) is not True
        if as_text and screen_text.reads(case, quote.text) is False:
            return True
    return False
