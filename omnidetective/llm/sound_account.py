"""What the calls of a recogniser cost: by the length of what was sent, or by the tokens that the answer reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from omnidetective.llm.admission import Admission
from omnidetective.llm.calls import current_call
from omnidetective.llm.lanes import ModelLanes
from omnidetective.llm.messages import AudioPart, TokenUsage
from omnidetective.llm.prices import Price
from omnidetective.llm.usage import count_call
from omnidetective.telemetry import OK


class SoundAccount:
    """The account of one recogniser.

    Args:
        name: ``provider:model``.
        price_of: of a model by its name; ``None`` where it is unknown.
        lanes: where its calls ask for leave; ``None``: they need none.
    """

    def __init__(self, name: str, price_of: Callable[[str], Price | None], lanes: ModelLanes | None) -> None:
        self._name = name
        self._price_of = price_of
        self._lanes = lanes

    def admission(self, audio: AudioPart) -> Admission[object] | None:
        """How a call with this sound asks for leave."""
        if self._lanes is None:
            return None
        return self._lanes.audio(self._name, audio, lambda answer: self._taken(answer, audio.duration_s))

    def count(self, answer: object, duration_s: float) -> None:
        """Counts an answer to so much sound. A mapping may report ``usage`` with input and output tokens."""
        price = self._price_of(self._name)
        tokens, cost = self._taken(answer, duration_s)
        if (call := current_call.get()) is not None:
            call.answered(OK, tokens)
        by_the_minute = price is not None and price.audio_minute is not None
        count_call(self._name, tokens=tokens, cost_usd=cost, reported=_usage(answer) is not None or by_the_minute)

    def _taken(self, answer: object, duration_s: float) -> tuple[TokenUsage | None, Decimal | None]:
        """The tokens of a call as reported, and its cost."""
        price = self._price_of(self._name)
        tokens = _tokens(_usage(answer))
        if tokens is not None:
            return tokens, price.of_tokens(tokens) if price else None
        # Recognisers that are paid by the minute charge the length of what was sent, reported or not.
        return None, price.of_audio(duration_s) if price else None


def _usage(answer: object) -> object:
    return answer.get("usage") if isinstance(answer, Mapping) else None


def _tokens(usage: object) -> TokenUsage | None:
    if not isinstance(usage, Mapping):
        return None
    prompt, completion = usage.get("input_tokens"), usage.get("output_tokens")
    if not isinstance(prompt, int) or not isinstance(completion, int):
        return None
    details = usage.get("input_token_details")
    audio = details.get("audio_tokens") if isinstance(details, Mapping) else None
    return TokenUsage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        audio_prompt_tokens=audio if isinstance(audio, int) else None,
    )
