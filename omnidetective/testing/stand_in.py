"""The context that an observer is given in a check: no key, no network, and a model that says what it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from omnidetective.config import load_model_set
from omnidetective.errors import ObserverUnavailableError, TransientError
from omnidetective.llm.base import ChatModel
from omnidetective.llm.cast import Cast
from omnidetective.llm.messages import ChatRequest
from omnidetective.llm.scripted import Script, ScriptedChat
from omnidetective.llm.transcribe import ChatTranscriber
from omnidetective.llm.transcriber import Transcriber
from omnidetective.observers.base import ObserverContext
from omnidetective.prompts import PromptLibrary
from omnidetective.settings import RetrySettings, Settings

_MODEL_SET: Final = "local"
_A_MOMENT_S: Final = 0.02


async def _stand_in(request: ChatRequest) -> str:
    await asyncio.sleep(_A_MOMENT_S)  # A real model takes its time, in which much else can happen.
    return "A stand-in for a model says this, whatever it is asked."


async def _down(request: ChatRequest) -> TransientError:
    return TransientError("the stand-in for a model is down")


class _StandInCast(Cast):
    """Has one model play every role, or nobody any."""

    def __init__(self, model: ChatModel | None) -> None:
        super().__init__(load_model_set(_MODEL_SET), RetrySettings(), environ={})
        self._everybody = model

    def is_played(self, role: str) -> bool:
        return self._everybody is not None

    def chat(self, role: str) -> ChatModel:
        if self._everybody is None:
            raise ObserverUnavailableError(
                f"no model plays {role}", reason="no_model", hint="choose a model set with --models"
            )
        return self._everybody

    def transcriber(self, role: str = "asr") -> Transcriber:
        return ChatTranscriber(self.chat(role))


def stand_in_context(*, replies: Script | None = None, settings: Mapping[str, Any] | None = None) -> ObserverContext:
    """What an observer may use besides the clip, for tests.

    Every role that a witness asks for is played by one scripted model that takes all media. Instruments get the
    embedded cast, as far as its weights are here.

    Args:
        replies: what the model says: one line a call, or a function of the request; by default always the same text.
        settings: of the whole house, as in a configuration file: ``{"investigate": {"observer_timeout_s": 20}}``.
    """
    return _context(ScriptedChat(_stand_in if replies is None else replies, model="stand-in"), settings)


def context_without_models() -> ObserverContext:
    """One in which nobody plays any role."""
    return _context(None)


def context_with_broken_model() -> tuple[ObserverContext, ScriptedChat]:
    """One in which every call fails, and the model, which knows how often it was called."""
    model = ScriptedChat(_down, model="stand-in")
    return _context(model), model


def _context(model: ChatModel | None, settings: Mapping[str, Any] | None = None) -> ObserverContext:
    cast = _StandInCast(model)
    return ObserverContext(
        cast, load_model_set(_MODEL_SET), PromptLibrary(), Settings.model_validate(dict(settings or {}))
    )
