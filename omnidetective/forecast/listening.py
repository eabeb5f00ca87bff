"""The calls of a served recogniser: it is sent stretches of voice, or the conversation from its first voice to its last
where it tells speakers apart, and nothing where nobody speaks."""

from __future__ import annotations

from math import ceil

from omnidetective.forecast.calls import NOTHING, Expected, Question, Size
from omnidetective.forecast.ground import Ground
from omnidetective.llm.token_estimate import audio_tokens
from omnidetective.observers.asr import Asr, AsrSettings
from omnidetective.observers.registry import fits, read_settings
from omnidetective.records import MediaFacts

ROLE = "asr"
_STRETCH_S = 10.0
"""Of speech with its pauses, stretches that are sent are seldom shorter on average."""
_SPOKEN_TOKENS_PER_S = 6.0
_AT_ONCE = 4


def is_served(ground: Ground, facts: MediaFacts) -> bool:
    """Whether the words of a clip are written down by a model that is called."""
    if ROLE not in ground.toolbox.observers or not fits(Asr.spec, facts) or not ground.asks(ROLE):
        return False
    settings = read_settings(Asr.spec, ground.settings.observers.get(ROLE, {}))
    assert isinstance(settings, AsrSettings)
    return settings.engine in ("auto", "openai", "dashscope")


def by_transcriber(ground: Ground, stage: str, seconds: float, *, parts: int) -> Expected:
    """Listening once to each of some parts of so many seconds; nothing is sent of what holds no voice."""
    hearing = ground.cast.transcriber(ROLE).hearing
    # One that tells speakers apart is sent all from the first voice to the last, pauses and all.
    stretches = ceil(seconds / hearing.longest_s) if hearing.speakers else 1.0 + ceil(seconds / _STRETCH_S)
    sound_s = Size(0.0, seconds / stretches)
    prompt = completion = NOTHING
    if ground.paid_by_token(ROLE):
        prompt = Size(0.0, float(audio_tokens(sound_s.high, model=ground.model(ROLE))))
        completion = sound_s.times(_SPOKEN_TOKENS_PER_S)
    return ground.expected(
        stage,
        ROLE,
        Question(prompt, completion, prompt, sound_s),
        low=0.0,
        high=stretches * parts,
        in_row=Size(0.0, stretches if hearing.speakers else ceil(stretches / _AT_ONCE)),
    )
