"""What a forecast stands on: the configuration, and facts about the models that play. No model is ever called."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from pydantic import BaseModel

from omnidetective.config import Config
from omnidetective.errors import OmnidetectiveError
from omnidetective.forecast.calls import Bounds, Expected, Question, Size
from omnidetective.llm.base import Capabilities
from omnidetective.llm.cast import Cast
from omnidetective.llm.endpoint import resolve_endpoint
from omnidetective.llm.json_schema import schema_of
from omnidetective.llm.messages import TokenUsage
from omnidetective.llm.prices import Price, built_in_prices
from omnidetective.llm.token_estimate import audio_tokens, image_tokens, text_tokens, video_tokens
from omnidetective.model_sets import ROLES
from omnidetective.observers.base import ObserverContext, ObserverSpec
from omnidetective.observers.filming import hears_apart
from omnidetective.observers.looking import FrameSettings, base_frames, most_pictures
from omnidetective.observers.registry import ToolBox, fits
from omnidetective.observers.tiles import StillLook, still_sizes
from omnidetective.observers.witness import frames_wanted
from omnidetective.prompts import PromptLibrary
from omnidetective.records import MediaFacts
from omnidetective.section import Shows
from omnidetective.settings import Settings
from omnidetective.stages import STAGES
from omnidetective.stages.domain_agents import check_agents
from omnidetective.stages.drawing import require_draws
from omnidetective.stages.plan import StagePlan

_NO_KEY = "not-set"
"""Stands for keys that are missing, so that a plan can be made before there is one. Nothing is sent with it."""
_FAST_TOKENS_PER_S, _SLOW_TOKENS_PER_S = 150.0, 30.0
_FIRST_TOKEN_S = Size(0.4, 2.0)
_PROMPT_TOKENS_PER_S = 5000.0
_ENGLISH = 0.7
_STAMP = "Frame at 12.34 s:"
_PLACE = "; 3: top right (46–100 % across, 0–54 % down). Pictures 2 to 5 show parts of it larger, in 2 rows"
"""What the words about pages and tiles come to for each of them, at most."""
_NOTE = (
    "The film above is the part from 12.34 to 23.45 s of the clip: add 12.34 s to the times in it. You hear its sound."
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a model is shown of a clip, in tokens of the prompt.

    Attributes:
        media: all of it, times of frames included.
        sound: the part that is sound.
        images, sound_s: how many pictures, and how many seconds of sound.
    """

    media: float = 0.0
    sound: float = 0.0
    images: int = 0
    sound_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Ground:
    """The same for all clips of a run."""

    settings: Settings
    cast: Cast
    toolbox: ToolBox
    prompts: PromptLibrary
    plan: StagePlan
    hosts: Mapping[str, str | None]

    @classmethod
    def of(cls, config: Config, cast: Cast) -> Self:
        """The ground of a configuration.

        Args:
            cast: made with :func:`environment`, so that it can be looked at; it is never asked anything.

        Raises:
            ConfigError, PromptError: as a run would.
        """
        settings = config.settings
        prompts = PromptLibrary(settings.prompts)
        plan = StagePlan.of(config.workflow, STAGES)
        require_draws(plan, settings, workflow=config.workflow.name)
        for role in plan.roles(settings):
            cast.require(role)
        if "route" in plan.names:
            check_agents(settings, prompts, cast)
        hosts = {role: _host(config, role) for role in {*config.model_set.roles, *ROLES}}
        toolbox = ToolBox(ObserverContext(cast, config.model_set, prompts, settings))
        return cls(settings, cast, toolbox, prompts, plan, hosts)

    def asks(self, role: str) -> bool:
        """Whether a model plays a role, and where it is reached is known."""
        return self.cast.is_played(role) and not self.cast.is_embedded(role) and self.hosts.get(role) is not None

    def can(self, role: str) -> Capabilities:
        """What the model of a role can take."""
        return self.cast.chat(role).capabilities

    def model(self, role: str) -> str:
        """``provider:model`` of a role."""
        return self.cast.names().get(role) or self.cast.chat(role).name

    def observers(self, facts: MediaFacts, kind: str) -> tuple[ObserverSpec, ...]:
        """The observers of a kind that can say something about a clip."""
        specs = (observer.spec for observer in self.toolbox.observers.values())
        return tuple(spec for spec in specs if spec.kind == kind and fits(spec, facts))

    def text(self, prompt: str, **variables: object) -> Size:
        """Tokens of a prompt; without variables, of its template as it stands, which is somewhat longer."""
        found = self.prompts.get(prompt)
        text = found.render(**variables) if variables or not found.inputs else found.text
        return size_of(text)

    def form(self, schema: type[BaseModel]) -> Size:
        """Tokens of the schema of an answer: said in the prompt, or counted by the provider that enforces it."""
        return _size_of_form(schema)

    def shown(
        self,
        facts: MediaFacts,
        role: str,
        shows: Shows,
        *,
        fps: float,
        max_frames: int,
        part_s: float,
        look: FrameSettings | None = None,
        named: bool = False,
        tiles: int = 0,
    ) -> Shown:
        """What a role's model is shown of ``part_s`` seconds: see ``stages.asking.exhibit``.

        Args:
            look: of a witness whose frames are chosen: see ``observers.looking.frames_chosen``.
            named: whether the question names times.
            tiles: most tiles of each page of an image.
        """
        can, model = self.can(role), self.model(role)
        media = sound = sound_s = 0.0
        images = 0
        if "frames" in shows and facts.has_video and can.images:
            hears = "audio" in shows and facts.has_audio and can.audio and can.mixed_media
            most = can.max_media_parts - 1 if can.max_media_parts is not None and hears else can.max_media_parts
            still = facts.modality == "image"
            side_px = self.settings.media.frame_longest_side_px
            if still:
                seen = StillLook.of(max_frames=max_frames, most=most, tiles=tiles if look is None else look.tiles)
                sizes = still_sizes(facts, seen, side_px=side_px)
                media += sum(image_tokens(*size, model=model) for size in sizes)
                media += text_tokens(_PLACE) * len(sizes) if len(sizes) > 1 else 0
                images = len(sizes)
            elif look is None:
                images = frames_wanted(part_s, fps=fps, max_frames=max_frames, most=most)
            else:
                most = most_pictures(can, beside=1 if hears else 0)
                images = base_frames(part_s, look, clip_fps=facts.fps, most=most)
                room = look.question_frames if most is None else min(look.question_frames, most - images)
                images += room if named else 0
            if not still:
                width, height = fitted(facts, side_px)
                media += images * (image_tokens(width, height, model=model) + text_tokens(_STAMP))
        if "audio" in shows and facts.has_audio and can.audio and (not images or can.mixed_media):
            longest_s = can.max_audio_s
            if longest_s is None or part_s <= longest_s + 0.5:
                sound_s = part_s
                sound = audio_tokens(part_s, model=model)
        return Shown(media + sound, sound, images, sound_s)

    def filmed(self, facts: MediaFacts, role: str, *, part_s: float) -> Shown:
        """What a role's model is shown of ``part_s`` seconds as a video: see ``observers.filming.film_shown``."""
        can = self.can(role)
        seconds = part_s if can.max_video_s is None else min(part_s, can.max_video_s)
        heard = facts.has_audio and (can.video_sound or hears_apart(can))
        sound = audio_tokens(seconds, model=self.model(role)) if heard else 0
        return Shown(video_tokens(seconds) + sound + text_tokens(_NOTE), sound, 0, seconds if heard else 0.0)

    def expected(
        self,
        stage: str,
        role: str,
        question: Question,
        *,
        low: float,
        high: float,
        most: float | None = None,
        repairs: int = 0,
        in_row: Size | None = None,
    ) -> Expected:
        """Calls of one stage to one role.

        Args:
            low, high: how many, without repairs.
            most: how many at the most; ``high`` with all repairs by default.
            repairs: how often an answer may be asked for again.
            in_row: how many of them are made one after the other; all by default.
        """
        most = high * (1 + repairs) if most is None else most
        # A repair shows the answers before it again.
        longest = question.prompt.high + (repairs / 2) * question.completion.high
        calls = Bounds(low, high, most)
        in_row = in_row or Size(low, high)
        price = self._price(role)
        levels = (
            (question.prompt.low, question.sound.low, question.completion.low, question.sound_s.low),
            (question.prompt.high, question.sound.high, question.completion.high, question.sound_s.high),
            (longest, question.sound.high, question.completion.high, question.sound_s.high),
        )
        costs = [_cost(price, *level) for level in levels]
        once_s = Bounds(*(_seconds(n, level[0], level[2]) for n, level in enumerate(levels)))
        return Expected(
            stage=stage,
            role=role,
            roles=(role,),
            models=(self.model(role),),
            calls=calls,
            prompt=_each(calls, (question.prompt.low, question.prompt.high, longest)),
            completion=_each(calls, (question.completion.low, question.completion.high, question.completion.high)),
            cost_usd=_each(calls, tuple(c for c in costs if c is not None)) if None not in costs else None,
            unpriced=(self.model(role),) if None in costs else (),
            in_row_s=_each(Bounds(in_row.low, in_row.high, in_row.high * (most / high if high else 1.0)), once_s),
        )

    def paid_by_token(self, role: str) -> bool:
        """Whether a recogniser counts tokens, as far as is known: it is a chat model, or its price is for tokens."""
        price = self._price(role)
        return self.can(role).chat_transcription or (price is not None and price.prompt is not None)

    def _price(self, role: str) -> Price | None:
        return built_in_prices().find(self.model(role), host=self.hosts.get(role) or "")


