"""What a call is expected to take: the rules by kind of content, and what is learnt from reports."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from servers.studio import asking

from omnidetective.llm.messages import AudioPart, FramesPart, ImagePart, TokenUsage, ToolSpec
from omnidetective.llm.prices import Price
from omnidetective.llm.token_estimate import (
    DEFAULT_ANSWER_TOKENS,
    PromptRatio,
    audio_tokens,
    estimate,
    image_tokens,
    prompt_tokens,
    reserve,
    text_tokens,
)

GPT, MINI, OMNI = "openai:gpt-4.1", "openai:gpt-4.1-mini", "dashscope:qwen3.5-omni-flash"
PRICE = Price(match="*", prompt=Decimal(2), completion=Decimal(8), source="", date=date(2026, 1, 1))


def jpeg(width: int, height: int, *, progressive: bool = False) -> ImagePart:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(file, "JPEG", progressive=progressive)
    return ImagePart(data=file.getvalue())


def sound(seconds: float) -> AudioPart:
    return AudioPart(data=b"RIFF", format="wav", duration_s=seconds)


@given(st.text(max_size=200))
def test_a_text_has_at_most_a_token_a_byte_and_a_longer_one_no_fewer(text: str) -> None:
    tokens = text_tokens(text)
    assert tokens <= len(text.encode("utf-8", "surrogatepass"))
    assert text_tokens(f"{text}a") >= tokens
    assert (tokens > 0) == bool(text)


def test_scripts_that_take_more_tokens_are_counted_so() -> None:
    assert text_tokens("word " * 100) >= 100
    assert text_tokens("敏捷的棕色狐狸跳过了懒狗" * 10) >= 120
    assert text_tokens("{}") >= 1


@pytest.mark.parametrize(
    ("model", "width", "height", "tokens"),
    [
        # The examples of https://developers.openai.com/api/docs/guides/images-vision
        (GPT, 1024, 1024, 765),
        (GPT, 2048, 4096, 1105),
        (MINI, 1024, 1024, 1659),
        ("dashscope:qwen3-vl-plus", 768, 432, 24 * 14),
        ("dashscope:qwen-omni-turbo", 768, 432, 28 * 16),
        ("unheard:of", 768, 432, 28 * 16),
    ],
)
def test_images(model: str, width: int, height: int, tokens: int) -> None:
    assert image_tokens(width, height, model=model) == tokens


@pytest.mark.parametrize("progressive", [False, True])
def test_the_size_of_a_frame_is_read_from_it(progressive: bool) -> None:
    small, large = jpeg(64, 32, progressive=progressive), jpeg(768, 432, progressive=progressive)
    bare = prompt_tokens(asking(), model=OMNI)
    more = prompt_tokens(asking("hello?", large), model=OMNI) - bare
    assert more == image_tokens(768, 432, model=OMNI)
    assert prompt_tokens(asking("hello?", small), model=OMNI) - bare == image_tokens(64, 32, model=OMNI)
    frames = FramesPart(frames=(large, large, small), fps=1.0)
    assert prompt_tokens(asking("hello?", frames), model=OMNI) - bare == 2 * more + image_tokens(64, 32, model=OMNI)


def test_what_is_no_picture_is_taken_for_a_large_one() -> None:
    odd = [b"", b"\xff\xd8", b"\xff\xd8\xff\xc0\x00\x11\x08", b"\x89PNG" + bytes(50)]
    for data in odd:
        assert prompt_tokens(asking("hello?", ImagePart(data=data)), model=OMNI) > 1000


def test_sound_counts_by_its_length_and_is_told_apart() -> None:
    assert [audio_tokens(20, model=model) for model in (GPT, OMNI, "dashscope:qwen3-omni-flash", "vllm:x")] == [
        200,
        140,
        250,
        640,
    ]
    assert audio_tokens(0.1, model=OMNI) == audio_tokens(1, model=OMNI)
    usage = estimate(asking("hello?", sound(20)), model=OMNI)
    assert usage.audio_prompt_tokens == 140
    assert usage.prompt_tokens == prompt_tokens(asking(), model=OMNI) + 140


def test_the_answer_is_as_long_as_it_may_be() -> None:
    assert estimate(asking(), model=GPT).completion_tokens == DEFAULT_ANSWER_TOKENS
    assert estimate(asking(max_tokens=100), model=GPT).completion_tokens == 100
    assert estimate(asking(), model=GPT, parameters={"max_tokens": 50}).completion_tokens == 50


def test_tools_count() -> None:
    tool = ToolSpec(name="ask", description="Ask " * 30, parameters={"type": "object"})
    assert prompt_tokens(asking(tools=(tool,)), model=GPT) > prompt_tokens(asking(), model=GPT) + 30


def test_what_is_reserved_is_prompt_and_longest_answer() -> None:
    usage = estimate(asking(max_tokens=1000), model=GPT)
    assert reserve(asking(max_tokens=1000), PRICE, model=GPT) == (
        (usage.prompt_tokens * Decimal(2) + 1000 * Decimal(8)) / 1_000_000
    )
    assert reserve(asking(), None, model=GPT) is None
    assert reserve(asking(), PRICE.model_copy(update={"max_prompt_tokens": 5}), model=GPT) is None
    dear = PRICE.model_copy(update={"audio_prompt": Decimal(32)})
    more = reserve(asking("hello?", sound(100), max_tokens=1), dear, model=GPT)
    assert more is not None
    assert more > Decimal("0.032")


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)), min_size=1))
def test_a_ratio_is_never_under_the_last_report_and_stays_between_those_seen(reports: list[tuple[int, int]]) -> None:
    ratio = PromptRatio()
    for estimated, reported in reports:
        ratio.learn(estimated=estimated, reported=reported)
        assert ratio.value >= reported / estimated
    seen = [reported / estimated for estimated, reported in reports]
    assert min(1.0, *seen) * 0.999 <= ratio.value <= max(1.0, *seen)


def test_an_estimate_is_corrected_by_what_was_learnt() -> None:
    ratio = PromptRatio()
    usage = TokenUsage(prompt_tokens=100, completion_tokens=10, audio_prompt_tokens=40)
    assert ratio.corrected(usage) == usage
    ratio.learn(estimated=100, reported=150)
    corrected = ratio.corrected(usage)
    assert (corrected.prompt_tokens, corrected.audio_prompt_tokens, corrected.completion_tokens) == (150, 60, 10)
    ratio.learn(estimated=100, reported=0)
    assert ratio.value == 1.5
