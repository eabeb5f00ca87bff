"""How many tokens a call will take, before it is made; on the safe side, since it is what gets reserved.

No tokeniser is asked: each model has its own, most cannot be had, and the count is needed before every call. Rules by
kind of content stand in for them, and :class:`PromptRatio` corrects them by what a provider reports.

=========  ==========================================================================================================
text       a token for three ASCII characters (English has 4 to 4.5, JSON with numbers about 3:
           https://help.openai.com/en/articles/4936856), 1.3 for a Chinese or Japanese character, 0.8 for a Greek or
           Cyrillic one; byte-level BPE cannot need more than one for each byte
images     OpenAI: tiles of 512 px at 85 + 170 each, or patches of 32 px times a factor of the model
           (https://developers.openai.com/api/docs/guides/images-vision); Qwen: 32x32 px a token, 28x28 before Qwen3
           (https://help.aliyun.com/en/model-studio/vision); what is not known is taken for the dearer of the last two
sound      tokens for a second: 10 (gpt-audio), 7 (qwen3.5-omni), 12.5 (qwen3-omni), 25 (qwen-omni-turbo), 32 (Gemini)
           (https://help.aliyun.com/en/model-studio/qwen-omni); what is not known is taken for the dearest
video      an MP4 file: two frames a second, merged in pairs, of at most 768 tokens (qwen-vl-utils), and its sound
answer     the length limit of the request, or :data:`DEFAULT_ANSWER_TOKENS` where it has none
=========  ==========================================================================================================
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any, Final

from omnidetective.llm.messages import AudioPart, ChatRequest, FramesPart, ImagePart, Part, TextPart, TokenUsage
from omnidetective.llm.prices import Price

DEFAULT_ANSWER_TOKENS: Final = 4096
"""Taken for the longest answer to a request without a length limit; no stage of the workflows asks for longer ones."""

_CHARS_A_TOKEN: Final = 3
_MESSAGE_TOKENS: Final = 8
_CALL_TOKENS: Final = 12
_VIDEO_TOKENS_A_SECOND: Final = 768
_UNKNOWN_PX: Final = 1024


@dataclass(frozen=True, slots=True)
class _Picture:
    """How a family of models counts an image.

    Attributes:
        patch_px: side of the square that is one token; 0 where tiles are counted.
        factor: tokens for a patch.
        most: most patches of one image: larger ones are made smaller.
        base, tile: tokens for an image and for each of its tiles of 512 px.
    """

    match: str
    patch_px: int = 0
    factor: float = 1.0
    most: int = 16384
    base: int = 0
    tile: int = 0


# The first that fits holds.
_PICTURES: Final = (
    _Picture("openai:gpt-4o-mini*", base=2833, tile=5667),
    _Picture("openai:gpt-4.1-mini*", patch_px=32, factor=1.62, most=1536),
    _Picture("openai:gpt-4.1-nano*", patch_px=32, factor=2.46, most=1536),
    _Picture("openai:gpt-5*-nano*", patch_px=32, factor=2.46, most=1536),
    _Picture("openai:gpt-5*-mini*", patch_px=32, factor=1.62, most=1536),
    _Picture("openai:o4-mini*", patch_px=32, factor=1.72, most=1536),
    _Picture("openai:gpt-*", base=85, tile=170),
    _Picture("openai:o[1-9]*", base=85, tile=170),
    _Picture("*qwen3*", patch_px=32),
    _Picture("*", patch_px=28),
)

_SOUND_TOKENS_A_SECOND: Final = (
    ("openai:*", 10.0),
    ("*qwen3.5-omni*", 7.0),
    ("*qwen3-omni*", 12.5),
    ("*qwen*", 25.0),
    ("*", 32.0),
)


def estimate(request: ChatRequest, *, model: str, parameters: Mapping[str, Any] | None = None) -> TokenUsage:
    """The tokens that a call will take at most, as far as that can be said.

    Args:
        model: ``provider:model``.
        parameters: what the model set adds to every request; a length limit among them counts.

    Returns:
        Tokens of the prompt (``audio_prompt_tokens`` of them are sound) and of the longest answer.
    """
    prompt, sound = _CALL_TOKENS, 0
    for message in request.messages:
        prompt += _MESSAGE_TOKENS
        for part in message.parts:
            if isinstance(part, AudioPart):
                sound += audio_tokens(part.duration_s, model=model)
            else:
                prompt += _part_tokens(part, model)
        for call in message.tool_calls:
            prompt += _MESSAGE_TOKENS + text_tokens(call.function.name) + text_tokens(call.function.arguments)
    for tool in request.tools:
        prompt += text_tokens(tool.model_dump_json())
    if request.output is not None:
        prompt += text_tokens(request.output.model_dump_json())
    return TokenUsage(
        prompt_tokens=prompt + sound,
        completion_tokens=_answer_tokens(request, parameters or {}),
        audio_prompt_tokens=sound,
    )


def prompt_tokens(request: ChatRequest, *, model: str) -> int:
    """The tokens of a prompt, sound included."""
    return estimate(request, model=model).prompt_tokens


def reserve(
    request: ChatRequest, price: Price | None, *, model: str, parameters: Mapping[str, Any] | None = None
) -> Decimal | None:
    """The most that a call may cost in US dollars: nothing from the provider's cache, and the longest answer.

    Returns:
        ``None`` where the price is unknown, or does not hold for a prompt as long as this.
    """
    return None if price is None else price.of_tokens(estimate(request, model=model, parameters=parameters))


def text_tokens(text: str) -> int:
    """The tokens of a text."""
    if text.isascii():
        return math.ceil(len(text) / _CHARS_A_TOKEN)
    beyond_ascii = len(text.encode("utf-8", "surrogatepass")) - len(text)
    return math.ceil(len(text) / _CHARS_A_TOKEN + beyond_ascii / 2)


def image_tokens(width_px: int, height_px: int, *, model: str) -> int:
    """The tokens of an image."""
    rule = next(rule for rule in _PICTURES if fnmatchcase(model.lower(), rule.match))
    if rule.patch_px:
        patches = math.ceil(width_px / rule.patch_px) * math.ceil(height_px / rule.patch_px)
        return math.ceil(min(patches, rule.most) * rule.factor)
    # Made to fit 2,048 px, then its shorter side at most 768 px.
    scale = min(1.0, 2048 / max(width_px, height_px), 768 / min(width_px, height_px))
    tiles = math.ceil(width_px * scale / 512) * math.ceil(height_px * scale / 512)
    return rule.base + rule.tile * tiles


def audio_tokens(duration_s: float, *, model: str) -> int:
    """The tokens of a piece of sound; less than a second counts as one."""
    a_second = next(rate for match, rate in _SOUND_TOKENS_A_SECOND if fnmatchcase(model.lower(), match))
    return math.ceil(max(1.0, duration_s) * a_second)


def video_tokens(duration_s: float) -> int:
    """The tokens of the pictures of a video file."""
    return math.ceil(duration_s * _VIDEO_TOKENS_A_SECOND)


class PromptRatio:
    """How many tokens the prompts of one model have for each one that was estimated, learnt from what is reported.

    It rises at once and falls slowly, so that what is reserved stays on the safe side for all but the first calls.
    """

    _FALL: Final = 0.05

    def __init__(self) -> None:
        self.value = 1.0

    def learn(self, *, estimated: int, reported: int) -> None:
        """A provider has reported the tokens of a prompt."""
        if estimated > 0 and reported > 0:
            seen = reported / estimated
            self.value = max(seen, self.value + (seen - self.value) * self._FALL)

    def corrected(self, usage: TokenUsage) -> TokenUsage:
        """An estimate in the light of what was learnt."""
        if self.value == 1.0:
            return usage
        return usage.model_copy(
            update={
                "prompt_tokens": math.ceil(usage.prompt_tokens * self.value),
                "audio_prompt_tokens": math.ceil((usage.audio_prompt_tokens or 0) * self.value),
            }
        )


def _answer_tokens(request: ChatRequest, parameters: Mapping[str, Any]) -> int:
    limits = (request.max_tokens, parameters.get("max_tokens"), parameters.get("max_completion_tokens"))
    known = [limit for limit in limits if isinstance(limit, int) and limit > 0]
    return max(known, default=DEFAULT_ANSWER_TOKENS)


def _part_tokens(part: Part, model: str) -> int:
    if isinstance(part, TextPart):
        return text_tokens(part.text)
    if isinstance(part, ImagePart):
        return image_tokens(*_size_px(part.data), model=model)
    if isinstance(part, FramesPart):
        return sum(image_tokens(*_size_px(frame.data), model=model) for frame in part.frames)
    return video_tokens(part.duration_s) + audio_tokens(part.duration_s, model=model)


def _size_px(jpeg: bytes) -> tuple[int, int]:
    """Width and height from the header of a JPEG (ITU T.81, B.2.2); what is none is taken for large."""
    at = 2
    while at + 9 <= len(jpeg) and jpeg[at] == 0xFF:
        marker = jpeg[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height_px, width_px = struct.unpack_from(">HH", jpeg, at + 5)
            return max(1, width_px), max(1, height_px)
        at += 2 + struct.unpack_from(">H", jpeg, at + 2)[0]
    return _UNKNOWN_PX, _UNKNOWN_PX
