"""Where settings come from.

Order, strongest first: command line (``--set``) > environment (``OMNIDETECTIVE_SECTION__KEY``) > configuration file
(``--config`` or ``./omnidetective.yaml``) > the model set's and the workflow's own ``settings`` > defaults. Each value
remembers its source, for ``omnidetective config show --sources``. Secrets are never settings: model sets name the
environment variables that hold them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from omnidetective.errors import ConfigError
from omnidetective.model_sets import ModelSet
from omnidetective.nearest import did_you_mean
from omnidetective.resources import resource_root
from omnidetective.settings import Settings
from omnidetective.workflows import Workflow

ENV_PREFIX = "OMNIDETECTIVE_"
_ENV_NOT_SETTINGS = frozenset({"OMNIDETECTIVE_CACHE", "OMNIDETECTIVE_CONFIG"})
_DEFAULT_FILE = "omnidetective.yaml"
_GLOBS = "limits.models."
_DOT = "\0"

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Config:
    """Settings, model set and workflow, resolved; ``sources`` maps each dotted key that is set to where it was set."""

    settings: Settings
    model_set: ModelSet
    workflow: Workflow
    sources: Mapping[str, str]

    def with_cache_beside(self, output: Path) -> Config:
        """The configuration whose answers of models are kept beside an output, unless they are kept elsewhere."""
        cache = self.settings.cache
        if cache.path is not None:
            return self
        beside = cache.model_copy(update={"path": cache_beside(output)})
        return replace(self, settings=self.settings.model_copy(update={"cache": beside}))

    @property
    def sha(self) -> str:
        """Fingerprint of everything that can change a record: not of how many work on it, how fast, for what price."""
        aside: dict[str, Any] = dict.fromkeys(
            ("num_workers", "concurrency", "workers", "engine", "ray", "cache", "telemetry", "prices"), True
        )
        aside["limits"] = {"max_cost_usd", "models"}
        whole = {
            "settings": self.settings.model_dump(mode="json", exclude=aside),
            "models": self.model_set.model_dump(
                mode="json", exclude={"settings": True, "models": {"__all__": {"limits"}}}
            ),
            "workflow": self.workflow.model_dump(mode="json"),
        }
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]


def cache_beside(output: Path) -> Path:
    """Where the answers of models are kept by default: ``out.jsonl`` → ``out.cache.sqlite``."""
    return output.parent / f"{output.stem}.cache.sqlite"


def load_config(
    *,
    overrides: Iterable[str] = (),
    options: Mapping[str, Any] | None = None,
    config_file: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Resolve the configuration.

    Args:
        overrides: ``key.path=value`` of ``--set``; the value is read as YAML.
        options: dotted keys that have an option of their own on the command line; ``None`` values are not set.
        config_file: ``--config``; else ``OMNIDETECTIVE_CONFIG``, else ``./omnidetective.yaml`` if it is there.
        environ: the environment, for tests.

    Raises:
        ConfigError: an unknown key (naming the nearest known one), a bad value, a missing or broken file.
    """
    env = os.environ if environ is None else environ
    layers: list[tuple[str, dict[str, Any]]] = []
    file = config_file or _file_from_environment(env)
    if file is not None:
        layers.append((str(file), _read_yaml(file)))
    layers.append(("environment", dict(_from_environment(env))))
    layers.append(("--set", dict(_parse_override(text) for text in overrides)))
    given = {key: value for key, value in (options or {}).items() if value is not None}
    layers.append(("command line", given))
    user = [(source, _flatten(values)) for source, values in layers]

    chosen: dict[str, Any] = {}
    for _, flat in user:
        chosen.update({key: flat[key] for key in ("models", "workflow") if key in flat})
    model_set = load_model_set(str(chosen.get("models", Settings().models)))
    workflow = load_workflow(str(chosen.get("workflow", Settings().workflow)))

    built_in = [
        (f"model set {model_set.name}", _flatten(model_set.settings)),
        (f"workflow {workflow.name}", _flatten(workflow.settings)),
        *(
            (f"workflow {workflow.name}", _flatten({stage.stage: stage.settings}))
            for step in workflow.steps
            for stage in step
            if stage.settings
        ),
    ]
    merged: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for source, flat in [*built_in, *user]:
        for key, value in flat.items():
            _put(merged, key.split("."), value, source)
            shown = key.replace(_DOT, ".")
            for old in [k for k in sources if k.startswith(f"{shown}.")]:
                del sources[old]
            sources[shown] = source
    return Config(_validate(Settings, merged, sources), model_set, workflow, sources)


