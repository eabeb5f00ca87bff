"""Stage: the audit. Instruments look at the caption, the auditor judges it by attribute, contradictions are examined.

Source: ASID-Verify, stage 3, for the report by attribute. Ours: the instruments, which outrank the auditor in their
fields, findings that have to stand in the caption, and the cross-examination.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from omnidetective.audit.finding import Inspection
from omnidetective.audit.inspection import inspect
from omnidetective.audit.report import Report, of_inspection, outranked, standing, united
from omnidetective.case import Case
from omnidetective.detective.inquiry import possible_attributes
from omnidetective.findings import AuditSummary
from omnidetective.records import ATTRIBUTES
from omnidetective.settings import Settings
from omnidetective.stages.auditor import ROLE, judged
from omnidetective.stages.base import Stage, StageContext
from omnidetective.stages.contradictions import examined
from omnidetective.stages.measuring import measured


class Audit(Stage):
    """What is wrong with the draft, by attribute, and what observers disagree on."""

    name: ClassVar[str] = "audit"
    needs: ClassVar[frozenset[str]] = frozenset({"draft"})
    adds: ClassVar[frozenset[str]] = frozenset({"audit"})

    def roles(self, settings: Settings) -> tuple[str, ...]:
        return (ROLE,) if settings.audit.auditor else ()

    async def __call__(self, case: Case, context: StageContext) -> Case:
        """Audit the draft.

        Raises:
            ProviderError: a call failed for a reason that the next would meet too.
            ObserverUnavailableError: nobody plays the auditor, or its key is missing.
        """
        case = await measured(case, context)
        look = await _look(case, context, auditor=context.settings.audit.auditor)
        questioned = await examined(case, context)
        case = questioned.case
        disputed, not_in_caption = standing(questioned.errors, case.caption or "")
        disputed, overruled = outranked(disputed, look.inspection, case)
        summary = look.summary.model_copy(
            update={
                "not_in_caption": look.summary.not_in_caption + not_in_caption,
                "overruled": look.summary.overruled + overruled,
            }
        )
        case = replace(case, audit=united(look.report, disputed), audit_summary=summary)
        return case.noted(*(f"{ROLE} was not shown everything: {why}" for why in look.withheld))


async def audited(case: Case, context: StageContext, *, auditor: bool) -> tuple[Report, AuditSummary]:
    """Audit the current draft of a case once more, as the audit does, without looking for contradictions.

    Args:
        auditor: ask the auditor too, where a model plays it; the instruments' findings are already in the case.

    Raises:
        ProviderError: a call failed for a reason that the next would meet too.
    """
    look = await _look(case, context, auditor=auditor)
    return look.report, look.summary


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look at a draft has found, and how."""

    report: Report
    summary: AuditSummary
    inspection: Inspection
    withheld: tuple[str, ...] = ()


async def _look(case: Case, context: StageContext, *, auditor: bool) -> _Look:
    inspection = inspect(case.caption or "", case, quote_similarity=context.settings.audit.quote_similarity)
    # All attributes: words quoted from a clip without sound are an error in speech, which it cannot have. A record of
    # an image has no such attributes at all, so there the scene takes them.
    proven = (
        of_inspection(inspection, ATTRIBUTES)
        if case.clip.whole is not None
        else of_inspection(inspection, possible_attributes(case), elsewhere="scene")
    )
    if not auditor or context.cast.is_embedded(ROLE):
        return _Look(proven, AuditSummary(), inspection)
    judgement = await judged(case, context)
    claimed, overruled = outranked(judgement.report, inspection, case)
    summary = AuditSummary(
        by="full",
        not_in_caption=judgement.not_in_caption,
        overruled=overruled,
        unaudited=dict(judgement.unaudited),
    )
    return _Look(united(proven, claimed), summary, inspection, judgement.withheld)
