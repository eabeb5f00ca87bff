"""The case: everything known about one clip while it is worked on. It only grows.

A stage takes a case and returns a new one with more in it; nothing that was observed is ever changed or removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from omnidetective.draft import Draft
from omnidetective.evidence import Span, SpeechEvidence, SpeechSegment
from omnidetective.findings import (
    AttributeAudit,
    AuditSummary,
    Contradiction,
    Refinement,
    Routing,
    Sample,
    Verification,
)
from omnidetective.media.clip import Clip
from omnidetective.records import (
    Attribute,
    Candidate,
    InputRow,
    Observation,
    StageDraft,
    TrajectoryMessage,
    TranscriptLine,
    case_id,
)

E = TypeVar("E")

NOT_SETTLED = "not settled: "
"""How a shortfall begins that is a contradiction which the detective left open."""

_LISTS = ("observations", "candidates", "contradictions", "trajectory", "shortfalls", "remarks")
_SAID_ONCE = ("shortfalls", "remarks")
_RESULTS = (
    "routing",
    "verification",
    "audit",
    "audit_after",
    "audit_summary",
    "refinement",
    "attributes",
    "scores",
    "rejections",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One clip under investigation.

    Attributes:
        branch: stands before the numbers of new observations, so that cases which grow side by side share no id.
        segments: the parts in which a long clip is worked on, in order; empty for a clip that is worked on whole.
        routing: which domain the picture belongs to.
        scope: the segment that this case is about, while segments are worked on side by side; all times are those of
            the whole clip all the same.
        observations: what came back from each inquiry, numbered ``o1``, ``o2``, … in the order they joined.
        candidates: whole captions that sources proposed.
        draft: the best caption so far, sentence by sentence; a later stage may put a better one in its place.
        drafts: the caption as each stage left it.
        verification: what the verifier found deficient, and its version.
        audit, audit_after: what is wrong with the draft, by attribute, before and after it was refined.
        audit_summary: how the audit came about.
        contradictions: what observers disagree on.
        refinement: what the refiner did.
        attributes: captions of single attributes.
        scores: what the gate measured.
        rejections: why the gate rejects the caption; empty when it does not.
        hints: why the gate rejected the caption before this one.
        draw: number of the caption that is being drawn, from 0: several draws of the same task differ by chance alone.
        samples: the captions drawn so far, as the gate saw them.
        trajectory: the detective's conversation.
        shortfalls: why the result is only partial, in words; empty when it is whole.
        remarks: what a stage dropped or corrected, in words.
    """

    row: InputRow
    clip: Clip
    branch: str = ""
    segments: tuple[Span, ...] = ()
    scope: Span | None = None
    routing: Routing | None = None
    observations: tuple[Observation, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    draft: Draft | None = None
    drafts: tuple[StageDraft, ...] = ()
    verification: Verification | None = None
    audit: Mapping[Attribute, AttributeAudit] | None = None
    audit_after: Mapping[Attribute, AttributeAudit] | None = None
    audit_summary: AuditSummary | None = None
    contradictions: tuple[Contradiction, ...] = ()
    refinement: Refinement | None = None
    attributes: Mapping[Attribute, str] | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    rejections: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    draw: int = 0
    samples: tuple[Sample, ...] = ()
    trajectory: tuple[TrajectoryMessage, ...] = ()
    shortfalls: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def caption(self) -> str | None:
        """The text of the draft."""
        return None if self.draft is None else self.draft.text

    @property
    def span(self) -> Span | None:
        """What this case is about: the segment it is for, or the whole clip; ``None`` for an image."""
        return self.scope or self.clip.whole

    @property
    def what(self) -> str:
        """What this case is about, for messages: ``clip``, or ``segment`` of it."""
        return "clip" if self.scope is None else "segment"

    def observed(self, new: Iterable[Observation]) -> Case:
        """The case with more observations, each given its id."""
        known = sum(o.id.startswith(f"{self.branch}o") for o in self.observations)
        numbered = (o.model_copy(update={"id": case_id(n, self.branch)}) for n, o in enumerate(new, start=known + 1))
        return replace(self, observations=(*self.observations, *numbered))

    def branched(self, branch: str, scope: Span | None = None) -> Case:
        """The case for work that goes on side by side with other work on it, about the whole or about one segment."""
        return replace(self, branch=f"{self.branch}{branch}", scope=scope or self.scope)

    def joined(self, branches: Sequence[Case]) -> Case:
        """The case with everything that its branches have added, in their order.

        Drafts of several branches become the sections of one. The other results that there is one of are taken from
        the last branch that has a new one.
        """
        case = self
        grown = {name: getattr(self, name) for name in _LISTS}
        for branch in branches:
            for name in _LISTS:
                grown[name] = (*grown[name], *getattr(branch, name)[len(getattr(self, name)) :])
            changed = {n: getattr(branch, n) for n in _RESULTS if getattr(branch, n) is not getattr(self, n)}
            case = replace(case, **changed)
        for name in _SAID_ONCE:
            grown[name] = tuple(dict.fromkeys(grown[name]))
        case = replace(case, **grown)
        new = [b for b in branches if b.draft is not None and b.draft is not self.draft]
        if not new:
            return case
        whole = Draft(tuple(section for b in new if b.draft is not None for section in b.draft.sections))
        stage = next((b.drafts[-1].stage for b in new if len(b.drafts) > len(self.drafts)), "")
        return case.drafted(stage, whole) if stage else replace(case, draft=whole)

    def proposed(self, source: str, caption: str) -> Case:
        """The case with one more candidate."""
        new = Candidate(source=source, caption=caption, span=self.scope)
        return replace(self, candidates=(*self.candidates, new))

    def drafted(self, stage: str, draft: Draft) -> Case:
        """The case with the draft that a stage has written; it is kept among ``drafts`` where it says something new."""
        if draft.text == self.caption:
            return replace(self, draft=draft)
        return replace(self, draft=draft, drafts=(*self.drafts, StageDraft(stage=stage, caption=draft.text)))

    def noted(self, *remarks: str) -> Case:
        """The case with more remarks, each once."""
        return replace(self, remarks=tuple(dict.fromkeys((*self.remarks, *remarks))))

    @property
    def answers(self) -> tuple[Observation, ...]:
        """The observations that say something."""
        return tuple(o for o in self.observations if o.error is None)

    def evidence(self, kind: type[E]) -> Iterator[tuple[Observation, E]]:
        """All findings of one type, with the observations they came in."""
        for observation in self.answers:
            if isinstance(observation.data, kind):
                yield observation, observation.data

    def speech(self) -> tuple[tuple[SpeechSegment, str], ...] | None:
        """Speech in order of time, each with the id of its observation; ``None`` when nobody listened for it.

        A second listening to the same seconds adds only what the first did not hear. In one listening two may speak
        at the same time.
        """
        heard: list[tuple[SpeechSegment, str]] = []
        listened = False
        for observation, evidence in self.evidence(SpeechEvidence):
            listened = True
            before = tuple(heard)
            for segment in evidence.segments:
                if not any(segment.start_s < old.end_s and old.start_s < segment.end_s for old, _ in before):
                    heard.append((segment, observation.id))
        return tuple(sorted(heard, key=lambda item: item[0].start_s)) if listened else None

    def transcript(self) -> tuple[TranscriptLine, ...] | None:
        """The speech as record lines; ``None`` when nobody listened for it."""
        speech = self.speech()
        if speech is None:
            return None
        return tuple(
            TranscriptLine(
                start_s=round(s.start_s, 3),
                end_s=round(s.end_s, 3),
                text=s.text,
                speaker=s.speaker,
                language=s.language,
            )
            for s, _ in speech
        )