def size_of(text: str) -> Size:
    """Tokens of a text of ours: English has 4 to 4.5 characters a token, the estimate is for 3."""
    tokens = text_tokens(text)
    return Size(_ENGLISH * tokens, tokens)


@lru_cache(maxsize=64)
def _size_of_form(schema: type[BaseModel]) -> Size:
    return size_of(json.dumps(schema_of(schema)))


def environment(config: Config, environ: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """The environment, with something in the place of keys that are missing."""
    env = os.environ if environ is None else environ
    return {**env, **dict.fromkeys(missing_keys(config, env), _NO_KEY)}


def missing_keys(config: Config, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The variables of the model set that are to hold a key, and hold none."""
    played = (spec for role in config.model_set.roles if (spec := config.model_set.spec(role)) is not None)
    wanted = dict.fromkeys(s.api_key_env for s in played if s.api_key_env and not s.api_key_optional)
    return tuple(name for name in wanted if not environ.get(name, "").strip())


def _host(config: Config, role: str) -> str | None:
    """Where a role's model is reached; empty for one that runs here, ``None`` where that is not known."""
    spec = config.model_set.spec(role)
    if spec is None:
        return None
    if spec.provider not in ("openai", "dashscope"):
        return ""
    try:
        return resolve_endpoint(spec, environment(config)).host
    except OmnidetectiveError:
        return None


def fitted(facts: MediaFacts, longest_px: int) -> tuple[int, int]:
    """Width and height of a frame as it is sent; a common shape where it is not known."""
    width, height = facts.width or longest_px, facts.height or longest_px * 9 // 16
    scale = min(1.0, longest_px / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _cost(price: Price | None, prompt: float, sound: float, completion: float, sound_s: float) -> float | None:
    """Of one call, in US dollars."""
    if price is None:
        return None
    by_the_minute = price.of_audio(sound_s)
    if by_the_minute is not None and not prompt:
        return float(by_the_minute)
    tokens = TokenUsage(
        prompt_tokens=round(prompt), completion_tokens=round(completion), audio_prompt_tokens=round(sound)
    )
    cost = price.of_tokens(tokens)
    return None if cost is None else float(cost)


def _seconds(level: int, prompt: float, completion: float) -> float:
    """Time to answer one call: a guess, wide on purpose."""
    if level == 0:
        return _FIRST_TOKEN_S.low + completion / _FAST_TOKENS_PER_S
    return _FIRST_TOKEN_S.high + prompt / _PROMPT_TOKENS_PER_S + completion / _SLOW_TOKENS_PER_S


def _each(times: Bounds, of: tuple[float, ...] | Bounds) -> Bounds:
    low, high, most = (of.low, of.high, of.most) if isinstance(of, Bounds) else of
    return Bounds(times.low * low, times.high * high, times.most * most)
