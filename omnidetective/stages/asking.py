"""How a stage puts a task to a role of the cast: the words, what is shown of the clip, the form of the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

from pydantic import BaseModel

from omnidetective.case import Case
from omnidetective.errors import ContentFilterError, ContextLengthError, FormatError, MediaError
from omnidetective.evidence import Span
from omnidetective.llm.base import ChatModel
from omnidetective.llm.messages import ChatRequest, Message
from omnidetective.llm.structured import structured
from omnidetective.observers.witness import LookingSettings, Shown, audio_part, frames_shown, joined
from omnidetective.section import Shows
from omnidetective.stages.base import StageContext

T = TypeVar("T", bound=BaseModel)

NO_ANSWER = (ContentFilterError, ContextLengthError, FormatError)
"""What goes wrong with one question and leaves the rest of the clip its worth: a refusal, a text too long, prose."""


class Look(Protocol):
    """Settings of a stage that can show the clip to its model."""

    @property
    def shows(self) -> Shows: ...
    @property
    def fps(self) -> float: ...
    @property
    def max_frames(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Exhibit:
    """What a model is shown of a clip.

    ``media`` are the parts, then the words about them; ``withheld`` says in words what its settings asked for and it
    cannot take.
    """

    media: Shown = ()
    withheld: tuple[str, ...] = ()


async def exhibit(case: Case, model: ChatModel, look: Look, span: Span | None, *, tiles: int = 0) -> Exhibit:
    """Frames and sound of a span, as far as the clip has them and the model takes them.

    A span longer than the model listens to goes without its sound, which is said.

    Args:
        tiles: most tiles of each page of an image that are shown beside the whole.

    Raises:
        MediaError: the clip cannot be read.
    """
    can, facts = model.capabilities, case.clip.facts
    media: list[Shown] = []
    withheld: list[str] = []
    if "frames" in look.shows and facts.has_video:
        if can.images:
            looking = LookingSettings(max_frames=look.max_frames, fps=look.fps)
            hears = "audio" in look.shows and facts.has_audio and can.audio and can.mixed_media
            most = can.max_media_parts - 1 if can.max_media_parts is not None and hears else can.max_media_parts
            media.append(await frames_shown(case.clip, span, looking, most=most, tiles=tiles))
        else:
            withheld.append(f"{model.name} takes no images")
    if "audio" in look.shows and facts.has_audio:
        if not can.audio:
            withheld.append(f"{model.name} takes no sound")
        elif media and not can.mixed_media:
            withheld.append(f"{model.name} takes no sound together with frames")
        else:
            try:
                media.append((await audio_part(case.clip, span, model),))
            except MediaError as error:
                if error.reason != "span_too_long":
                    raise
                withheld.append(error.message)
    return Exhibit(joined(media), tuple(withheld))


async def ask_role(
    context: StageContext,
    role: str,
    schema: type[T],
    *,
    system: str,
    task: str,
    media: Shown = (),
    max_tokens: int | None = None,
    sample: int = 0,
) -> T:
    """Put a task to a role and take its answer in the given form.

    Args:
        schema: a pydantic model with ``extra="ignore"``; its field descriptions tell the model what belongs where.
        system: who the model is and how it works, rendered from a prompt file.
        task: the case: data as JSON, rendered from a prompt file.
        media: what it is shown, before the task.
        sample: number of the draw, where several answers to the same task are wanted.

    Raises:
        FormatError: no answer in this form.
        ContentFilterError: the provider refused.
        ProviderError: the call failed.
        ObserverUnavailableError: nobody plays the role, or its key is missing.
    """
    request = ChatRequest(
        messages=(Message.of("system", system), Message.of("user", *media, task)), max_tokens=max_tokens, sample=sample
    )
    answer = await structured(
        context.cast.chat(role), request, schema, repairs=context.settings.retry.repairs, prompts=context.prompts
    )
    return answer.value
