"""How long captions, answers and transcripts get, in tokens: guesses, wide on purpose.

Nobody knows before the first clip was captioned; ``omnidetective estimate --pilot N`` measures. Captions and answers
grow with what happens in a clip, which is taken to grow with its length.
"""

from __future__ import annotations

from dataclasses import dataclass

from omnidetective.forecast.calls import NOTHING, Size, exactly
from omnidetective.forecast.ground import Ground
from omnidetective.records import MediaFacts

OBSERVATION_FRAME = exactly(60.0)
"""What stands around an answer when it is handed on: id, observer, span and question."""
WITNESS_ANSWER = Size(60.0, 300.0)
REPORT = Size(100.0, 800.0)
"""What an agent of a domain says of one picture; of a clip, its length is added as for captions."""
QUESTION = Size(30.0, 90.0)
"""One inquiry of the detective, with its span and attributes."""
FINDING = Size(40.0, 110.0)
"""One error or missing thing of an audit."""
EVENT_FACTOR = Size(0.6, 1.6)
"""A caption once more, as events or sentences with their evidence, in proportion to the caption."""
_TOKENS_OF_CHARS = 1 / 4


@dataclass(frozen=True, slots=True)
class Lengths:
    """Of one part of a clip: a segment, or all of it.

    Attributes:
        caption: a candidate, or the merged caption.
        told: candidates together, as later stages are told them.
        observations: observations together, likewise.
        transcript: the words with their times.
    """

    caption: Size
    told: Size
    observations: Size
    transcript: Size


def lengths_of(
    ground: Ground, facts: MediaFacts, part_s: float, *, candidates: Size, inquiries: Size, reports: Size = NOTHING
) -> Lengths:
    """The lengths of one part.

    Args:
        candidates: how many captions of it there are.
        inquiries: questions to witnesses about it.
        reports: answers of agents that are no captions.
    """
    longest = ground.settings.ensemble.answer_chars * _TOKENS_OF_CHARS
    caption = Size(80.0 + 1.5 * part_s, 350.0 + 7.0 * part_s).at_most(ground.settings.annotate.max_tokens)
    instruments = len(ground.observers(facts, "instrument"))
    measured = Size(20.0 + 0.5 * part_s, 150.0 + 5.0 * part_s).at_most(longest).plus(OBSERVATION_FRAME)
    answers = WITNESS_ANSWER.plus(OBSERVATION_FRAME)
    report = report_of(part_s).at_most(longest).plus(OBSERVATION_FRAME)
    speech = Size(0.0, 8.0 * part_s) if facts.has_audio else NOTHING
    told = caption.at_most(longest).plus(exactly(15.0))
    # Of a domain's agents some are instruments, and which ones is known only when the picture is routed.
    least_measured = instruments if reports == NOTHING else 0
    return Lengths(
        caption=caption,
        told=told.times(candidates.low, candidates.high),
        observations=answers.times(inquiries.low, inquiries.high).plus(
            report.times(reports.low, reports.high), measured.times(least_measured, instruments)
        ),
        transcript=speech,
    )


def report_of(part_s: float) -> Size:
    """The answer of one agent of a domain."""
    return REPORT.plus(Size(1.5 * part_s, 7.0 * part_s))
