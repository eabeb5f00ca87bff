"""Going on with an output: which failures are tried again, and under which configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from engine.fakes import record_of
from engine.harness import Folder, Start, configured

import omnidetective
from omnidetective.config import Config, load_config
from omnidetective.engine.conditions import CHANGES_NO_RECORD, conditions_of, difference, to_text
from omnidetective.errors import ConfigError, UserError
from omnidetective.records import InputRow
from omnidetective.resources import resource_root
from omnidetective.settings import Settings


def changed(before: Config, after: Config) -> dict[str, tuple[str, str]]:
    return difference(to_text(conditions_of(before)), conditions_of(after))


async def test_only_the_chosen_failures_are_tried_again(folder: Folder) -> None:
    folder.rows([{"id": "a", "do": "fail"}, {"id": "b", "do": "raise"}, {"id": "c", "do": "raise"}, {"id": "d"}])
    await folder.run()
    reasons = folder.reasons()
    assert (reasons["a"], reasons["b"]) == ("transient", "internal")
    folder.rows([{"id": clip_id} for clip_id in "abcd"])
    for only, ids, wrong in (
        (
            ["internal", "busy"],
            [],
            "--only: nothing failed with the reason 'busy' (clips that failed: 2 internal, 1 tr",
        ),
        ([], ["a", "d", "x"], "--id: there is no failure of 'd', 'x' (clips that failed: 2 internal, 1 transient)"),
    ):
        with pytest.raises(ConfigError) as refused:
            await folder.run(retry_failed=True, only_reasons=only, only_ids=ids)
        assert wrong in str(refused.value)
    with pytest.raises(UserError, match="they need --retry-failed"):
        await folder.run(only_ids=["a"])
    assert (await folder.run(retry_failed=True, only_reasons=["internal"], only_ids=["b", "a"])).recorded == 1
    assert folder.ids() == ["d", "b"]
    summary = await folder.run(retry_failed=True, only_reasons=["internal"])
    assert (summary.recorded, summary.failed_before) == (1, 1)
    assert (await folder.run(retry_failed=True, only_ids=["a"])).recorded == 1
    assert sorted(folder.ids()) == ["a", "b", "c", "d"]
    with pytest.raises(ConfigError, match="no clip has failed"):
        await folder.run(retry_failed=True, only_ids=["a"])


async def test_another_configuration_is_refused_with_the_difference(folder: Folder) -> None:
    folder.rows([{"id": 1}])
    await folder.run(settings=("gate.min_tokens=9",))
    folder.rows([{"id": 1}, {"id": 2}])
    with pytest.raises(ConfigError, match=r"gate\.min_tokens: 9 -> 8; investigate\.inquiries: 10 -> 3 ") as refused:
        await folder.run(settings=("investigate.inquiries=3",))
    assert refused.value.reason == "configuration_changed"
    assert folder.ids() == ["1"]
    # How many work on it, and how patiently, makes no other records.
    same = ("gate.min_tokens=9", "num_workers=2", "concurrency=3", "limits.clip_timeout_s=70", "retry.attempts=2")
    assert (await folder.run(settings=same)).recorded == 1
    folder.rows([{"id": 3}])
    assert (await folder.run(settings=("investigate.inquiries=3",), allow_changed=True)).recorded == 1
    # What was allowed once is what the output has from now on.
    assert (await folder.run(settings=("investigate.inquiries=3",))).already_done == 1
    with pytest.raises(ConfigError, match=r"inquiries: 3 -> 10"):
        await folder.run(settings=("gate.min_tokens=9",))


async def test_a_record_tells_what_it_was_made_with_where_the_state_is_gone(folder: Folder) -> None:
    row = InputRow(id="a", media="v.mp4", raw={"id": "a", "video": "v.mp4"})
    prompts = {"refine/system": "1+000000000000"}
    made = record_of(row).provenance.model_copy(
        update={"omnidetective": omnidetective.__version__, "workflow": "avocado", "prompts": prompts}
    )
    folder.rows([{"id": "a"}])
    folder.output.write_text(record_of(row).model_copy(update={"provenance": made}).to_line() + "\n")
    with pytest.raises(ConfigError, match=r"workflow\.name: avocado -> omnidetective; prompt\.refine/system: .* -> "):
        await folder.run()
    assert (await folder.run(allow_changed=True)).already_done == 1
    assert (await folder.run()).already_done == 1


def test_the_command_takes_the_options(folder: Folder, start: Start) -> None:
    folder.rows([{"id": "a", "do": "fail"}])
    start("--quiet").communicate(timeout=60)
    folder.rows([{"id": "a"}])
    refused = start("--quiet", "--set", "gate.judge=false")
    _, said = refused.communicate(timeout=60)
    assert refused.returncode == 2
    assert "gate.judge: true -> false" in said
    wrong = start("--quiet", "--retry-failed", "--only", "busy")
    assert "nothing failed with the reason 'busy' (clips that failed: 1 transient)" in wrong.communicate(timeout=60)[1]
    assert wrong.returncode == 2
    again = start("--allow-changed", "--set", "gate.judge=false", "--retry-failed", "--only", "transient", "--id", "a")
    again.communicate(timeout=60)
    assert again.returncode == 0
    assert folder.ids() == ["a"]


def test_changed_prompts_count_and_where_they_are_does_not(tmp_path: Path) -> None:
    built_in = resource_root() / "prompts" / "refine" / "system.md"
    for name, more in (("same", ""), ("other", "\nWrite British English.\n")):
        mine = tmp_path / name / "refine" / "system.md"
        mine.parent.mkdir(parents=True)
        mine.write_text(built_in.read_text() + more)
    plain = configured()
    assert changed(plain, configured(f"prompts={tmp_path / 'same'}")) == {}
    assert list(changed(plain, configured(f"prompts={tmp_path / 'other'}"))) == ["prompt.refine/system"]


def test_another_cast_or_workflow_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = configured()
    assert "model_set.name" in changed(plain, configured("models=openai"))
    assert "workflow.name" in changed(plain, configured("workflow=avocado"))
    cast: dict[str, Any] = {
        "name": "mine",
        "description": "d",
        "models": {"m": {"provider": "openai", "model": "a", "model_env": "MY_MODEL", "api_key_env": "MY_KEY"}},
        "roles": {"detective": "m"},
    }
    file = tmp_path / "mine.yaml"
    file.write_text(json.dumps(cast))
    mine = load_config(overrides=[f"models={file}"], environ={})
    before = to_text(conditions_of(mine))
    monkeypatch.setenv("MY_MODEL", "b")
    assert difference(before, conditions_of(mine)) == {"model_set.models.m.model": ('"a"', '"b"')}


def test_no_secret_is_kept(tmp_path: Path) -> None:
    canary = "sk-canary-123456789"
    model = {
        "provider": "openai",
        "model": "a",
        "base_url": f"https://me:{canary}@models.example/v1?key={canary}",
        "parameters": {"extra_headers": {"Authorization": canary, "X-Api-Key": canary}, "max_tokens": 7},
    }
    cast = {"name": "mine", "description": "d", "models": {"m": model}, "roles": {"detective": "m"}}
    file = tmp_path / "mine.yaml"
    file.write_text(json.dumps(cast))
    text = to_text(conditions_of(load_config(overrides=[f"models={file}"], environ={})))
    assert canary not in text
    assert "https://models.example/v1" in text
    assert '"model_set.models.m.parameters.max_tokens": "7"' in text


def test_a_setting_that_an_older_version_did_not_know_is_no_difference_as_long_as_it_has_its_default() -> None:
    now = dict(conditions_of(configured()))
    before = {key: value for key, value in now.items() if key != "gate.judge"}
    assert difference(json.dumps(before), now) == {}
    assert difference(json.dumps(before), {**now, "gate.judge": "false"}) == {"gate.judge": ("not set", "false")}


def test_what_changes_no_record_is_a_setting() -> None:
    for key in CHANGES_NO_RECORD:
        value: Any = Settings()
        for part in key.split("."):
            value = getattr(value, part)
