"""The router's call: about an image, and about a video that may turn out to be one lasting picture."""

from __future__ import annotations

from collections.abc import Iterator

from omnidetective.domains import load_domains
from omnidetective.forecast.calls import Expected, Question, Size, exactly
from omnidetective.forecast.ground import fitted
from omnidetective.forecast.piece import Piece
from omnidetective.llm.token_estimate import image_tokens
from omnidetective.stages.route import candidates_for
from omnidetective.stages.route_by_model import FRAMES, ROLE, answer_form, longest_side_px, told


def routed(piece: Piece) -> Iterator[Expected]:
    """At most one call a clip; none where the row names the domain, which is not known yet."""
    ground, facts, settings = piece.ground, piece.facts, piece.ground.settings.route
    if settings.by == "measurement" or not ground.asks(ROLE) or not facts.has_video or not ground.can(ROLE).images:
        return
    domains = load_domains(settings.domains)
    moving = candidates_for(domains, facts.modality)
    still = candidates_for(domains, facts.modality, still="shots" in ground.toolbox.observers)
    if len(still) < 2:
        return
    tokens = image_tokens(*fitted(facts, longest_side_px(facts)), model=ground.model(ROLE))
    most = FRAMES if facts.modality == "video" and len(moving) > 1 else 1
    prompt = ground.text("capflow/router", domains=told(still)).plus(
        ground.text("capflow/router_task"), ground.form(answer_form(still)), exactly(tokens).times(1, most)
    )
    yield ground.expected(
        "route",
        ROLE,
        Question(prompt, Size(20.0, 120.0).at_most(settings.max_tokens)),
        low=0.0,
        high=1.0,
        repairs=ground.settings.retry.repairs,
    )
