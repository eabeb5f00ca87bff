"""What the stages after the merge say about a caption: what is wrong, what was done about it, what stays open.

Part of the record (DESIGN §5). Ids in ``evidence`` and ``observations`` are those of the case's observations.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from omnidetective.frozen import Sparse


class Routing(Sparse):
    """Which domain a picture belongs to (MetaCaptioner's CapFlow: nine domains), and how that is known.

    ``domain`` and ``second`` are names of domains, see ``configs/capflow``. Low ``confidence`` means that the agents of
    both were asked. ``by``: the input row named it, the picture's kind leaves no choice, the router (a model) decided,
    or it was measured; ``measures`` holds what was measured then, by name.
    """

    domain: str
    second: str | None = None
    confidence: Literal["high", "medium", "low"]
    by: Literal["row", "kind", "model", "measurement"]
    why: str = ""
    measures: dict[str, float] | None = None

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains whose agents are asked."""
        return (self.domain,) if self.second is None or self.confidence != "low" else (self.domain, self.second)


class Sample(Sparse):
    """One draw of the caption, as the gate saw it; no ``reasons`` where it was found acceptable."""

    number: int = Field(ge=0)
    caption: str
    scores: dict[str, float] = Field(default_factory=dict)
    reasons: tuple[str, ...] = ()


class Verification(Sparse):
    """The verifier's answer: what the draft lacked, and the draft with it filled in (ASID-Verify, stage 2).

    The two deficiencies are texts, empty where nothing was deficient.
    """

    non_speech_deficiency_specific: str
    speech_deficiency_specific: str
    caption: str


class AuditError(Sparse):
    """Something that the caption says and that is not so.

    ``snippet`` stands in the caption as it is quoted. ``check`` names the instrument check that found it; absent where
    the auditor, a model, did.
    """

    snippet: str
    why: str
    evidence: tuple[str, ...] = ()
    check: str | None = None


class AuditMissing(Sparse):
    """Something important that the evidence shows and the caption leaves out."""

    what: str
    why: str
    evidence: tuple[str, ...] = ()
    check: str | None = None


class AttributeAudit(Sparse):
    """What is wrong with the draft in one attribute."""

    errors: tuple[AuditError, ...] = ()
    missing: tuple[AuditMissing, ...] = ()
    expressiveness: tuple[str, ...] = ()


class AuditSummary(Sparse):
    """How the audit came about, and what of the auditor's report was not taken.

    Attributes:
        by: who looked: the instruments alone, or the auditor, a model, too.
        not_in_caption: findings dropped because their snippet does not stand in the caption.
        overruled: findings dropped because an instrument bears out what they deny, or denies what they miss.
        unaudited: attribute → why no auditor judged it; instruments look at every caption all the same.
        after_by: who looked at the refined caption for the record's ``audit_after``.
    """

    by: Literal["instruments", "full"] = "instruments"
    not_in_caption: int = 0
    overruled: int = 0
    unaudited: dict[str, str] = Field(default_factory=dict)
    after_by: Literal["instruments", "full"] | None = None


class Contradiction(Sparse):
    """Two observers that say different things about the same.

    ``settled_by`` is absent while it stands open; ``finding`` says then what is taken to be so.
    """

    what: str
    observations: tuple[str, ...] = ()
    settled_by: Literal["instrument", "cross_examination"] | None = None
    finding: str | None = None


class Refinement(Sparse):
    """What the refiner did about the audit.

    ``applied`` is false where the caption stands unrefined; ``refusals`` says why the guard sent a version back.
    """

    fixed_errors: tuple[str, ...] = ()
    filled_missing: tuple[str, ...] = ()
    dropped_forbidden: tuple[str, ...] = ()
    timestamp_adjustments: tuple[str, ...] = ()
    applied: bool = True
    refusals: tuple[str, ...] = ()
