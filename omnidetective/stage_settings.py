"""The settings of the stages. Their descriptions are the user's documentation: see :mod:`omnidetective.settings`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from omnidetective.records import ATTRIBUTES, Attribute
from omnidetective.section import Count, Seconds, Section, Shows


class InvestigateSettings(Section):
    """The detective's budget."""

    inquiries: Count = 10
    """Most questions to observers (the Omni-Captioner paper uses 10)."""
    per_turn: Count = 4
    """Most questions that the detective may ask in one turn; more are put off to the next."""
    tokens: Count | None = None
    """Most tokens, of the detective and of the witnesses together; no limit by default."""
    seconds: Seconds = 600.0
    """Most wall time, for a clip (or segment) of up to five minutes; longer ones get it in proportion."""
    early_stop: bool = True
    """Let the detective conclude before the budget is spent. Off: all inquiries are always made, as in the paper."""
    observer_timeout_s: Seconds = 180.0
    """Time for one observation of up to five minutes of a clip; longer spans get it in proportion. Waiting for limits
    (`limits.models`, 429 answers) does not count."""
    answer_chars: Count = 6000
    """Most characters of one answer that the detective is shown; the record keeps it whole."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """Sampling temperature of the detective; the provider's default when unset."""


class RouteSettings(Section):
    """Which domain a picture belongs to, and so which agents look at it."""

    by: Literal["model", "measurement"] = "model"
    """Who decides: the router, a model that is shown the picture, or measurement alone, which costs nothing and errs
    more often. Where the router is embedded, it measures."""
    domains: Path | None = None
    """Folder of domains of your own, in the form of configs/capflow; one of the same name replaces the built-in one."""
    max_tokens: Count = 512
    """Longest answer of the router, in tokens of the model."""


class AnnotatorSettings(Section):
    """One annotator: who plays it, and what it is shown."""

    role: str
    """Role of the model set; `asr` proposes the transcript itself. A role that nobody plays is left out."""
    shows: Shows
    """What it is shown: `frames`, `audio`, `transcript` (the words with their times)."""
    enabled: bool = True
    """Off leaves this annotator out."""


class AnnotateSettings(Section):
    """Captions of the whole clip by models that know nothing of each other."""

    annotators: dict[str, AnnotatorSettings] = Field(default_factory=dict)
    """The annotators by name, which is the `source` of the candidate. Every workflow names its own; add one with
    `--set 'annotate.annotators.mine={role: omni_llm, shows: [frames]}'`."""
    min_candidates: Count = 1
    """Fewest candidates, the detective's included, without which the clip fails."""
    fps: Annotated[float, Field(gt=0)] = 2.0
    """Frames a second that an annotator is shown, up to `max_frames` (AVoCaDO and ASID: 2)."""
    max_frames: Count = 32
    """Most frames that an annotator is shown at once; of an image of several pages, most pages."""
    tiles: Annotated[int, Field(ge=0)] = 4
    """Most tiles of each page of an image that an annotator is shown beside the whole, where the page is larger than
    `media.frame_longest_side_px`: so that a document can be read. They cover all of the page, at full resolution if so
    many suffice. Each costs as much as a picture; 0: only the whole. See docs/guides/images.md."""
    max_tokens: Count = 2048
    """Longest candidate, in tokens of the model."""


class EnsembleSettings(Section):
    """Merging the candidates into one draft."""

    shows: Shows = ("transcript",)
    """What the integrator gets besides candidates and observations; `avocado` gives it the clip again."""
    fps: Annotated[float, Field(gt=0)] = 2.0
    """Frames a second that it is shown, up to `max_frames`."""
    max_frames: Count = 32
    """Most frames that it is shown at once."""
    answer_chars: Count = 4000
    """Most characters of one observation that this and the later stages are shown; the record keeps it whole."""
    max_tokens: Count = 4096
    """Longest answer, in tokens of the model."""


