"""What the model-backed witnesses share: one question, some media, one honest reply."""

from __future__ import annotations

from typing import Literal

from omnidetective.errors import ContentFilterError, FormatError, MediaError
from omnidetective.evidence import Span
from omnidetective.llm.base import ChatModel
from omnidetective.llm.messages import AudioPart, ChatRequest, ImagePart, Message, Part
from omnidetective.media.clip import Clip, Frame
from omnidetective.observers.base import ObserverSpec, observation
from omnidetective.prompts import PromptLibrary
from omnidetective.records import Observation

CUT_OFF = " [The answer was cut off here by the length limit.]"


async def question_witness(
    spec: ObserverSpec,
    model: ChatModel,
    prompts: PromptLibrary,
    *,
    clip: Clip,
    question: str,
    span: Span | None,
    media: tuple[Part | str, ...],
    max_tokens: int | None,
) -> Observation:
    """Show the media to the model, put the question, and take what it says as it is.

    Raises:
        ContentFilterError: the provider refused the content.
        FormatError: the model said nothing.
        ProviderError: the call failed.
    """
    system = prompts.get(f"witness/{spec.name}").render(
        modality=clip.facts.modality,
        start_s=None if span is None else round(span.start_s, 2),
        end_s=None if span is None else round(span.end_s, 2),
        duration_s=round(clip.duration_s, 2),
    )
    parts = (*media, question)
    if model.capabilities.text_prompt:
        messages: tuple[Message, ...] = (Message.of("system", system), Message.of("user", *parts))
    else:
        messages = (Message.of("user", *media),)
    reply = await model.complete(ChatRequest(messages=messages, max_tokens=max_tokens))
    if reply.outcome == "blocked":
        raise ContentFilterError(f"{model.name} refused this content")
    text = reply.text.strip()
    if reply.outcome == "empty" or not text:
        raise FormatError(f"{model.name} answered nothing", reason="empty")
    if reply.outcome == "truncated":
        text += CUT_OFF
    return observation(spec, question, span, answer=text, model=model.name)


async def audio_part(clip: Clip, span: Span | None, model: ChatModel) -> AudioPart:
    """The sound of a span, encoded compactly.

    Raises:
        MediaError: no sound track, or a span longer than the model listens to (the message says how long it may be).
    """
    longest_s = model.capabilities.max_audio_s
    wanted_s = clip.duration_s if span is None else span.duration_s
    if longest_s is not None and wanted_s > longest_s + 0.5:
        raise MediaError(
            f"{model.name} listens to at most {longest_s:g} s at once, and {wanted_s:.0f} s were asked for",
            reason="span_too_long",
            hint="ask about a shorter span",
        )
    compact: Literal["mp3", "wav"] = "mp3" if "mp3" in model.capabilities.audio_formats else "wav"
    encoded = await clip.audio(span, format=compact)
    return AudioPart(data=encoded.data, format=compact, duration_s=encoded.duration_s)


def frame_parts(frames: tuple[Frame, ...]) -> tuple[Part | str, ...]:
    """Frames as pictures, each after its time where it has one."""
    parts: list[Part | str] = []
    for frame in frames:
        if frame.time_s is not None:
            parts.append(f"Frame at {frame.time_s:.2f} s:")
        parts.append(ImagePart(data=frame.jpeg, time_s=frame.time_s))
    return tuple(parts)


def frame_count(clip: Clip, span: Span | None, *, most: int, fps: float) -> int:
    """How many frames to look at: ``fps`` of the span, at least two, at most ``most``; a picture is one."""
    if clip.facts.modality == "image":
        return 1
    seconds = clip.duration_s if span is None else span.duration_s
    return max(1, min(most, max(2, round(seconds * fps))))
