"""What the model-backed witnesses share: one question, some media, one honest reply.

A witness says what it shows to its model; that is all in which one differs from another.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from omnidetective.errors import ContentFilterError, FormatError, MediaError, ObserverUnavailableError
from omnidetective.evidence import Span
from omnidetective.llm.base import Capabilities, ChatModel
from omnidetective.llm.messages import AudioPart, ChatRequest, ImagePart, Message, Part, TextPart
from omnidetective.media.clip import Clip
from omnidetective.media.frames import Frame
from omnidetective.observers.base import ObserverContext, ObserverSettings, ObserverSpec, observation
from omnidetective.observers.tiles import StillLook, still_shown
from omnidetective.records import Observation

CUT_OFF = " [The answer was cut off here by the length limit.]"

Shown = tuple[Part | str, ...]
"""Media, then the words about them, in the order in which the model gets them.

Media come first, and are the same objects each time: what is asked changes, and a provider reuses what it computed for
the start of a prompt as far as two prompts are the same.
"""

BASE64 = 4 / 3
"""What base64 makes of a byte. It is kept beside the bytes."""


class WitnessSettings(ObserverSettings):
    """Settings of every witness."""

    max_tokens: int | None = 1024
    """Longest answer, in tokens."""


class LookingSettings(WitnessSettings):
    """Settings of a witness that sees frames."""

    max_frames: int = Field(default=12, ge=1)
    """Most frames of one look."""
    fps: float = Field(default=2.0, gt=0)
    """Frames a second of the span, up to `max_frames`: a short span is looked at more densely."""


class Witness(ABC):
    """An observer that is a chat model."""

    spec: ClassVar[ObserverSpec]

    def __init__(self, settings: ObserverSettings, context: ObserverContext) -> None:
        assert isinstance(settings, WitnessSettings)
        self._max_tokens = settings.max_tokens
        self._prompts = context.prompts
        self._model = context.chat(self.spec)
        if lacking := self.lacks(self._model.capabilities):
            raise ObserverUnavailableError(
                f"{self._model.name} {lacking}",
                reason="unsupported_media",
                hint=f"give the role {self.spec.role} to another model",
            )

    @abstractmethod
    def lacks(self, can: Capabilities) -> str:
        """What a model with these capabilities cannot take, in words; empty when it can play this witness."""

    @abstractmethod
    async def show(self, clip: Clip, question: str, span: Span | None) -> Shown:
        """What the model is shown before the question, which may have a say in it.

        Raises:
            MediaError: the clip has no such stream, or the span is longer than the model takes.
        """

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        """Show the media to the model, put the question, and take what it says as it is.

        Raises:
            ContentFilterError: the provider refused the content.
            FormatError: the model said nothing.
            ProviderError: the call failed.
        """
        model = self._model
        media = await self.show(clip, question, span)
        messages: tuple[Message, ...] = (Message.of("user", *media),)
        if model.capabilities.text_prompt:
            messages = (await self._brief(clip, span), Message.of("user", *media, question))
        text = await answer_of(model, ChatRequest(messages=messages, max_tokens=self._max_tokens))
        return observation(self.spec, question, span, answer=text, model=model.name)

    async def _brief(self, clip: Clip, span: Span | None) -> Message:
        """What it is told before any question: the same message for every question about the same span."""

        async def make() -> Message:
            rendered = self._prompts.get(f"witness/{self.spec.name}").render(
                modality=clip.facts.modality,
                start_s=None if span is None else round(span.start_s, 2),
                end_s=None if span is None else round(span.end_s, 2),
                duration_s=round(clip.duration_s, 2),
            )
            return Message.of("system", rendered)

        return await clip.once(("brief", self.spec.name, span), make, size=lambda brief: len(brief.text))


async def answer_of(model: ChatModel, request: ChatRequest) -> str:
    """What a model says, as it is; where the length limit cut it off, that is said at its end.

    Raises:
        ContentFilterError: the provider refused the content.
        FormatError: the model said nothing.
        ProviderError: the call failed.
    """
    reply = await model.complete(request)
    if reply.outcome == "blocked":
        raise ContentFilterError(f"{model.name} refused this content")
    text = reply.text.strip()
    if reply.outcome == "empty" or not text:
        raise FormatError(f"{model.name} answered nothing", reason="empty")
    return text + CUT_OFF if reply.outcome == "truncated" else text


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

    async def make() -> AudioPart:
        encoded = await clip.audio(span, format=compact)
        return AudioPart(data=encoded.data, format=compact, duration_s=encoded.duration_s)

    wanted = clip.whole if span is None else span
    return await clip.once(("audio part", wanted, compact), make, size=lambda part: round(BASE64 * len(part.data)))


async def frames_shown(
    clip: Clip, span: Span | None, look: LookingSettings, *, most: int | None, tiles: int = 0
) -> Shown:
    """Frames of a span, then their times: ``fps`` a second, at least two, at most ``max_frames`` and ``most``.

    Frames that are the same picture are shown once, with all their times. An image is shown without a time: its first
    pages, and up to ``tiles`` tiles of each that is larger than a frame, see :mod:`omnidetective.observers.tiles`.
    """
    if clip.facts.modality == "image":
        return await still_shown(clip, StillLook.of(max_frames=look.max_frames, most=most, tiles=tiles))
    seconds = clip.duration_s if span is None else span.duration_s
    count = frames_wanted(seconds, fps=look.fps, max_frames=look.max_frames, most=most)

    async def make() -> Shown:
        return _pictures(await clip.uniform_frames(count, span=span))

    wanted = clip.whole if span is None else span
    return await clip.once(
        ("frames shown", wanted, count),
        make,
        size=lambda shown: round(BASE64 * sum(len(part.data) for part in shown if isinstance(part, ImagePart))),
    )


def frames_wanted(seconds: float, *, fps: float, max_frames: int, most: int | None, least: int = 2) -> int:
    """How many frames of a span are shown: see :func:`frames_shown`."""
    return max(1, min(max_frames, max(least, round(seconds * fps)), max_frames if most is None else most))


def joined(shown: Iterable[Shown]) -> Shown:
    """Several things shown together: the media of all, then the words about them."""
    parts = [part for one in shown for part in one]
    media = [part for part in parts if not isinstance(part, str | TextPart)]
    return (*media, *(part for part in parts if isinstance(part, str | TextPart)))


def _pictures(frames: Iterable[Frame]) -> Shown:
    """Pictures and their times; a picture that comes again is not sent again."""
    times: dict[bytes, list[float]] = {}
    for frame in frames:
        times.setdefault(frame.jpeg, []).append(frame.time_s or 0.0)
    pictures = [ImagePart(data=jpeg, time_s=at[0]) for jpeg, at in times.items()]
    return (*pictures, told_times(tuple(times.values())))


def told_times(times_s: Sequence[Sequence[float]], *, added: int = 0) -> str:
    """The times of pictures, in words.

    Args:
        times_s: of each picture, in the order in which they are shown.
        added: how many of them, the last ones, are there because of the question.
    """
    told = [
        f"{number} at {' and '.join(f'{time_s:.2f} s' for time_s in at)}" for number, at in enumerate(times_s, start=1)
    ]
    first = len(told) - added
    text = f"The frames above, in order: {'; '.join(told[:first])}."
    if added:
        text += f" Then, for this question: {'; '.join(told[first:])}."
    again = " Several times: it is the same picture." if any(len(at) > 1 for at in times_s) else ""
    return text + again