class VerifySettings(Section):
    """The check of the draft against its sources."""

    shows: Shows = ("transcript",)
    """What the verifier gets besides draft, candidates and observations."""
    fps: Annotated[float, Field(gt=0)] = 1.0
    """Frames a second that it is shown, up to `max_frames`."""
    max_frames: Count = 16
    """Most frames that it is shown at once."""
    max_tokens: Count = 4096
    """Longest answer, in tokens of the model."""


class AuditSettings(Section):
    """The audit, attribute by attribute."""

    auditor: bool = True
    """Ask the auditor, a model. Off leaves the instruments, which cost nothing."""
    attributes: tuple[Attribute, ...] = ATTRIBUTES
    """Attributes that the auditor judges, where the clip can have them."""
    calls: Literal["one", "each"] = "one"
    """Judge all attributes in one call, or each in a call of its own: dearer, and blind to the other judgements."""
    shows: Shows = ("frames", "audio", "transcript")
    """What the auditor gets besides caption and observations."""
    fps: Annotated[float, Field(gt=0)] = 1.0
    """Frames a second that it is shown, up to `max_frames`."""
    max_frames: Count = 16
    """Most frames that it is shown at once."""
    max_tokens: Count = 4096
    """Longest answer, in tokens of the model."""
    cross_examine: bool = True
    """Put a contradiction between witnesses that no instrument can settle back to them, once."""
    quote_similarity: Annotated[float, Field(gt=0, le=1)] = 0.6
    """Edit similarity from which a quotation counts as the words that were recognised (AVoCaDO's γ)."""


class RefineSettings(Section):
    """The repair of what the audit found."""

    keep_similarity: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Similarity from which a sentence without a finding counts as unchanged."""
    reaudit: Literal["nobody", "instruments", "full"] = "instruments"
    """Who looks at the refined caption: nobody, the instruments (free), or the auditor too (as dear as the audit)."""
    max_tokens: Count = 4096
    """Longest answer, in tokens of the model."""


class SplitSettings(Section):
    """Captions of single attributes."""

    attributes: tuple[Attribute, ...] = ATTRIBUTES
    """Attributes to write a caption of; what a clip does not have is left out."""
    max_tokens: Count = 4096
    """Longest answer, in tokens of the model."""


class GateSettings(Section):
    """What a caption must be to be accepted."""

    min_tokens: Annotated[int, Field(ge=0)] = 8
    """Fewest words, numbers and punctuation marks of a caption."""
    max_tokens: Count = 4096
    """Most of them (the second threshold of AVoCaDO's length reward); of a long clip, for each of its segments."""
    max_tokens_per_s: Annotated[float, Field(gt=0)] = 100.0
    """Most of them for each second of the clip; 400 are always allowed."""
    judge: bool = True
    """Let the judge score a caption that nothing else speaks against, by the `rubric`."""
    rubric: Literal["completeness", "professional"] = "completeness"
    """What the judge scores: how complete a merged caption is, seeing the captions before and after the merge; or, for
    any caption, each of several dimensions from 1 to 3, of which only all threes are accepted (MetaCaptioner)."""
    completeness: Annotated[int, Field(ge=1, le=5)] = 4
    """Lowest completeness score that is accepted (AVoCaDO keeps 4 and 5)."""
    shows: Shows = ()
    """What the judge gets of the clip for the rubric `professional`, besides caption and measurements; for
    `completeness` it compares texts alone."""
    fps: Annotated[float, Field(gt=0)] = 1.0
    """Frames a second that it is shown, up to `max_frames`."""
    max_frames: Count = 16
    """Most frames that it is shown at once."""
    samples: Annotated[int, Field(ge=1, le=16)] = 1
    """Most captions that are drawn: a rejected one is merged anew by the integrator, knowing nothing of the one before,
    until one is accepted; else the best is kept. The record lists all. Merges that rules make are not drawn again."""
    grounding: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Lowest share of sentences that cite evidence."""
    max_errors: Annotated[int, Field(ge=0)] = 0
    """Most errors in the final caption that instruments prove."""
    retry: Annotated[int, Field(ge=0, le=3)] = 0
    """How often a rejected clip is sent through again, with the reasons as hints; each time draws `samples`."""
