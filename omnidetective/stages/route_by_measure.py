"""Which domain a picture belongs to, by measurement: text, edges, colours and shades, weighed by the domains' signs.

Each domain's signs give it a score, and the scores of all candidates give probabilities (multinomial logistic model).
The weights of the built-in domains are fitted by ``scripts/fit_routing.py``; how often that is right is measured by
``scripts/bench/routing.py``.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Literal

from omnidetective.case import Case
from omnidetective.domains import Domain
from omnidetective.embedded.inference import require_packages
from omnidetective.embedded.models import EmbeddedModels, embedded_models
from omnidetective.embedded.picture_measures import picture_measures, told, words_share
from omnidetective.embedded.text import PACKAGES, TextLine
from omnidetective.findings import Routing
from omnidetective.media.clip import Clip
from omnidetective.observers.page_text import PAGE_SIDE_PX, page_text
from omnidetective.picture_signs import BIAS, WORDS
from omnidetective.stages.base import StageContext
from omnidetective.stages.measuring import measured
from omnidetective.stages.stillness import is_still

HIGH = 0.85
MEDIUM = 0.55
"""Least probability of the first domain, of this confidence. Of pictures that the weights were not fitted on, 12 of 15
were right at high confidence, 12 of 21 at medium, 16 of 28 at low."""
HIGH_LEAD = 3.0
MEDIUM_LEAD = 1.5
"""How many times as likely as the second domain the first must be."""


async def measured_routing(case: Case, context: StageContext, domains: Sequence[Domain]) -> Routing:
    """The domain that measurement finds the likeliest for the picture of a case, with how sure that is.

    A video in which nothing moves is taken by its middle frame as an image.

    Args:
        domains: the candidates; at least one.

    Raises:
        ObserverUnavailableError: the packages of the embedded cast, which read the text, are not installed.
        MediaError: the picture cannot be decoded.
    """
    clip = case.clip
    if clip.modality == "video" and not is_still(await measured(case, context, only={"shots"})):
        moving = [domain for domain in domains if "video" in domain.modalities]
        if len(moving) == 1:
            others = [domain.name for domain in domains if domain is not moving[0]]
            return Routing(
                domain=moving[0].name,
                second=others[0] if others else None,
                confidence="high",
                by="measurement",
                why="the picture moves",
                measures={},
            )
        domains = moving or domains
    else:
        domains = [domain for domain in domains if "image" in domain.modalities] or domains
    require_packages(*PACKAGES)
    jpeg, lines = await picture_and_text(clip, embedded_models(num_workers=context.settings.num_workers))
    measures = await asyncio.to_thread(picture_measures, jpeg, lines)
    shares = {domain.name: words_share(lines, domain.words) for domain in domains}
    return routing_of(domains, measures, shares)


def routing_of(domains: Sequence[Domain], measures: Mapping[str, float], words: Mapping[str, float]) -> Routing:
    """The routing that follows from what was measured.

    Args:
        domains: the candidates; at least one.
        measures: by name, as :func:`~omnidetective.embedded.picture_measures.picture_measures` gives them.
        words: domain → the share of lines in which its own words are found.
    """
    likely = probabilities(domains, measures, words)
    first, *others = sorted(likely, key=lambda name: (-likely[name], name))
    second = others[0] if others else None
    confidence = confidence_of(likely[first], likely[second] if second else 0.0)
    instead = f", {second} {likely[second]:.0%}" if second else ""
    spoken = f"; its words are on {words[first] / 4:.0%} of the lines or more" if words.get(first) else ""
    why = f"{told(measures)}{spoken}: {first} is the likeliest ({likely[first]:.0%}{instead})"
    return Routing(
        domain=first,
        second=second,
        confidence=confidence,
        by="measurement",
        why=why,
        measures={name: round(value, 2) for name, value in measures.items()},
    )


def probabilities(
    domains: Sequence[Domain], measures: Mapping[str, float], words: Mapping[str, float]
) -> dict[str, float]:
    """Domain → how likely it is, adding up to 1."""
    scores = {domain.name: _score(domain, measures, words.get(domain.name, 0.0)) for domain in domains}
    top = max(scores.values())
    shares = {name: math.exp(score - top) for name, score in scores.items()}
    whole = sum(shares.values())
    return {name: share / whole for name, share in shares.items()}


def confidence_of(first: float, second: float) -> Literal["high", "medium", "low"]:
    """How sure a decision is, from the probabilities of the first and the second domain."""
    if first >= HIGH and first >= HIGH_LEAD * second:
        return "high"
    return "medium" if first >= MEDIUM and first >= MEDIUM_LEAD * second else "low"


async def picture_and_text(clip: Clip, models: EmbeddedModels) -> tuple[bytes, tuple[TextLine, ...]]:
    """What is measured: an image, or the middle frame of a video, as JPEG, and the lines of text in it."""
    if clip.modality == "image":
        [frame] = await clip.frames(())
        return frame.jpeg, await page_text(clip, models)
    [frame] = await clip.frames((clip.duration_s / 2,), longest_side_px=PAGE_SIDE_PX)
    return frame.jpeg, await models.read_text(frame.jpeg)


def _score(domain: Domain, measures: Mapping[str, float], words: float) -> float:
    known = {**measures, BIAS: 1.0, WORDS: words}
    return sum(weight * known[name] for name, weight in domain.signs.items())
