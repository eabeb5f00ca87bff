"""Where settings come from, and what a user is told about a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnidetective.config import load_config, load_model_set, names
from omnidetective.errors import ConfigError
from omnidetective.settings import ModelLimits


def test_command_line_beats_environment_beats_file_beats_defaults(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("investigate: {inquiries: 3, per_turn: 2, seconds: 50}\n")
    config = load_config(
        config_file=file,
        environ={"OMNIDETECTIVE_INVESTIGATE__INQUIRIES": "4", "OMNIDETECTIVE_INVESTIGATE__PER_TURN": "5"},
        overrides=["investigate.inquiries=6"],
    )
    assert config.settings.investigate.inquiries == 6
    assert config.settings.investigate.per_turn == 5
    assert config.settings.investigate.seconds == 50
    assert config.settings.investigate.early_stop is True
    assert config.sources["investigate.inquiries"] == "--set"
    assert config.sources["investigate.per_turn"] == "environment"
    assert config.sources["investigate.seconds"] == str(file)


def test_a_workflow_brings_settings_that_the_user_can_override() -> None:
    assert load_config(options={"workflow": "omni-detective"}, environ={}).settings.investigate.early_stop is False
    config = load_config(options={"workflow": "omni-detective"}, overrides=["investigate.early_stop=true"], environ={})
    assert config.settings.investigate.early_stop is True


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("investigate.inquirie=3", "did you mean investigate.inquiries?"),
        ("medai.roots=[a]", "did you mean media?"),
        ("investigate.inquiries=none at all", "investigate.inquiries"),
        ("investigate.inquiries=0", "greater than or equal to 1"),
        ("investigate=3", "investigate"),
        ("no_value", "key.path=value"),
        ("media.roots=[", "--set media.roots"),
    ],
)
def test_a_wrong_setting_is_named_and_the_nearest_offered(override: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(overrides=[override], environ={})
    assert told in str(caught.value)


def test_an_unknown_key_in_the_environment_is_an_error_too() -> None:
    with pytest.raises(ConfigError, match="environment"):
        load_config(environ={"OMNIDETECTIVE_MEDIA__ALLOW_PRIVAT": "1"})


def test_the_fingerprint_changes_with_what_changes_records_and_with_nothing_else() -> None:
    plain = load_config(environ={})
    assert load_config(environ={}, overrides=["num_workers=7", "concurrency=9"]).sha == plain.sha
    assert load_config(environ={}, overrides=["investigate.inquiries=7"]).sha != plain.sha


def test_a_role_without_its_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "set.yaml"
    file.write_text("name: x\ndescription: y\nmodels: {big: {provider: openai, model: m}}\nroles: {detective: bigg}\n")
    with pytest.raises(ConfigError, match="did you mean big"):
        load_model_set(str(file))


def test_every_built_in_model_set_can_be_read_and_has_a_detective() -> None:
    for name in names("models"):
        assert load_model_set(name).spec("detective") is not None


def test_an_unknown_model_set_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"known: .*local"):
        load_model_set("locl")


def test_a_glob_on_models_is_one_key_whatever_dots_it_has(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(
        "limits: {models: {'openai:gpt-4.1*': {concurrency: 3}, 'dashscope:qwen3.8-omni': {concurrency: 4}}}"
    )
    given = ["limits.models.openai:gpt-4.1*.requests_per_minute=60", 'limits.models={"vllm:x.y": {concurrency: 9}}']
    config = load_config(environ={}, config_file=file, overrides=given)
    assert config.settings.limits.models == {
        "openai:gpt-4.1*": ModelLimits(concurrency=3, requests_per_minute=60),
        "dashscope:qwen3.8-omni": ModelLimits(concurrency=4),
        "vllm:x.y": ModelLimits(concurrency=9),
    }
    assert config.sources["limits.models.openai:gpt-4.1*.concurrency"] == str(file)
    assert config.sources["limits.models.openai:gpt-4.1*.requests_per_minute"] == "--set"
    with pytest.raises(ConfigError, match=r"did you mean limits.models.openai:gpt-4.1.concurrency"):
        load_config(environ={}, overrides=["limits.models.openai:gpt-4.1.concurency=1"])


def test_limits_and_prices_change_no_record_and_so_not_the_fingerprint() -> None:
    limits = ["limits.max_cost_usd=0.5", "limits.models.*.concurrency=1", "prices=p.yaml"]
    limited = load_config(environ={}, overrides=limits)
    assert limited.sha == load_config(environ={}).sha
    assert str(limited.settings.limits.max_cost_usd) == "0.5"
