"""What the records of an output are made under, and how it differs from what they were begun under.

Half of an output made by one model and half by another is a mistake that nobody sees in the end; a run that would make
one is refused, with the difference.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import omnidetective
from omnidetective.config import Config
from omnidetective.engine.state_lines import HEAD, json_object
from omnidetective.errors import ConfigError
from omnidetective.prompts import PromptLibrary
from omnidetective.settings import Settings

CHANGES_NO_RECORD: Final[Mapping[str, str]] = {
    "workflow": "its content counts, not where it is",
    "models": "its content counts, not where it is",
    "prompts": "their content counts, not where they are",
    "num_workers": "how many work on it",
    "concurrency": "how many work on it",
    "workers": "how many work on it, and for how long",
    "engine": "where they work",
    "ray": "where they work",
    "telemetry": "who is told",
    "prices": "what it costs",
    "cache": "a kept answer is the answer",
    "retry": "how patient a call is; an answer is the same on the first attempt and on the fifth",
    "limits": "when to give up; what is given up has no record",
    "media.roots": "whether media may be opened, not what is in them",
    "media.allow_private": "whether media may be opened, not what is in them",
    "media.max_download_mb": "whether media are taken, not what is in them",
    "media.max_output_mb": "whether media are taken, not what is in them",
    "media.max_duration_s": "whether media are taken, not what is in them",
    "media.fetch_timeout_s": "when to give up",
    "media.fetch_attempts": "when to give up",
    "media.process_timeout_s": "when to give up",
    "media.process_memory_mb": "when to give up",
    "media.cache_mb": "what is decoded twice",
    "segment.parallel": "how many are worked on side by side",
}
"""Settings, or whole sections of them, that cannot change what a record says, and why."""

_REACHED_BY: Final = frozenset({"base_url_env", "api_key_env", "api_key_optional", "limits"})
"""Of a model: how this machine reaches it, and how often it may."""
_ABOUT_ITSELF: Final = frozenset({"description", "source", "needs_env", "settings"})
"""Of a model set or a workflow: words about it; and its settings, which are among the settings already."""
_SECRET: Final = re.compile(
    r"(?:^|[_-])(?:key|token|secret|password|passwd|authorization|credentials?)$", re.IGNORECASE
)
_MOST_SHOWN: Final = 12
_MOST_CHARS: Final = 60
_UNSET: Final = "not set"

Conditions = Mapping[str, str]
"""Dotted key → value as JSON, of all that can change a record."""


def conditions_of(config: Config) -> Conditions:
    """What a run makes its records under. Holds no secret: settings name the variables of keys, never the keys.

    Raises:
        PromptError: a prompt file is broken.
    """
    counted = {
        key: value
        for key, value in _flat(config.settings.model_dump(mode="json"))
        if not any(key == one or key.startswith(f"{one}.") for one in CHANGES_NO_RECORD)
    }
    models = config.model_set.model_dump(mode="json", exclude=set(_ABOUT_ITSELF))
    for name, spec in config.model_set.models.items():
        said = {key: value for key, value in models["models"][name].items() if key not in _REACHED_BY}
        if spec.model_env and (chosen := os.environ.get(spec.model_env)):
            said["model"] = chosen
        models["models"][name] = said
    workflow = config.workflow.model_dump(mode="json", exclude=set(_ABOUT_ITSELF))
    workflow["stages"] = [[stage.stage for stage in step] for step in config.workflow.steps]
    prompts = {prompt.name: prompt.fingerprint for prompt in PromptLibrary(config.settings.prompts)}
    for section, values in (("model_set", models), ("workflow", workflow), ("prompt", prompts)):
        counted.update(_flat(values, f"{section}."))
    return dict(sorted(counted.items()))


def to_text(conditions: Conditions) -> str:
    """For the state file."""
    return json.dumps(conditions, ensure_ascii=False)


def difference(before: str, now: Conditions) -> dict[str, tuple[str, str]]:
    """Key → what it was and what it is, for each that differs.

    A setting that an older version of this program did not know is no difference, as long as it has its default.

    Args:
        before: as :func:`to_text` gave it.
    """
    old = json_object(before.encode()) or {}
    defaults = dict(_flat(Settings().model_dump(mode="json")))
    return {
        key: (str(old.get(key, _UNSET)), now.get(key, _UNSET))
        for key in sorted({*old, *now})
        if old.get(key, defaults.get(key)) != now.get(key, defaults.get(key))
    }


def difference_from_record(line: bytes, config: Config, now: Conditions) -> dict[str, tuple[str, str]]:
    """The same, as far as a record tells it that was made by this version of the program; otherwise nothing."""
    record = json_object(line) if HEAD.match(line) else None
    said = (record or {}).get("provenance")
    if not isinstance(said, dict) or said.get("omnidetective") != omnidetective.__version__:
        return {}
    found = {}
    if isinstance(workflow := said.get("workflow"), str) and workflow != config.workflow.name:
        found["workflow.name"] = (workflow, config.workflow.name)
    prompts = said.get("prompts")
    for name, before in sorted(prompts.items()) if isinstance(prompts, dict) else ():
        value = now.get(f"prompt.{name}", _UNSET)
        if json.dumps(before) != value:
            found[f"prompt.{name}"] = (json.dumps(before), value)
    return found


def refusal(found: Mapping[str, tuple[str, str]]) -> ConfigError:
    """What a run on an output says that was begun under other conditions."""
    shown = [f"{key}: {_short(old)} -> {_short(new)}" for key, (old, new) in list(found.items())[:_MOST_SHOWN]]
    if len(found) > _MOST_SHOWN:
        shown.append(f"and {len(found) - _MOST_SHOWN:,} more")
    return ConfigError(
        f"the output was begun with another configuration: {'; '.join(shown)}",
        reason="configuration_changed",
        hint="choose another --output, or begin anew by --no-resume; --allow-changed goes on with the new one",
    )


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
            continue
        text = json.dumps(_without_password(value) if isinstance(value, str) else value, sort_keys=True)
        if _SECRET.search(key) and value is not None:  # Nobody should put one here; nobody is to find one either.
            text = f"kept secret, {hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"
        yield f"{prefix}{key}", text


def _without_password(url: str) -> str:
    scheme, found, rest = url.partition("://")
    if not found:
        return url
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path.partition('?')[0]}"


def _short(value: str) -> str:
    return value if len(value) <= _MOST_CHARS else f"{value[:_MOST_CHARS]}…"
