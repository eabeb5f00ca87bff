"""Which lane a model's calls go on, and what each of them is expected to take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

from omnidetective.llm.admission import Admission
from omnidetective.llm.endpoint import Endpoint
from omnidetective.llm.messages import AudioPart, ChatReply, ChatRequest, TokenUsage
from omnidetective.llm.metered import cost_of
from omnidetective.llm.permits import CallPlan, CallResult, Lane, Permits
from omnidetective.llm.prices import Price
from omnidetective.llm.token_estimate import PromptRatio, audio_tokens, estimate
from omnidetective.settings import LimitSettings, ModelLimits

_SPOKEN_TOKENS_A_SECOND = 10
"""Of a transcript: more than anybody speaks."""


def limits_of(model: str, spec: ModelLimits, settings: Mapping[str, ModelLimits]) -> ModelLimits:
    """The limits of ``provider:model``: the model set's, and over them the user's, the last one that fits first."""
    known = spec.model_dump(exclude_none=True)
    for glob, limits in settings.items():
        if fnmatchcase(model.lower(), glob.lower()):
            known |= limits.model_dump(exclude_none=True)
    return ModelLimits.model_validate(known)


class ModelLanes:
    """How the calls of one model ask for leave.

    What a call will take is estimated only where somebody asks: where tokens are limited, or money is.
    """

    def __init__(
        self,
        permits: Permits,
        endpoint: Endpoint,
        *,
        spec: ModelLimits,
        settings: LimitSettings,
        price_of: Callable[[str], Price | None],
        parameters: Mapping[str, Any],
    ) -> None:
        self._permits = permits
        self._endpoint = endpoint
        self._spec = spec
        self._settings = settings
        self._price_of = price_of
        self._parameters = parameters
        self._lanes: dict[str, Lane] = {}
        self._ratio = PromptRatio()

    def chat(self, model: str, request: ChatRequest) -> Admission[ChatReply]:
        """For one call of a chat model; ``model`` is ``provider:model``."""
        lane = self._lane(model)
        guess: TokenUsage | None = None

        def plan() -> CallPlan:
            nonlocal guess
            if not self._estimates(lane):
                return CallPlan(lane, 0, None)
            guess = estimate(request, model=model, parameters=self._parameters)
            return self._planned(lane, self._ratio.corrected(guess))

        def took(reply: ChatReply) -> CallResult:
            if reply.usage is not None and guess is not None:
                self._ratio.learn(estimated=guess.prompt_tokens, reported=reply.usage.prompt_tokens)
            return _answered(reply.usage, cost_of(reply.usage, self._price_of(model)))

        return Admission(self._permits, plan, took)

    def audio(
        self, model: str, audio: AudioPart, taken: Callable[[object], tuple[TokenUsage | None, Decimal | None]]
    ) -> Admission[object]:
        """For one call of a recogniser; ``taken`` reads tokens and cost from its answer."""
        lane = self._lane(model)

        def plan() -> CallPlan:
            if not self._estimates(lane):
                return CallPlan(lane, 0, None)
            price = self._price_of(model)
            if price is not None and (by_length := price.of_audio(audio.duration_s)) is not None:
                return CallPlan(lane, 0, by_length)
            heard = audio_tokens(audio.duration_s, model=model)
            spoken = int(audio.duration_s * _SPOKEN_TOKENS_A_SECOND) + 1
            return self._planned(
                lane, TokenUsage(prompt_tokens=heard, completion_tokens=spoken, audio_prompt_tokens=heard)
            )

        return Admission(self._permits, plan, lambda answer: _answered(*taken(answer)))

    def _lane(self, model: str) -> Lane:
        if model not in self._lanes:
            limits = limits_of(model, self._spec, self._settings.models)
            self._lanes[model] = Lane(model, self._endpoint.host, self._endpoint.key_env, **limits.model_dump())
        return self._lanes[model]

    def _estimates(self, lane: Lane) -> bool:
        return lane.tokens_per_minute is not None or self._settings.max_cost_usd is not None

    def _planned(self, lane: Lane, usage: TokenUsage) -> CallPlan:
        price = self._price_of(lane.model)
        cost_usd = None if price is None else price.of_tokens(usage)
        return CallPlan(lane, usage.prompt_tokens + usage.completion_tokens, cost_usd)


def _answered(usage: TokenUsage | None, cost_usd: Decimal | None) -> CallResult:
    tokens = None if usage is None else usage.prompt_tokens + usage.completion_tokens
    return CallResult("answered", tokens=tokens, cost_usd=cost_usd)
