"""What listening by a served recogniser is expected to cost."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from omnidetective.config import load_config
from omnidetective.forecast.ground import Ground, environment
from omnidetective.forecast.listening import by_transcriber, is_served
from omnidetective.llm.cast import Cast
from omnidetective.records import MediaFacts

SPOKEN = MediaFacts(modality="audio", sha256="0" * 64, duration_s=600.0, has_audio=True, has_video=False)


def ground(folder: Path, asr: dict[str, object], *overrides: str) -> Ground:
    chat = {"provider": "openai", "model": "gpt-4.1", "api_key_env": "OPENAI_API_KEY"}
    models = {"chat": chat, "ears": {"api_key_env": "DASHSCOPE_API_KEY", **asr}}
    roles = {"detective": "chat", "asr": "ears"}
    (folder / "set.yaml").write_text(
        yaml.safe_dump({"name": "set", "description": "", "models": models, "roles": roles})
    )
    config = load_config(overrides=[f"models={folder / 'set.yaml'}", *overrides], environ={})
    cast = Cast(config.model_set, config.settings.retry, environ=environment(config, {}))
    return Ground.of(config, cast)


@pytest.mark.parametrize(
    ("asr", "calls", "dollars"),
    [
        # Ten minutes at $0.006.
        ({"provider": "openai", "model": "whisper-1"}, 61, 0.06),
        # Singapore, $0.000035 a second; one file for all of it, since it tells speakers apart.
        (
            {"provider": "dashscope", "model": "fun-asr", "base_url": "https://dashscope-intl.aliyuncs.com/api/v1"},
            1,
            0.021,
        ),
        ({"provider": "openai", "model": "gpt-4o-transcribe-diarize"}, 1, None),
        ({"provider": "dashscope", "model": "fun-asr-flash"}, 61, None),
    ],
)
def test_calls_and_cost_of_ten_minutes(
    tmp_path: Path, asr: dict[str, object], calls: int, dollars: float | None
) -> None:
    known = ground(tmp_path, asr)
    assert is_served(known, SPOKEN)
    expected = by_transcriber(known, "investigate", 600.0, parts=1)
    assert (expected.calls.low, expected.calls.high) == (0.0, calls)
    if dollars is not None:
        assert expected.cost_usd is not None
        assert expected.cost_usd.high == pytest.approx(dollars, rel=0.01)
    elif asr["model"] == "gpt-4o-transcribe-diarize":
        assert expected.prompt.high > 5_000, "it is paid by the token of sound"
        assert expected.cost_usd is not None
        assert 0.01 < expected.cost_usd.high < 0.2
    else:
        assert expected.unpriced == ("dashscope:fun-asr-flash",), "unknown, and never taken for free"


def test_engines_of_this_machine_call_nobody(tmp_path: Path) -> None:
    local = ground(tmp_path, {"provider": "openai", "model": "whisper-1"}, "observers.asr.engine=embedded")
    assert not is_served(local, SPOKEN)


def test_dashscope_s_own_recognition_is_known_by_its_engine(tmp_path: Path) -> None:
    native = {"provider": "dashscope", "model": "fun-asr-flash"}
    assert is_served(ground(tmp_path, native, "observers.asr.engine=dashscope"), SPOKEN)
    other = ground(tmp_path, {"provider": "openai", "model": "whisper-1"}, "observers.asr.engine=dashscope")
    assert not is_served(other, SPOKEN)
    assert other.toolbox.unavailable["asr"].reason == "no_model"