def load_model_set(name: str) -> ModelSet:
    """Read a model set by name (``configs/models``) or by file."""
    return _load(ModelSet, "model set", "models", name)


def load_workflow(name: str) -> Workflow:
    """Read a workflow by name (``configs/workflows``) or by file."""
    return _load(Workflow, "workflow", "workflows", name)


def names(folder: Literal["models", "workflows"]) -> tuple[str, ...]:
    """The built-in names, sorted."""
    return tuple(sorted(path.stem for path in (resource_root() / "configs" / folder).glob("*.yaml")))


def _load(model: type[M], what: str, folder: Literal["models", "workflows"], name: str) -> M:
    looks_like_file = name.endswith((".yaml", ".yml")) or "/" in name or os.sep in name
    path = Path(name) if looks_like_file else resource_root() / "configs" / folder / f"{name}.yaml"
    if not path.is_file():
        known = names(folder)
        raise ConfigError(
            f"there is no {what} {name!r}{did_you_mean(name, known)}", hint=f"known: {', '.join(known)}, or a YAML file"
        )
    return _validate(model, _read_yaml(path), {}, where=f"{what} {path}")


def _file_from_environment(env: Mapping[str, str]) -> Path | None:
    if named := env.get("OMNIDETECTIVE_CONFIG"):
        return Path(named)
    default = Path(_DEFAULT_FILE)
    return default if default.is_file() else None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path} must hold a mapping of keys to values, not a {type(data).__name__}")
    return {str(key): value for key, value in data.items()}


def _from_environment(env: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for name, value in sorted(env.items()):
        if name.startswith(ENV_PREFIX) and name not in _ENV_NOT_SETTINGS:
            yield name.removeprefix(ENV_PREFIX).lower().replace("__", "."), _yaml_value(value, name)


def _parse_override(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"--set takes key.path=value, not {text!r}")
    return key.strip(), _yaml_value(value, f"--set {key}")


def _yaml_value(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"cannot read the value of {where}: {error}") from error


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        dotted = _with_whole_globs(f"{prefix}{key}", prefix)
        if isinstance(value, Mapping) and value:
            flat.update(_flatten(value, f"{dotted}."))
        else:
            flat[dotted] = value
    return flat


def _with_whole_globs(dotted: str, prefix: str) -> str:
    """A dotted key in which the names of models are one part each, whatever dots they have: ``openai:gpt-4.1``."""
    if prefix == _GLOBS:
        return _GLOBS + dotted.removeprefix(_GLOBS).replace(".", _DOT)
    if not prefix and dotted.startswith(_GLOBS):
        glob, _, field = dotted.removeprefix(_GLOBS).rpartition(".")
        return f"{_GLOBS}{glob.replace('.', _DOT)}.{field}"
    return dotted


def _put(tree: dict[str, Any], path: list[str], value: Any, source: str) -> None:
    path = [key.replace(_DOT, ".") for key in path]
    for depth, key in enumerate(path[:-1], start=1):
        branch = tree.setdefault(key, {})
        if not isinstance(branch, dict):
            raise ConfigError(f"{'.'.join(path[:depth])} is a value, so {'.'.join(path)} cannot be set ({source})")
        tree = branch
    tree[path[-1]] = value


def _validate(model: type[M], data: dict[str, Any], sources: Mapping[str, str], *, where: str = "settings") -> M:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = []
        for item in error.errors(include_url=False):
            key = ".".join(str(part) for part in item["loc"])
            source = next((s for k, s in sources.items() if key == k or key.startswith(f"{k}.")), where)
            if item["type"] == "extra_forbidden":
                siblings = _known_keys(model, item["loc"][:-1])
                *section, last = (str(part) for part in item["loc"])
                meant = did_you_mean(last, siblings, prefix="".join(f"{part}." for part in section))
                lines.append(f"unknown key {key!r} in {source}{meant}")
            else:
                lines.append(f"{key or where}: {item['msg']} (in {source})")
        raise ConfigError("; ".join(lines)) from None


def _known_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> tuple[str, ...]:
    for part in path:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        if field is None:
            continue
        inner = [field.annotation, *get_args(field.annotation)]
        model = next((t for t in inner if isinstance(t, type) and issubclass(t, BaseModel)), model)
    return tuple(model.model_fields)
