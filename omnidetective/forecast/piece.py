"""A clip as stages meet it: whole or in parts, with what the workflow and the cast make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from omnidetective.forecast import investigation as detective
from omnidetective.forecast.calls import NOTHING, Expected, Question, Size, exactly
from omnidetective.forecast.domain_agents import domains_for, guidelines, listen, reports
from omnidetective.forecast.ground import Ground
from omnidetective.forecast.lengths import Lengths, lengths_of
from omnidetective.records import MediaFacts
from omnidetective.stage_settings import AnnotatorSettings
from omnidetective.stages import ensemble
from omnidetective.stages.asking import Look
from omnidetective.stages.domain_agents import tells_of
from omnidetective.stages.onlooker import has_any_of


@dataclass(frozen=True, slots=True)
class Piece:
    """A clip as a stage meets it: in ``parts`` parts of ``part_s`` seconds; ``again``: after the gate sent it back."""

    ground: Ground
    facts: MediaFacts
    parts: int
    part_s: float
    again: bool = False

    @property
    def annotators(self) -> Mapping[str, AnnotatorSettings]:
        """Those that have something of this clip to be shown."""
        if not self.has("annotate"):
            return {}
        named = self.ground.settings.annotate.annotators
        return {name: a for name, a in named.items() if a.enabled and has_any_of(a.shows, self.facts)}

    @property
    def chats(self) -> Mapping[str, AnnotatorSettings]:
        """The annotators that are models; without a model to merge them none is asked."""
        if self.ground.cast.is_embedded(ensemble.ROLE):
            return {}
        return {n: a for n, a in self.annotators.items() if a.role != "asr" and self.ground.asks(a.role)}

    @property
    def by_domain(self) -> bool:
        """Whether agents of its domain look at it, in the place of annotators."""
        return self.has("route") and self.has("annotate")

    @property
    def told_of_domain(self) -> Mapping[str, list[str]]:
        """What the integrator is told of the clip's domain: of that with the most to tell."""
        domains = domains_for(self.ground, self.facts) if self.has("route") else ()
        longest = sorted(domains, key=lambda domain: len(domain.tells))[-1:]
        return {"domains": [domain.title for domain in longest], "tells": tells_of(longest)}

    @property
    def detective(self) -> bool:
        """Whether a model plays a detective of this workflow."""
        return self.has("investigate") and self.ground.asks(detective.ROLE)

    @property
    def inquiries(self) -> Size:
        """Questions to witnesses about one part."""
        return detective.inquiries(self.ground, self.facts) if self.detective else NOTHING

    @property
    def hears_words(self) -> bool:
        """Whether somebody is shown the words while the clip is captioned."""
        wanted = any("transcript" in a.shows for a in (*self.chats.values(), *self._transcripts))
        wanted = wanted or (self.by_domain and listen(self.ground, self.facts))
        return wanted and "asr" in self.ground.toolbox.observers and self.facts.has_audio

    @property
    def _transcripts(self) -> tuple[AnnotatorSettings, ...]:
        if self.ground.cast.is_embedded(ensemble.ROLE):
            return ()
        return tuple(a for a in self.annotators.values() if a.role == "asr")

    @property
    def candidates(self) -> Size:
        """Captions of one part."""
        if self.by_domain:
            return guidelines(self.ground, self.facts).plus(exactly(self.has("investigate")))
        least = len(self.chats) + self.has("investigate")
        return Size(least, least + (len(self._transcripts) if self.hears_words else 0))

    @property
    def lengths(self) -> Lengths:
        """How long texts about one part get."""
        told = reports(self.ground, self.facts) if self.by_domain else NOTHING
        return lengths_of(
            self.ground,
            self.facts,
            self.part_s,
            candidates=self.candidates,
            inquiries=self.inquiries,
            reports=told,
        )

    @property
    def waves(self) -> int:
        """How many parts are worked on one after the other."""
        return ceil(self.parts / self.ground.settings.segment.parallel)

    def has(self, stage: str) -> bool:
        """Whether the workflow has a stage."""
        return stage in self.ground.plan.names

    def look(self, role: str, look: Look) -> Question:
        """What a role is shown of one part, as a call without words and without an answer."""
        shown = self.ground.shown(
            self.facts, role, look.shows, fps=look.fps, max_frames=look.max_frames, part_s=self.part_s
        )
        words = self.lengths.transcript if "transcript" in look.shows else NOTHING
        return Question(exactly(shown.media).plus(words), NOTHING, exactly(shown.sound))

    def asked(self, stage: str, role: str, question: Question, low: float, high: float) -> Expected:
        """Calls for an answer in a form, about each part: ``low`` to ``high`` of them a part."""
        return self.ground.expected(
            stage,
            role,
            question,
            low=low * self.parts,
            high=high * self.parts,
            repairs=self.ground.settings.retry.repairs,
            in_row=Size(low * self.waves, high * self.waves),
        )
