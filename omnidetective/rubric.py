"""What a judge scores. The professional rubric as data: what captions are judged by, and what each score means.

The dimensions and the rule, keep only what has three of three in all of them, are those of MetaCaptioner's CapFlow, for
images and for videos. Those for sound, and all wording, are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from omnidetective.records import Modality

FULL = 3
"""The score that every dimension must have."""
COMPLETENESS = "completeness"
"""Name of the score of the other rubric, 1…5: how complete a merge is."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """One thing that a caption is judged by: its name among the scores, what it asks, what 3, 2 and 1 mean."""

    name: str
    asks: str
    three: str
    two: str
    one: str


_IMAGE = (
    Dimension(
        "factual_accuracy",
        "is what it says so?",
        "every person, thing, number, word, place and relation it names is there as it says; nothing is invented.",
        "one or two details are wrong or cannot be made out, and nothing that the picture is about.",
        "something that matters is wrong or invented, or several details are.",
    ),
    Dimension(
        "information_completeness",
        "does it say what is there to be said?",
        "whoever reads it misses nothing that the picture plainly holds: all main parts, the text and numbers that can "
        "be read, how the parts lie to each other.",
        "all main parts are there, but details that a reader would ask about are left out.",
        "a main part, or most of the text or numbers that can be read, is left out.",
    ),
    Dimension(
        "reasoning_rigour",
        "does what it concludes follow?",
        "each conclusion follows from something that can be pointed at, nothing contradicts itself, and what is only "
        "likely is called so; a caption that concludes nothing also counts, where nothing needs concluding.",
        "one step is a leap, or is surer than what it stands on.",
        "conclusions are wrong, contradict each other, or stand on nothing.",
    ),
    Dimension(
        "core_intent",
        "does it grasp what the picture is for?",
        "what the picture shows, argues, explains or is used for is said and right, and what matters has most room.",
        "it is there, but buried in side matters, or only half said.",
        "the reader does not learn it, or learns something else.",
    ),
    Dimension(
        "professionalism",
        "would a person of that trade sign it?",
        "the terms of the field, used rightly and exactly, in a clear order, sober and without filler.",
        "understandable, but with loose or lay terms, repetition, or an order that one has to sort.",
        "terms are wrong, or it is chatty, muddled, or speaks of itself.",
    ),
)
_VIDEO = (
    Dimension(
        "temporal_and_factual_accuracy",
        "is what it says so, and when it says?",
        "who, what and where are right throughout, and each event is in its order and within about two seconds of any "
        "time given for it.",
        "one or two details or times are off, and nothing that the video is about.",
        "something that matters is wrong or invented, or is told at the wrong time or in the wrong order.",
    ),
    Dimension(
        "event_and_detail_coverage",
        "does it tell all that happens?",
        "every event from the first to the last second is told, with the details that tell it apart from the others.",
        "all main events are told, but a lesser one, or details that a reader would ask about, are left out.",
        "a main event, or a whole stretch of the video, is left out.",
    ),
    Dimension(
        "temporal_causal_logic",
        "does it hang together?",
        "what comes after what, what lasts how long and what brings what about is clear and right; who returns is the "
        "same one; no cause is claimed that nothing shows.",
        "one connection is unclear, missing, or surer than what it stands on.",
        "causes and consequences, or before and after, are mixed up or contradict each other, or events stand side by "
        "side without any connection.",
    ),
)
_AUDIO = (
    Dimension(
        "factual_accuracy",
        "is what it says so?",
        "every sound, voice and word it names can be heard as it says; nothing is said of what no ear can know.",
        "one or two details are wrong or cannot be made out, and nothing that the recording is about.",
        "something that matters is wrong or invented, or things are described that only eyes could know.",
    ),
    Dimension(
        "information_completeness",
        "does it tell all that is heard?",
        "all words that can be understood are told or summed up, and all sounds that matter, with how they sound.",
        "all main sounds and the gist of what is said are there, but details that a reader would ask for are left out.",
        "a main sound, a voice, or most of what is said is left out.",
    ),
    Dimension(
        "temporal_causal_logic",
        "does it hang together?",
        "what comes after what, what goes on at the same time and what brings what about is clear and right; who "
        "speaks again is the same one; no source is claimed that the sound does not give away.",
        "one connection is unclear, missing, or surer than what it stands on.",
        "before and after, causes or speakers are mixed up, or sounds stand side by side without any connection.",
    ),
)
DIMENSIONS: Mapping[Modality, tuple[Dimension, ...]] = {"image": _IMAGE, "video": _VIDEO, "audio": _AUDIO}
"""Kind of clip → what its caption is judged by."""
DIMENSION_NAMES = frozenset(dimension.name for dimensions in DIMENSIONS.values() for dimension in dimensions)
SCORES = DIMENSION_NAMES | {COMPLETENESS}
"""The names of the scores that a judge gives, by whichever rubric."""
